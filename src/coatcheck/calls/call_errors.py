"""JSON-RPC errors in response to calls, which are kept and shortened like the results of tools that failed."""

from typing import Any

from coatcheck.calls.result_plan import all_text
from coatcheck.codec.tool_results import Result, structured_of, text_block, wire_result

_OF_CLIENTS = frozenset({-32042, -32022, -32021})
"""Codes whose ``data`` clients read, and no model: the pages to open, and the revisions or capabilities to use."""


def as_result(error: dict[str, Any]) -> Result:
    """Return what a model may read of an error, as the result of a tool that failed."""
    data = None if error.get("code") in _OF_CLIENTS else error.get("data")
    return wire_result([text_block(error["message"])], data, None, is_error=True)


def with_words_of(error: dict[str, Any], result: Result) -> dict[str, Any]:
    """Return an error with the texts and the data of the result that replaces it."""
    data = structured_of(result)
    return {**error, "message": all_text(result)} | ({} if data is None else {"data": data})
