"""validate finds mistakes without creating anything; each has a name and a section in docs/errors.md."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import containers, providers

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import SettingsError, WiringError
from coatcheck.explorer import Explorer
from coatcheck.lifecycle import WiringWarning, overridden, running, validate
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
from coatcheck.store.tenancy import Tenancy
from coatcheck.tool_factory import ToolConfig

ROOT = Path(__file__).parents[2]
SECTIONS = set(re.findall(r"^## ([a-z-]+)$", (ROOT / "docs" / "errors.md").read_text(), flags=re.MULTILINE))

Change = Callable[[Any], object]
MISTAKES: list[tuple[str, str, Change]] = []


def mistaken_part(name: str, says: str) -> Callable[[Change], Change]:
    def keep(change: Change) -> Change:
        MISTAKES.append((name, says, change))
        return change

    return keep


def new_container(**parts: Any) -> Container:
    return Container(settings=Settings(), **parts)


class ToolsetWithStore(InMemoryBackend):
    def __init__(self, store: Any) -> None:
        super().__init__()


def report(title: str) -> str:
    return title


@mistaken_part("unknown-argument", r"store: ObjectStore\(\) does not accept .*'tll'.*Its parameters are: backend, ttl")
def _(c):
    c.store.override(providers.ThreadSafeSingleton(ObjectStore, c.backend, tll=5))


@mistaken_part("missing-argument", r"store: ObjectStore\(\) is not given backend")
def _(c):
    c.store.override(providers.ThreadSafeSingleton(ObjectStore))


@mistaken_part("missing-argument", r"explorer: Explorer\(\) is not given store")
def _(c):
    c.explorer.override(providers.Factory(Explorer))


@mistaken_part("cycle", r"backend: a cycle: backend → store → backend")
def _(c):
    c.backend.override(providers.ThreadSafeSingleton(ToolsetWithStore, c.store))


@mistaken_part("captive-dependency", r"sandbox: it is shared but holds Factory\(dict\)")
def _(c):
    c.sandbox.override(providers.ThreadSafeSingleton(lambda part: part, providers.Factory(dict)))


@mistaken_part("captive-dependency", r"sandbox: it is shared but holds Callable\(InMemoryBackend\)")
def _(c):
    c.sandbox.override(providers.ThreadSafeSingleton(lambda part: part, providers.Callable(InMemoryBackend)))


@mistaken_part("captive-dependency", r"sandbox: it is shared but holds Factory\(dict\)")
def _(c):
    through = providers.Callable(lambda part: part, providers.Factory(dict))
    c.sandbox.override(providers.ThreadSafeSingleton(lambda part: part, through))


@mistaken_part("wrong-type", r"store: InMemoryBackend was passed where ObjectStore is expected: it lacks afetch")
def _(c):
    c.store.override(InMemoryBackend())


@mistaken_part("wrong-type", r"store: InMemoryBackend was passed where ObjectStore is expected")
def _(c):
    c.store.override(providers.ThreadSafeSingleton(InMemoryBackend))


@mistaken_part("wrong-type", r"settings: dict was passed where Settings is expected")
def _(c):
    c.settings.override({"object_store_ttl": 3})


@mistaken_part(
    "class-not-instance", r"backend: the class InMemoryBackend was passed: pass an instance, InMemoryBackend\(…\)"
)
def _(c):
    c.backend.override(InMemoryBackend)


@mistaken_part("shared-factory", r"explorer: Object gives one object to all")
def _(c):
    c.explorer.override(Explorer(c.store()))


@mistaken_part("not-thread-safe", r"store: Singleton\(ObjectStore\) may create several objects")
def _(c):
    c.store.override(providers.Singleton(ObjectStore, c.backend))


@mistaken_part("not-shared", r"backend: Factory\(InMemoryBackend\) creates a new object at each call")
def _(c):
    c.backend.override(providers.Factory(InMemoryBackend))


@mistaken_part("not-shared", r"store: ThreadLocalSingleton\(ObjectStore\) creates a new object")
def _(c):
    c.store.override(providers.ThreadLocalSingleton(ObjectStore, c.backend))


@mistaken_part("wrong-type", r"namespace: str was passed where a function that gives the namespace is expected")
def _(c):
    c.namespace.override("eu")


@mistaken_part("asynchronous-provider", r"backend: Coroutine\(.*make\) gives a coroutine")
def _(c):
    async def make() -> InMemoryBackend:
        return InMemoryBackend()

    c.backend.override(providers.Coroutine(make))


@mistaken_part("asynchronous-provider", r"backend: ThreadSafeSingleton\(.*make\) gives a coroutine")
def _(c):
    async def make() -> InMemoryBackend:
        return InMemoryBackend()

    c.backend.override(providers.ThreadSafeSingleton(make))


@mistaken_part("asynchronous-backend", r"backend: set of the backend are coroutines.*aset")
def _(c):
    class Coroutines(InMemoryBackend):
        async def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None: ...  # type: ignore[override]

    c.backend.override(Coroutines())


@mistaken_part("unknown-branch", r"backend: the settings ask for 'memory', and the Selector has: redis")
def _(c):
    redis = providers.ThreadSafeSingleton(InMemoryBackend)
    c.backend.override(providers.Selector(c.settings.provided.object_store_backend, redis=redis))


@mistaken_part("unknown-attribute", r"there is no attribute 'object_store_tll'. Did you mean object_store_ttl\?")
def _(c):
    ttl = c.settings.provided.object_store_tll
    c.store.override(providers.ThreadSafeSingleton(ObjectStore, c.backend, ttl=ttl))


@mistaken_part("malformed-registry", r"tools\['report'\]: a registry maps names to pairs.*here is: function")
def _(c):
    c.tools.add_args(providers.Object({"report": report}))


@mistaken_part("malformed-registry", r"tools: a registry maps names to pairs.*here is: list")
def _(c):
    c.tools.add_args(providers.Object(["report"]))


@mistaken_part("duplicate-tool", r"tools: two registries have tools of the same name: object_store_get")
def _(c):
    c.tools.add_args(providers.Object({"object_store_get": (report, ToolConfig())}))


@mistaken_part(
    "unknown-tool-parameter", r"tools\['report'\]: .*'titel', which is not a parameter of report.*Did you mean 'title'"
)
def _(c):
    c.tools.add_args(providers.Object({"report": (report, ToolConfig(custom_args={"titel": "x"}))}))


@mistaken_part("missing-input", "settings is missing: pass it when the container is created")
def _(c):
    c.settings.reset_override()
    c.settings.set_default(None)


@pytest.mark.parametrize(
    ("name", "says", "change"), MISTAKES, ids=[f"{name}-{n}" for n, (name, *_) in enumerate(MISTAKES)]
)
def test_a_mistake_is_found_and_named(name, says, change):
    container = new_container()
    change(container)
    with pytest.raises(WiringError) as caught:
        validate(container)
    lines = [line for line in str(caught.value).splitlines() if line.endswith(f"[{name}]")]
    assert any(re.search(says, line) for line in lines), str(caught.value)


@pytest.mark.parametrize(
    ("name", "says", "change"), MISTAKES, ids=[f"{name}-{n}" for n, (name, *_) in enumerate(MISTAKES)]
)
def test_a_mistake_in_a_host_is_found_with_its_path(name, says, change):
    class Host(containers.DeclarativeContainer):
        coat = providers.Container(Container, settings=Settings())

    host: Any = Host()
    change(host.coat)
    with pytest.raises(WiringError, match=r"- (a cycle|.*coat\.)") as caught:
        validate(host)
    assert f"[{name}]" in str(caught.value)


def test_every_fault_has_a_section_and_every_section_a_test():
    sources = "".join(path.read_text() for path in (ROOT / "src" / "coatcheck" / "wiring").glob("*.py"))
    names = set(re.findall(r'Fault\(\s*"([a-z-]+)"', sources))
    assert names == SECTIONS
    assert names == {name for name, *_ in MISTAKES} | {"late-override"}


def test_only_the_settings_are_reported_if_they_are_of_another_type():
    with pytest.raises(WiringError) as caught:
        validate(Container(settings={"object_store_ttl": 3}))
    assert len(str(caught.value).splitlines()) == 2


def test_harmless_overrides_are_valid():
    class ToolsetWithProvider(InMemoryBackend):
        def __init__(self, store: Callable[[], ObjectStore]) -> None:
            super().__init__()

    container = new_container()
    container.backend.override(providers.ThreadSafeSingleton(ToolsetWithProvider, container.store.provider))
    validate(container)
    container = new_container()
    container.store.override(ObjectStore(container.backend))
    validate(container)
    assert container.store().get(container.store().put("x")) == "x"


def test_anything_but_a_container_is_refused():
    with pytest.raises(TypeError, match="takes a container, not ObjectStore"):
        validate(new_container().store())


def test_a_host_with_all_kinds_of_providers_is_valid():
    class Service:
        def __init__(self, url: str, numbers: list[int], store: ObjectStore) -> None:
            self.store = store

    class Host(containers.DeclarativeContainer):
        config = providers.Configuration()
        numbers = providers.List(config.first.as_int(), config.second.as_int())
        coatcheck = providers.Container(
            Container, settings=providers.ThreadSafeSingleton(Settings.model_validate, config.coatcheck)
        )
        service = providers.Singleton(Service, config.urls.provided["service"], numbers, store=coatcheck.store)
        view = providers.Factory(dict, service=service)
        opened = providers.Resource(lambda: iter([1]))
        with_arguments_left_open = providers.Factory(Service, store=coatcheck.store)

    host: Any = Host(config={"coatcheck": {"object_store_ttl": 60}, "first": "1", "second": "2", "urls": {}})
    validate(host)
    validate(host.coatcheck())
    host.coatcheck.store.override(providers.ThreadSafeSingleton(ObjectStore, tll=5))
    with pytest.raises(WiringError, match=r"coatcheck\.store: ObjectStore\(\) does not accept"):
        validate(host)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"object_store_ttl": "soon"}, "object_store_ttl: a number is expected"),
        ({"object_store_tll": 5}, "object_store_tll: there is no such setting; did you mean object_store_ttl?"),
        ({"backend": "redis"}, "backend: there is no such setting; did you mean object_store_backend?"),
        ({"zzz": 5}, "zzz: there is no such setting; there are: object_store_backend, "),
        (None, "a mapping of settings is expected, and the section is missing"),
        ([1], "a mapping of settings is expected, and it is a list"),
    ],
)
def test_invalid_settings_of_a_host_are_reported_with_section_and_field(section, says):
    class Host(containers.DeclarativeContainer):
        config = providers.Configuration()
        coatcheck = providers.Container(
            Container, settings=providers.ThreadSafeSingleton(Settings.model_validate, config.mcp.store)
        )

    host: Any = Host(config={"mcp": {"store": section}})
    validate(host)  # creates nothing
    for make in (host.coatcheck().settings, host.coatcheck().store, host.coatcheck().server):
        with pytest.raises(SettingsError, match=rf"^Settings in config\.mcp\.store: .*{says}"):
            make()


@pytest.mark.anyio
async def test_an_override_that_is_too_late_is_a_warning():
    container = new_container()
    async with running(container):
        with container.settings.override(Settings(object_store_ttl=5)), pytest.warns(WiringWarning) as caught:
            validate(container)
        assert "settings: it was overridden after" in str(caught[0].message)
        assert "[late-override]" in str(caught[0].message)
        with container.codec.override(None), pytest.warns(WiringWarning, match="codec: it was overridden"):
            validate(container)
        with container.tenancy.override(Tenancy()), pytest.warns(WiringWarning, match="tenancy: it was overridden"):
            validate(container)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            validate(container)
            with overridden(container, settings=Settings(object_store_ttl=5)):
                validate(container)
            with container.backend.override(InMemoryBackend()):
                validate(container)
    with container.settings.override(Settings(object_store_ttl=5)):
        validate(container)
        assert container.store().ttl == 5
