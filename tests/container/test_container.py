import asyncio
import subprocess
import sys
import threading

import pytest
from anyio.lowlevel import checkpoint
from dependency_injector import containers, providers

from coatcheck.backends import InMemoryBackend, RedisBackend
from coatcheck.calls.limits import Limits
from coatcheck.containers import Container
from coatcheck.errors import ObjectNotFound, SettingsError
from coatcheck.explorer import Explorer
from coatcheck.lifecycle import validate
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
from coatcheck.store.tenancy import Caller, CallerKind
from tests.waiting import wait_until


def test_the_backend_is_selected_by_the_settings(redis_server):
    assert isinstance(Container(settings=Settings()).backend(), InMemoryBackend)
    container = Container(settings=Settings(object_store_backend="redis", redis_url=redis_server.url))
    assert isinstance(container.backend().backend, RedisBackend)
    assert container.store().fetch(container.store().put([1])) == [1]
    container.store().close()


def test_only_requested_parts_are_created():
    # An unusable URL, which must be ignored for memory.
    container = Container(settings=Settings(object_store_backend="memory", redis_url="redis://nowhere.invalid:1"))
    assert isinstance(container.store().backend, InMemoryBackend)


def test_an_unknown_backend_is_refused_when_the_settings_are_created():
    with pytest.raises(
        SettingsError, match="object_store_backend: there is no backend of this name; there are: memory, redis, sqlite"
    ):
        Settings(object_store_backend="memroy")


@pytest.mark.parametrize("written", ["folder=/s3cret", '{"folder": /s3cret}', '"s3cret"', "[1]"])
def test_options_in_a_variable_that_are_not_a_json_object_are_an_error_that_names_the_setting(monkeypatch, written):
    monkeypatch.setenv("COATCHECK_OBJECT_STORE_OPTIONS", written)
    with pytest.raises(
        SettingsError, match="object_store_options in COATCHECK_OBJECT_STORE_OPTIONS: a table"
    ) as refused:
        Settings()
    assert "s3cret" not in str(refused.value)


def test_options_in_a_variable_are_a_json_object(monkeypatch):
    monkeypatch.setenv("COATCHECK_OBJECT_STORE_OPTIONS", '{"folder": "/data"}')
    assert Settings().object_store_options == {"folder": "/data"}


def test_a_container_without_settings_reads_the_environment(monkeypatch):
    monkeypatch.setenv("COATCHECK_OBJECT_STORE_TTL", "0.5")
    assert Container().store().ttl == 0.5


def test_the_store_is_shared_and_the_explorer_is_created_at_each_call():
    container = Container(settings=Settings())
    assert container.store() is container.store()
    assert container.explorer() is not container.explorer()
    assert container.explorer(preview_limit=700).preview_limit == 700


def test_many_threads_get_the_same_store():
    container = Container(settings=Settings())
    barrier, found = threading.Barrier(16), []

    def ask() -> None:
        barrier.wait()
        found.append(container.store())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(store) for store in found}) == 1


def test_two_containers_in_one_process_share_nothing():
    first, second = Container(settings=Settings()), Container(settings=Settings())
    object_id = first.store().put("in the first")
    with pytest.raises(ObjectNotFound):
        second.store().fetch(object_id)
    assert first.backend() is not second.backend()
    assert first.tenancy() is not second.tenancy()
    assert first.sandbox() is not second.sandbox()
    with first.tenancy().enter(Caller(CallerKind.PRINCIPAL, "alice")):
        assert first.store().namespace() != ""
        assert second.store().namespace() == ""


def test_a_custom_backend_replaces_the_default():
    backend = InMemoryBackend()
    container = Container(settings=Settings(), backend=backend)
    container.store().put("x")
    assert backend.statistics().objects == 1


def test_an_override_applies_to_functions_that_are_already_decorated():
    container = Container(settings=Settings())

    @container.explorable_and_referenceable()
    def double(numbers: list[int]) -> list[int]:
        return [2 * number for number in numbers]

    fake = ObjectStore(InMemoryBackend())
    with container.store.override(fake):
        preview = double([1, 2])
        assert "@obj_001" in preview
        assert fake.fetch("obj_001") == [2, 4]
        assert "8" in double("@obj_001[1:]")
    assert container.store().list() == []


def test_limits_of_the_settings_apply_to_explorer_and_store():
    settings = Settings(preview_limit=900, response_limit=1000, max_object_bytes=100, object_store_ttl=7)
    container = Container(settings=settings)
    explorer = container.explorer()
    assert (explorer.preview_limit, explorer.response_limit, container.store().ttl) == (900, 1000, 7)
    assert "not kept" in explorer.put_and_preview("x" * 101)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_idle_objects_are_removed_according_to_the_settings(kind, tmp_path):
    settings = Settings(object_store_backend=kind, sqlite_path=tmp_path / "file", object_store_max_idle=0.2)
    store = Container(settings=settings).store()
    object_id = store.put([1])
    wait_until(lambda: store.get(object_id) is None, "it is dropped", interval=0.3)  # each read is a use
    store.close()


def test_with_redis_the_idle_setting_is_refused_in_favour_of_its_own_policy():
    settings = Settings(object_store_backend="redis", redis_url="redis://nowhere", object_store_max_idle=60)
    with pytest.raises(SettingsError, match="maxmemory-policy allkeys-lru"):
        Container(settings=settings).store()


def test_a_hosts_container_embeds_ours_and_shares_the_store():
    class Reports:
        def __init__(self, store: ObjectStore) -> None:
            self.store = store

    class Host(containers.DeclarativeContainer):
        config = providers.Configuration()
        coatcheck = providers.Container(
            Container, settings=providers.Singleton(Settings.model_validate, config.coatcheck)
        )
        reports = providers.Factory(Reports, store=coatcheck.store)

    host = Host(config={"coatcheck": {"object_store_ttl": 11}})
    assert host.reports().store is host.coatcheck().store()
    assert host.reports().store.ttl == 11


def test_ids_are_short_in_a_protected_namespace_and_long_otherwise():
    container = Container(settings=Settings())
    store, scopes = container.store(), container.tenancy()
    assert len(store.put(1)) == len("obj_") + 6
    with scopes.enter(Caller(CallerKind.PRINCIPAL, "alice")):
        assert len(store.put(1)) == len("obj_") + 6
    with scopes.enter(Caller(CallerKind.ANONYMOUS)):
        assert len(store.put(1)) >= len("obj_") + 22


def test_each_principal_has_a_separate_namespace_that_does_not_reveal_its_name():
    container = Container(settings=Settings())
    store, scopes = container.store(), container.tenancy()
    with scopes.enter(Caller(CallerKind.PRINCIPAL, "alice")):
        object_id = store.put("hers")
        assert "alice" not in store.namespace()
    with scopes.enter(Caller(CallerKind.PRINCIPAL, "bob")):
        assert store.get(object_id) is None
    assert store.get(object_id) is None


def test_replicas_with_one_secret_agree_on_namespaces():
    def namespace(**values: str) -> str:
        scopes = Container(settings=Settings(**values)).tenancy()
        with scopes.enter(Caller(CallerKind.PRINCIPAL, "alice")):
            return scopes.namespace()

    assert namespace(namespace_secret="s") == namespace(namespace_secret="s") != namespace(namespace_secret="t")
    assert namespace() != namespace()
    url = "redis://:secret@localhost:6379"
    assert namespace(redis_url=url) == namespace(redis_url=url)


def test_a_scope_ends_with_its_task():
    container = Container(settings=Settings())
    scopes = container.tenancy()

    async def main() -> list[str]:
        async def one(name: str) -> str:
            with scopes.enter(Caller(CallerKind.PRINCIPAL, name)):
                await checkpoint()
                return scopes.namespace()

        return await asyncio.gather(one("a"), one("b"), one("a"))

    first, second, third = asyncio.run(main())
    assert first == third != second
    assert scopes.namespace() == ""


def test_the_explorer_of_a_container_uses_the_current_store():
    container = Container(settings=Settings())
    explorer: Explorer = container.explorer()
    fake = ObjectStore(InMemoryBackend())
    with container.store.override(fake):
        explorer.put_and_preview("x")
        assert fake.get("obj_001") == "x"


@pytest.mark.parametrize(
    "module", ["coatcheck", "coatcheck.containers", "coatcheck.explorer.explorer", "coatcheck.decorators"]
)
def test_importing_loads_neither_the_sdk_nor_redis_nor_the_command_line(module):
    script = f"import sys, {module}; print([m for m in ('mcp', 'redis', 'typer', 'jsonschema') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_sandbox_worker_loads_neither_the_store_nor_its_backends():
    script = "import sys, coatcheck.explorer.sandbox.worker as it; it.preload(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "coatcheck.explorer.operations" in loaded
    assert not {"coatcheck.store.object_store", "coatcheck.backends", "ssl"} & loaded


def test_limits_come_from_flags_variables_and_file_in_this_order(monkeypatch, tmp_path):
    (tmp_path / "settings.toml").write_text(
        'never_keep = ["a", "b*"]\nround_limit = 7\nlimits_in_tokens = true\n[tool_limits]\n"git_*" = 3\nlog = 2\n'
    )
    monkeypatch.setenv("COATCHECK_CONFIG", str(tmp_path / "settings.toml"))
    limits = Container(settings=Settings()).limits()
    in_tokens = Limits(
        8000, (("git_*", 12), ("log", 8)), ("a", "b*"), (), 28, adapts_to_host=True, characters_per_token=4
    )
    assert limits == in_tokens
    monkeypatch.setenv("COATCHECK_TOOL_LIMITS", "x=1, y*=2")
    monkeypatch.setenv("COATCHECK_NEVER_KEEP", "c,d")
    monkeypatch.setenv("COATCHECK_ALWAYS_KEEP", "e")
    monkeypatch.setenv("COATCHECK_LIMITS_IN_TOKENS", "false")
    monkeypatch.setenv("COATCHECK_ROUND_LIMIT", "0")
    limits = Container(settings=Settings()).limits()
    assert limits == Limits(8000, (("x", 1), ("y*", 2)), ("c", "d"), ("e",), 0, adapts_to_host=True)
    limits = Container(settings=Settings(tool_limits=[("z", 5)], inline_limit=6, round_limit=None)).limits()
    assert limits == Limits(6, (("z", 5),), ("c", "d"), ("e",), 24)


@pytest.mark.parametrize("given", ["git", "git=many", "=5", "a=1,b"])
def test_an_invalid_limit_of_a_tool_is_refused_with_the_expected_form(given, monkeypatch):
    monkeypatch.setenv("COATCHECK_TOOL_LIMITS", given)
    with pytest.raises(SettingsError, match=r"tool_limits.*PATTERN=NUMBER"):
        Settings()


def test_a_host_may_add_a_branch_to_the_selector():
    class Named(Settings):
        object_store_backend: str = "mine"

    container = Container(settings=Named())
    own = InMemoryBackend()
    container.backend.set_providers(**container.backend.providers, mine=providers.Object(own))
    validate(container)
    assert container.backend() is own
    assert sorted(Container(settings=Settings()).backend.providers) == ["installed", "memory", "redis", "sqlite"]


def test_a_custom_namespace_leaves_the_other_settings_unchanged():
    container = Container(settings=Settings(object_store_ttl=60), namespace=lambda: "eu")
    assert (container.store().namespace(), container.store().ttl) == ("eu", 60)
    object_id = container.store().put("x")
    assert container.backend().get(f"eu:{object_id}")
