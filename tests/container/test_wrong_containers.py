"""Something else in place of a container is an error that says what to pass."""

from traceback import format_exception

import pytest
from dependency_injector import containers, providers
from fastmcp import FastMCP
from mcp.server import MCPServer, Server

from coatcheck import (
    Container,
    Explorer,
    InMemoryBackend,
    ObjectStore,
    ReferenceSyntaxError,
    Settings,
    WiringError,
    attach,
    configure_mcp_server,
    explorable,
    overridden,
    referenceable,
    running,
)
from coatcheck.server import CoatcheckMiddleware


class Host(containers.DeclarativeContainer):
    coatcheck = providers.Container(Container, settings=providers.Object(Settings()))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "not NoneType."),
        ("memory", "not str."),
        (Settings(), "not Settings."),
        (ObjectStore(InMemoryBackend()), "not ObjectStore."),
        (Container, r"not the class Container: create it, Container\("),
        (Host, r"not the class Host: create it, Host\("),
        (Host(), r"not one that has it in it: pass that part, such as host\.coatcheck\(\)"),
        (Host().coatcheck, r"not a provider of one: call it, such as host\.coatcheck\(\)"),
    ],
)
@pytest.mark.anyio
async def test_something_else_in_place_of_a_container_is_an_error(given, says):
    expected = rf"^{{}}\(\) takes a container, coatcheck\.Container\(…\), {says}"
    for server in (MCPServer("one"), Server("two"), FastMCP("three")):
        with pytest.raises(TypeError, match=expected.format("attach")):
            attach(server, given)
    with pytest.raises(TypeError, match=expected.format("CoatcheckMiddleware")):
        CoatcheckMiddleware(given)
    with pytest.raises(TypeError, match=expected.format("overridden")):
        overridden(given, backend=InMemoryBackend())
    with pytest.raises(TypeError, match=expected.format("running")):
        async with running(given):
            pass
    if given is not None:  # configure_mcp_server then creates a container
        with pytest.raises(TypeError, match=expected.format("configure_mcp_server")):
            configure_mcp_server(MCPServer("four"), container=given)


@pytest.mark.parametrize("given", [None, {"object_store_ttl": 5}, Settings])
def test_something_else_in_place_of_settings_is_an_error(given):
    container = Container(settings=Settings())
    for block in (overridden(container, settings=given), container.settings.override(given)):
        with block, pytest.raises(WiringError, match="an instance of Settings is expected"):
            container.store()


def test_an_embedded_container_and_one_of_a_subclass_are_accepted():
    class Mine(Container):
        pass

    assert attach(MCPServer("one"), Host().coatcheck())
    assert attach(MCPServer("two"), Mine(settings=Settings()))


@pytest.mark.parametrize("given", [{"redis_url": "redis://:s3cret@host"}, "s3cret", None, Settings])
def test_something_else_in_place_of_settings_is_an_error_that_does_not_quote_it(given):
    with pytest.raises(WiringError, match=r"^settings: an instance of Settings is expected, Settings\(…\)") as caught:
        Container(settings=given).store()
    assert "s3cret" not in "".join(format_exception(caught.value))


@pytest.mark.parametrize(
    ("given", "hint"), [({"setings": Settings()}, "did you mean settings?"), ({"queue": 1}, "there are: settings, ")]
)
def test_a_part_that_does_not_exist_is_an_error_in_the_constructor_and_in_a_host_s_container(given, hint):
    for create in (Container, lambda **parts: providers.Container(Container, **parts)):
        with pytest.raises(WiringError, match=f": Container has no part of this name; {hint}"):
            create(**given)


@pytest.mark.parametrize("backend", [InMemoryBackend(), providers.Object(InMemoryBackend())])
def test_assigning_a_part_is_an_error_that_names_the_override(backend):
    container = Container(settings=Settings())
    with pytest.raises(WiringError, match=r"use Container\(backend=…\) or container\.backend\.override\("):
        container.backend = backend
    container.mine = providers.Object(1)  # one of the host's own
    assert container.mine() == 1


def test_a_subclass_that_declares_a_part_again_is_an_error():
    with pytest.raises(WiringError, match=r"^Mine declares backend again, .* use Container\(backend=…\)"):

        class Mine(Container):
            backend = providers.Object(InMemoryBackend())


def test_a_container_can_be_copied():
    container = Container(settings=Settings())
    copy = providers.deepcopy(container)
    copy.store().put(1)
    assert container.store().list() == []


@pytest.mark.parametrize("given", [Container(settings=Settings()), InMemoryBackend(), ObjectStore, 3])
def test_something_else_in_place_of_a_store_is_an_error_that_names_the_store(given):
    for create in (lambda: explorable(object_store=given), lambda: Explorer(given)):
        with pytest.raises(TypeError, match=r"pass container\.store"):
            create()
    with pytest.raises(TypeError, match="not the class Explorer; pass"):
        explorable(object_store=ObjectStore(InMemoryBackend()), explorer=Explorer)


def test_a_parameter_that_the_function_does_not_have_is_an_error_in_literal():
    store = ObjectStore(InMemoryBackend())
    with pytest.raises(TypeError, match=r"^len\(\) has no parameter 'nope', which literal names\.$"):
        referenceable(object_store=store, literal=frozenset({"nope"}))(len)
    with pytest.raises(TypeError, match="not a text"):
        referenceable(object_store=store, literal="obj")


def test_a_namespace_that_is_no_text_is_an_error():
    container = Container(settings=Settings(), namespace=providers.Object(lambda: None))
    with pytest.raises(WiringError, match="returned NoneType; it must return a text"):
        container.store().put(1)


@pytest.mark.parametrize("given", ["5f3a", "obj_a b", "", None, 7])
def test_an_id_that_cannot_be_referenced_is_an_error(given):
    with pytest.raises(WiringError, match=rf"^generate_id returned {given!r}; an id is obj_"):
        ObjectStore(InMemoryBackend(), generate_id=lambda: given).put(1)


def test_a_reference_in_place_of_an_id_is_an_error():
    store = ObjectStore(InMemoryBackend())
    reference = f"@{store.put([1])}"
    for method in (store.get, store.fetch, store.read, store.peek, store.metadata, store.delete):
        with pytest.raises(ReferenceSyntaxError, match=r"^@obj_001(\[0\])? is a reference, and the store takes ids"):
            method(reference)
        with pytest.raises(ReferenceSyntaxError):
            method(f"{reference}[0]")
    assert store.get(reference.removeprefix("@")) == [1]
