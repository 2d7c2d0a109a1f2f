"""The table of overrides in containers.md: each row is tested on a container whose parts have all been created."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers

from coatcheck.backends import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.containers import Container
from coatcheck.explorer import Explorer
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.lifecycle import overridden
from coatcheck.object_store import ObjectStore, Tenancy
from coatcheck.settings import Settings
from coatcheck.store.events import Observation

PAGE = (Path(__file__).parents[2] / "containers.md").read_text()


class Plain:
    name = "plain"
    encode = decode = staticmethod(bytes)


@pytest.fixture
def container() -> Container:
    made = Container(settings=Settings())
    for provider in made.providers.values():
        if not isinstance(provider, providers.Factory):
            provider()  # all shared objects have been created
    return made


def record_rows(container: Any) -> Callable[[], str]:
    @container.explorable()
    def rows() -> str:
        return "\n".join(f"line {number} of a long text" for number in range(2000))

    return rows


def backend(container: Any) -> None:
    fake, decorated = InMemoryBackend(), record_rows(container)
    with container.backend.override(fake):
        decorated()
    with overridden(container, backend=fake):
        decorated()
    decorated()
    assert fake.statistics().objects == 2


def settings(container: Any) -> None:
    decorated = record_rows(container)
    with overridden(container, settings=Settings(preview_limit=700)):
        assert len(decorated()) <= 700
    assert len(decorated()) > 700


def tenancy(container: Any) -> None:
    other = Tenancy()
    with overridden(container, tenancy=other):
        assert container.store().namespace == other.namespace
    assert container.store().namespace != other.namespace


def store(container: Any) -> None:
    fake, decorated = ObjectStore(InMemoryBackend()), record_rows(container)
    with container.store.override(fake):
        decorated()
        assert container.health() is not None
    assert len(fake.list()) == 1
    assert container.store().list() == []


def interceptor(container: Any) -> None:
    from mcp.server import MCPServer

    from coatcheck.server import attach

    server: MCPServer[Any] = MCPServer("x")
    attach(server, container)
    middleware = server.middleware[-1]
    before = middleware._interceptor()
    with container.interceptor.override(providers.Factory(Interceptor, container.explorer.provider, inline_limit=7)):
        assert middleware._interceptor().limits.of("rows") == 7
    assert middleware._interceptor().limits == before.limits


def explorer(container: Any) -> None:
    decorated = record_rows(container)
    with container.explorer.override(providers.Factory(Explorer, container.store.provider, preview_limit=600)):
        assert len(decorated()) <= 600
    assert len(decorated()) > 600


def sandbox(container: Any) -> None:
    other = Sandbox(workers=1)
    object_id = container.store().put([1])
    with container.sandbox.override(other):
        assert container.explorer().query(object_id, ".[0]") == "1"
        assert other.pids()
    other.close()
    container.sandbox().close()


def codec(container: Any) -> None:
    before = container.store().put(1)
    with overridden(container, codec=Plain()):
        assert b"codec" in container.backend().get(container.store().put(2))
        assert container.store().get(before) == 1
    assert b"codec" not in container.backend().get(container.store().put(3))


def observation(container: Any) -> None:
    own = Observation()
    with container.observation.override(own):
        assert container.store().observation is not own
    assert Container(settings=Settings(), observation=own).store().observation is own


def tools(container: Any) -> None:
    container.tools.add_args(providers.Object({}))
    assert container.registry()


ROWS: dict[str, Callable[[Any], None]] = {
    "the backend": backend,
    "limits, lifetimes, the selected backend": settings,
    "the caller": tenancy,
    "the stored bytes": codec,
    "the store": store,
    "the interceptor of calls and results": interceptor,
    "the explorer": explorer,
    "the sandbox": sandbox,
    "metrics, health, observation": observation,
    "tools": tools,
}


def test_every_row_is_tested():
    table = PAGE[PAGE.index("| to replace |") :].split("\n\n")[0]
    assert [row.split("|")[1].strip() for row in table.splitlines()[2:]] == list(ROWS)
    says = {row.split("|")[1].strip(): row.split("|")[4].strip() for row in table.splitlines()[2:]}
    assert [name for name, says in says.items() if says != "yes"] == ["metrics, health, observation", "tools"]


@pytest.mark.parametrize("row", ROWS)
def test_an_override_does_what_the_table_says(row, container):
    ROWS[row](container)


def test_every_provider_in_the_table_of_parts_can_be_overridden_and_restored(container):
    for name, provider in container.providers.items():
        before, stood = provider.overridden, provider.last_overriding
        marker = object()
        with provider.override(providers.Object(marker)):
            if name != "settings":  # which accepts settings alone
                assert provider() is marker
        assert (provider.overridden, provider.last_overriding) == (before, stood)


def test_the_page_names_every_provider():
    rows = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")))
    )
    assert set(Container.providers) <= rows
