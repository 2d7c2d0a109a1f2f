"""``coatcheck doctor``: checks the installation and shows the container."""

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

from coatcheck import __version__
from coatcheck.backends import InMemoryBackend
from coatcheck.cli.common_options import SettingsFlags, make_container, store_location
from coatcheck.cli.logs import warnings_as_messages
from coatcheck.cli.printing import print_line
from coatcheck.containers import Container
from coatcheck.errors import CoatcheckError
from coatcheck.store.object_store import ObjectStore
from coatcheck.wiring.graph import mermaid as draw_mermaid
from coatcheck.wiring.graph import text as draw_text
from coatcheck.wiring.ownership import forget
from coatcheck.wiring.traversal import named_providers
from coatcheck.wiring.validation import validate


def run_doctor(flags: SettingsFlags, *, mermaid: bool) -> int:
    """Print the results of all checks; return 1 if one failed."""
    if mermaid:
        print_line(draw_mermaid(Container() if flags.container is None else make_container(flags)))
        return 0
    with warnings_as_messages():
        return asyncio.run(_examine(flags))


_SAMPLE = "a value that is deleted at once"


async def _examine(flags: SettingsFlags) -> int:
    packages = ", ".join(f"{name} {version(name)}" for name in ("mcp", "dependency-injector", "pydantic", "orjson"))
    print_line(f"coatcheck {__version__}, Python {platform.python_version()}, {packages}\n")
    report = Report()
    container: Container | None = None
    with report.line("settings") as line:
        container = make_container(flags)
        settings = container.settings()
        idle = settings.object_store_max_idle
        unused = f", unused ones for {idle:g} s" if idle else ""
        line(f"backend {settings.object_store_backend}, objects kept for {settings.object_store_ttl:g} s{unused}")
    if container is None:
        return 2
    with report.line("wiring") as line:
        validate(container)
        line(f"{len(named_providers(container))} providers")
    stack = container.exit_stack()
    try:
        with report.line("backend") as line:
            backend = container.backend()
            line(type(getattr(backend, "backend", backend)).__name__)
        with report.line("store") as line:
            line(f"{store_location(settings)} answers in {await _milliseconds(container.store().aping):.1f} ms")
            await _store_and_delete(container.store())
        # An unavailable store does not affect the sandbox.
        with report.line("sandbox") as line, container.store.override(ObjectStore(InMemoryBackend())):
            line(f"a worker started and answered in {await _milliseconds(lambda: _query(container)):.0f} ms")
    finally:
        await stack.aclose()
        forget(container)
    print_line(
        f"\nProviders: name, kind ← what it is made from (what it looks up at each call)\n\n{draw_text(container)}"
    )
    return 1 if report.failed else 0


async def _store_and_delete(store: ObjectStore) -> None:
    """Use the store as a server does: a server that answers may lack a right, memory, or space on the disk."""
    object_id = await store.aput(_SAMPLE, tool="coatcheck doctor")
    try:
        if await store.aget(object_id) != _SAMPLE:
            raise CoatcheckError("A value that was just stored cannot be read: it was evicted, or has expired.")
    finally:
        await store.adelete(object_id)


async def _query(container: Container) -> None:
    store, explorer = container.store(), container.explorer()
    object_id = await store.aput({"answer": 42})
    answer = await explorer.aquery(object_id, ".answer")
    if answer.strip() != "42":
        raise CoatcheckError(f"The sandbox answered {answer[:80]!r} where 42 was due.")


async def _milliseconds(work: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await work()
    return (time.perf_counter() - start) * 1000


class Report:
    """Prints one line for each check."""

    def __init__(self) -> None:
        self.failed = False

    @contextmanager
    def line(self, name: str) -> Iterator[Callable[[str], None]]:
        """Print ``ok`` with the text, or ``failed`` with the error."""
        details: list[str] = []
        try:
            yield details.append
        except CoatcheckError as error:
            self.failed = True
            print_line(f"{name:<10}failed  {error}")
        else:
            print_line(f"{name:<10}ok  {' '.join(details)}")
