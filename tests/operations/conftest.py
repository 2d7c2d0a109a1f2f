from collections.abc import Callable
from typing import Any

import pytest

from coatcheck.codec import Metadata, decode, encode
from coatcheck.explorer.operations import OPERATIONS, Answer, Document

Run = Callable[..., Answer]


@pytest.fixture
def do() -> Run:
    """Runs an operation on a value, like a worker."""

    def run(operation: str, value: Any, **args: Any) -> Answer:
        encoded = encode(value)
        document = Document(encoded.metadata, encoded.payload, in_sandbox=True)
        return OPERATIONS[operation](document, {"reference": "@obj_1", "path": "", "limit": 4000} | args)

    return run


@pytest.fixture
def new_value() -> Callable[[Answer], Any]:
    """Returns the value of an answer's payload."""

    def decoded(answer: Answer) -> Any:
        assert answer.metadata is not None
        assert answer.payload is not None
        return decode(Metadata.from_dict(answer.metadata), answer.payload)

    return decoded
