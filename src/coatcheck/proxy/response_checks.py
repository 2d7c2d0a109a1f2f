"""Checks responses from servers, and repairs or replaces malformed ones."""

from typing import Any

from coatcheck.codec import json_type, load_exactly
from coatcheck.errors import excerpt, quoted
from coatcheck.proxy.jsonrpc import Id, Message, error_response, id_of, to_line
from coatcheck.proxy.partial_parsing import contradicting_ids

LONGEST_QUOTATION = 200
"""Characters of a malformed response that an error quotes."""


def fault_of(response: Message) -> str:
    """Describe what is wrong with a response; ``""`` if nothing is, or for what `well_formed_response` repairs."""
    version, error, result = response.get("jsonrpc"), response.get("error"), response.get("result")
    if version != "2.0":
        return f'its "jsonrpc" is {_shown(version)}, not "2.0"' if "jsonrpc" in response else 'it has no "jsonrpc"'
    if error is not None and result is not None:
        return "it has both a result and an error"
    if error is not None:
        return _fault_of_error(error)
    if "result" not in response:
        return "it has neither a result nor an error"
    return "" if isinstance(result, dict) else f"its result is {_shown(result)}, not an object"


def _fault_of_error(error: Any) -> str:
    if not isinstance(error, dict):
        return f"its error is {_shown(error)}, not an object"
    code, text = error.get("code"), error.get("message")
    if not isinstance(text, str):
        return f"its error has no message, but the code {_shown(code)}"
    return "" if _integer(code) is not None else f"its error has no integer as code, but the message {_shown(text)}"


def well_formed_response(message: Message, line: bytes, request_id: Any) -> tuple[Message, bytes]:
    """Return a response and its line in a form that any client accepts as the response to its request.

    Most stay unchanged. Contradicting members without content (an ``error`` that is null, a ``method``) are removed,
    and an id in another notation (``3.0`` for ``3``) is replaced by the request's. Any other malformed response becomes
    an error that describes the fault.

    ``request_id`` is in the client's notation.
    """
    fault = fault_of(message)
    if fault:
        answer = error_response(request_id, f"The server's response is malformed: {fault}.")
        return answer, to_line(answer)
    error = message.get("error")
    code = None if error is None else error["code"]
    is_exact = type(message.get("id")) is type(request_id) and type(code) in {int, type(None)}
    if is_exact and "method" not in message and ("result" in message) is not ("error" in message):
        return message, line
    outcome = {"result": message["result"]} if error is None else {"error": {**error, "code": _integer(code)}}
    answer = {"jsonrpc": "2.0", "id": request_id, **outcome}
    return answer, to_line(answer)


def as_answer_to(request: Id, message: Any, line: bytes) -> tuple[Any, bytes]:
    """Return a response and its line without ambiguous members; other messages stay unchanged.

    A server may send a response with a second id, or with a method besides its result; parsers use the last.
    """
    if message is None:
        answer = error_response(request[1], unreadable(line))
        return answer, to_line(answer)
    outcome = {key: message[key] for key in ("result", "error") if key in message} if isinstance(message, dict) else {}
    if not outcome or (id_of(message) == request and "method" not in message):
        return message, line
    answer = {"jsonrpc": "2.0", "id": request[1], **outcome}
    return answer, to_line(answer)


def with_one_id(line: bytes) -> list[bytes]:
    """Return the line of a message, or, for a response with two ids, an error for each of them."""
    fault = "The server's response is malformed: it has two ids."
    return [to_line(error_response(each, fault)) for _, each in contradicting_ids(line)] or [line]


def unreadable(line: bytes) -> str:
    """Explain why a response cannot be read."""
    try:
        load_exactly(line)
    except ValueError as error:
        why = excerpt(str(error), LONGEST_QUOTATION).rstrip(".")
        return f"The server's response is not JSON, or nested too deeply: {why}."
    except RecursionError:
        pass
    return "The server's response is nested too deeply."


def _integer(value: Any) -> int | None:
    """Return an integer in any notation; ``None`` for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _shown(value: Any) -> str:
    """Describe an unexpected value of a response: a quoted string, or the type of anything else."""
    if isinstance(value, str):
        return quoted(value, LONGEST_QUOTATION)
    return "null" if value is None else f"of the type {json_type(value)}"
