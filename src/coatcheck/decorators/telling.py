"""Expected failures in a form that reaches the model."""

from collections.abc import Iterator
from contextlib import contextmanager

from coatcheck.errors import CoatcheckError, as_tool_error


@contextmanager
def told_to_the_model() -> Iterator[None]:
    """Let expected failures leave as errors whose text the MCP SDK shows to the model."""
    try:
        yield
    except CoatcheckError as error:
        told = as_tool_error(error)
        if told is error:
            raise
        raise told from error
