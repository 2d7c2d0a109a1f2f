from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coatcheck.codec import Metadata, encode
from coatcheck.explorer.operations import Answer
from coatcheck.explorer.sandbox import Sandbox

Load = Callable[[], tuple[Metadata, bytes]]
Run = Callable[..., Answer]


@pytest.fixture
def stored() -> Callable[[Any], Load]:
    """Returns a loader of a value that counts its calls."""

    def make(value: Any) -> Load:
        encoded = encode(value)

        def load() -> tuple[Metadata, bytes]:
            load.calls += 1  # type: ignore[attr-defined]
            return encoded.metadata, encoded.payload

        load.calls = 0  # type: ignore[attr-defined]
        return load

    return make


@pytest.fixture(autouse=True, scope="module")
def separate_processes(own_workers: None) -> None:
    """The workers of all tests of this folder."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def ask(sandbox: Sandbox, stored: Callable[[Any], Load]) -> Run:
    """Runs an operation on a value in the sandbox."""

    def run(operation: str, value: Any, *, namespace: str = "mallory", **args: Any) -> Answer:
        full = {"reference": "@obj_1", "path": "", "limit": 1000} | args
        return sandbox.run(operation, full, key=repr(value)[:200], namespace=namespace, load=stored(value))

    return run
