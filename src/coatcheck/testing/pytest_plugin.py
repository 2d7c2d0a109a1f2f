"""A pytest plugin for testing servers that use coatcheck; loaded by pytest if coatcheck is installed.

Fixtures:

- ``coatcheck_container``: a fresh container with the settings of ``coatcheck_settings``, closed after the test;
- ``coatcheck_settings``: its settings; override the fixture to change them;
- ``coatcheck_overridden``: replaces the backend, settings or tenancy of any container for the rest of the test;
- ``coatcheck_client``: opens a client that talks to a server in memory.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from coatcheck.containers import Container
    from coatcheck.settings import Settings

# Other imports are in the fixtures, because pytest loads this file for every project in the same environment.


@pytest.fixture
def coatcheck_settings() -> "Settings":
    """Settings from the environment and the defaults; override this fixture to change them."""
    from coatcheck.settings import Settings

    return Settings()


@pytest.fixture
def coatcheck_container(coatcheck_settings: "Settings") -> "Iterator[Container]":
    """A fresh container, which is closed after the test."""
    from coatcheck.containers import Container
    from coatcheck.wiring.ownership import forget
    from coatcheck.wiring.validation import validate

    container: Any = Container(settings=coatcheck_settings)
    validate(container)
    yield container
    stack = container.exit_stack()
    forget(container)
    asyncio.run(stack.aclose())


@pytest.fixture
def coatcheck_overridden() -> "Iterator[Callable[..., Container]]":
    """A function with the parameters of `coatcheck.lifecycle.overridden`; the override ends with the test."""
    from coatcheck.wiring.overriding import overridden

    with ExitStack() as stack:
        yield lambda container, **parts: stack.enter_context(overridden(container, **parts))


@pytest.fixture
def coatcheck_client() -> Callable[..., Any]:
    """A function that takes a server and opens a client in memory, for ``async with``.

    It is the SDK's ``Client``, or FastMCP's for a FastMCP server; further arguments go to it.
    """

    def open_client(server: Any, **options: Any) -> Any:
        fastmcp = sys.modules.get("fastmcp")
        if fastmcp is not None and isinstance(server, fastmcp.FastMCP):
            return fastmcp.Client(server, **options)
        from mcp import Client

        return Client(server, **options)

    return open_client
