"""The location of the store is visible only to operators, and files that other users can change cause warnings."""

import logging

import pytest

from coatcheck.backends import RedisBackend, SQLiteBackend
from coatcheck.backends.breaker import BreakerBackend
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.mcp_server.authentication import TokenList
from coatcheck.object_store import ObjectStore
from coatcheck.store.tenancy import Caller, CallerKind, Tenancy
from tests.ports import free_port


@pytest.mark.parametrize(
    "scope", [Caller(CallerKind.ANONYMOUS), Caller(CallerKind.PRINCIPAL, "ann")], ids=["anyone", "a user"]
)
@pytest.mark.parametrize("kind", ["redis", "redis behind a breaker", "sqlite"])
def test_the_location_of_the_store_is_not_revealed_to_callers_over_the_network(kind, scope, tmp_path):
    port, scopes = free_port(), Tenancy()
    path = tmp_path / "there" / "objects.db"
    if kind == "sqlite":
        path.parent.write_text("no folder")
        backend, place = SQLiteBackend(path), str(path)
    else:
        backend, place = RedisBackend(f"redis://127.0.0.1:{port}"), f"127.0.0.1:{port}"
    if "breaker" in kind:
        backend = BreakerBackend(backend)
    store = ObjectStore(backend)
    for _ in range(10):  # until the breaker opens
        with pytest.raises(ObjectStoreUnavailable) as here:
            store.put("text")
        with scopes.enter(scope), pytest.raises(ObjectStoreUnavailable) as there:
            store.put("text")
        assert place in str(here.value)
        with scopes.enter(scope):
            shown = str(there.value)
        assert shown.startswith("The object store ")
        assert place not in shown
        assert "127.0.0.1" not in shown
    if "breaker" in kind:
        backend.breaker.stop()


def test_a_folder_that_others_can_write_to_causes_a_warning(tmp_path, caplog):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    backend = SQLiteBackend(folder / "objects.db")
    with caplog.at_level(logging.WARNING):
        ObjectStore(backend).put("text")
    assert f"folder of the object store {folder}" in caplog.text
    backend.close()


def test_a_list_of_tokens_that_others_can_change_causes_a_warning(tmp_path, caplog):
    tokens = tmp_path / "tokens"
    tokens.write_text("ann " + "0" * 64 + "\n")
    tokens.chmod(0o666)
    with caplog.at_level(logging.WARNING):
        TokenList.load(tokens)
    assert f"change the file {tokens} (mode 666): run chmod go-w" in caplog.text
