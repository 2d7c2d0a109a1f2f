"""``query``: a jq filter over an object. Runs only in a worker process: a filter may run or allocate without end."""

import functools
import re
import time
from typing import Any

import jq

from coatcheck.codec import (
    BEYOND_64_BITS,
    dump_json,
    encode,
    has_digits,
    load_exactly,
    load_json,
    open_json_text,
    replace_escaped_surrogates,
)
from coatcheck.codec.encoding import describe_payload
from coatcheck.codec.exact_json import digits_of
from coatcheck.errors import CoatcheckError, FilterError, SandboxOutputExceeded, excerpt, quoted
from coatcheck.explorer.operations.document import Answer, Document, locate, place
from coatcheck.explorer.operations.filter_hints import (
    anchors_note,
    compile_hint,
    failure_hint,
    input_of,
    is_empty_result,
    items_hint,
    key_names,
    misplaced_key,
    missed_key,
    missing_keys,
    text_format_note,
    text_notes,
    without_own_reference,
)
from coatcheck.explorer.operations.filter_repairs import assigns, repair
from coatcheck.explorer.operations.filter_repairs_by_value import (
    for_lines,
    for_lists,
    list_hint,
    repaired_for,
    variants,
)
from coatcheck.explorer.operations.jq_analysis import (
    BEYOND_53_BITS,
    ROUNDED_NAMED,
    begins_with_path,
    has_long_integer,
    integers,
    may_round,
    narrow,
    refuse_external_access,
    rounded_integers,
    uses_arithmetic,
)
from coatcheck.explorer.previews.suggestions import example_filter
from coatcheck.explorer.previews.wording import mark_lines
from coatcheck.references import parse_path

SECONDS_PER_BYTE = 25e-9
SECONDS_PER_MEMBER = 0.25e-6
SECONDS_PER_CONTAINER = 0.9e-6
"""What jq 1.8 took on the machine these were measured on, for texts of 24 MB: one string 0.67 s, 300 000 objects with
four members each 1.3 s, 3.5 million integers 1.8 s, 8 million empty objects 7.2 s."""

SMALL_TEXT = 0.63
"""Factor for a text that fits into the processor's cache, relative to the times of large ones."""

MARGIN = 1.4
"""A text is refused only if the estimate exceeds the available time by this factor."""

_SAMPLE = "[" + ",".join('{"id": 12345, "name": "user", "active": true}' for _ in range(400)) + "]"
_ROUNDS = 3


def seconds_to_read(source: str) -> float:
    """Estimate the seconds for reading a text; it costs some 2 ms for each megabyte."""
    containers = source.count("{") + source.count("[")
    members = source.count(",")
    return len(source) * SECONDS_PER_BYTE + members * SECONDS_PER_MEMBER + containers * SECONDS_PER_CONTAINER


DEFAULT_MAX_BYTES = 128 * 1024 * 1024
MESSAGE_CHARACTERS = 300

READ_AT_ONCE = 1024 * 1024
"""Bytes up to which jq reads an object so quickly that following a path in advance saves nothing."""

TRIED, MOST_TRIED = 500_000, 10_000_000
"""Characters of a value on which other filters are tried, and bytes of what they may give."""
_MAY_HAVE_BEEN_ROUNDED = re.compile(r"[0-9][eE][+-]?[0-9]")


def query(document: Document, args: dict[str, Any]) -> Answer:
    """Apply a jq filter to a part; texts that are documents are parsed first.

    Args:
        document: The object.
        args: ``filter``, ``prelude`` (binds its variables and selects its input), ``max_bytes`` (maximum bytes of the
            result), and the common ones.

    Returns:
        The result as payload, and as text if it fits (fact ``fits``). Several outputs become a list.

    Raises:
        FilterError: The filter does not compile, uses something unavailable, or fails on the value.
        SandboxOutputExceeded: The result is larger than ``max_bytes``.
    """
    program = args["filter"]
    refuse_external_access(program)
    started = time.monotonic()
    try:
        compiled = _compile(program, args.get("prelude", ""))
    except _NotJq as error:
        raise _told(error, document, args) from None
    narrowed = _narrowed(document, program) if can_narrow(document, args) else None
    if narrowed is None:
        source = _source(document, args.get("path") or "")
    else:
        compiled, source = narrowed
    if "seconds" in args:
        _refuse_what_takes_too_long(source, args, started)
    notes: list[str] = []
    try:
        outputs = _outputs(compiled, source, args.get("max_bytes") or DEFAULT_MAX_BYTES)
    except _BadSource:
        notes.append("Broken characters (lone surrogates) were replaced by \ufffd for the filter.")
        outputs = _outputs(compiled, replace_escaped_surrogates(source), DEFAULT_MAX_BYTES)
    except _FailedOnValue as error:
        hint = without_own_reference(args) or _items_hint(document, args, error.jq_message)
        hint = hint or list_hint(program, error.jq_message, _compiles)
        is_text = isinstance(input_of(document, args), str) and error.jq_message.startswith("Cannot")
        hint = hint or ("" if is_text else failure_hint(error.jq_message))
        if "cannot be" not in error.jq_message:  # values of other types; elsewhere another form may have been expected
            hint += text_format_note(document, args, _meant_for_lines(args, source) if is_text else "")
        raise FilterError(f"{error}{hint}") from None
    notes += [*filter(None, [anchors_note(program, source)]), *text_notes(program)]
    if assigns(program):
        notes.append("= assigns and makes each condition true: to compare, write ==")
    if len(outputs) != 1:
        notes.append("The filter gave no output." if not outputs else f"{len(outputs):,} outputs, given as a list.")
    result = outputs[0] if len(outputs) == 1 else f"[{','.join(outputs)}]"
    return _answer(result, source, notes, args, len(outputs))


def _told(error: "_NotJq", document: Document, args: dict[str, Any]) -> "_NotJq":
    """Return the error with a filter that fits the object: what was probably meant, or else an example."""
    source = _source(document, args.get("path") or "")
    value = input_of(document, args)
    meant = repaired_for(args["filter"], value, key_names(source), error.meant, _compiles)
    if "prelude" in args:  # the value is the input and the bound objects together
        return _NotJq(error.program, meant, error.jq_message)
    if not meant:
        return _NotJq(error.program, "", error.jq_message, example_filter(value))
    if len(source) <= TRIED:
        meant = next((each for each in variants(meant, value, _compiles) if _runs(each, source)), meant)
    return _NotJq(error.program, meant, error.jq_message)


def _items_hint(document: Document, args: dict[str, Any], message: str) -> str:
    """Suggest a filter that works on the items of a list, and does not fail on this one."""
    missed, value, program = missed_key(message), input_of(document, args), args["filter"]
    source = _source(document, args.get("path") or "") if missed and "prelude" not in args else ""
    tried = for_lists(program, missed, value) if 0 < len(source) <= TRIED else ()
    return items_hint(message, value, next((meant for meant in tried if meant != program and _runs(meant, source)), ""))


def _meant_for_lines(args: dict[str, Any], source: str) -> str:
    is_short = len(source) <= TRIED and "prelude" not in args
    return next((each for each in for_lines(args["filter"]) if _runs(each, source)), "") if is_short else ""


def _runs(program: str, source: str) -> bool:
    """Whether a filter gives something but nulls on a value."""
    try:
        outputs = _outputs(_compile(program), source, MOST_TRIED)
    except (CoatcheckError, _BadSource):
        return False
    return any(output.strip("[]") and re.fullmatch(r"[\[\],null{}]*", output) is None for output in outputs)


def check(document: Document, args: dict[str, Any]) -> Answer:  # noqa: ARG001
    """Compile ``filter`` without applying it.

    Raises:
        FilterError: The filter does not compile, or uses something unavailable.
    """
    refuse_external_access(args["filter"])
    try:
        _compile(args["filter"])
    except _NotJq as error:
        raise FilterError(str(error)) from None
    return Answer("")


def can_narrow(document: Document, args: dict[str, Any]) -> bool:
    """Whether the filter starts with a plain path and the object is so large that following it here is faster."""
    return (
        not args.get("path")
        and not args.get("prelude")
        and len(document.payload) > READ_AT_ONCE
        and document.may_be_structured
        and begins_with_path(args["filter"])
    )


def measure_pace() -> float:
    """Return the ratio of actual to estimated time that jq takes to read a text on this machine; the best of a few."""
    compiled = _compile("length")
    took = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        list(compiled.input_text(_SAMPLE))
        took.append(time.perf_counter() - started)
    return min(took) / (seconds_to_read(_SAMPLE) * SMALL_TEXT)


def _narrowed(document: Document, program: str) -> tuple[Any, str] | None:
    """Follow the filter's leading path; return the compiled rest of the filter and its JSON input."""
    value, is_text = document.value, False
    if isinstance(value, str):
        value, is_text = document.open_text(value), True
    rest, part = narrow(program, value)
    if rest == program or _compile_error(program) is not None:
        return None
    source = dump_json(part).decode()
    if is_text and _MAY_HAVE_BEEN_ROUNDED.search(source):
        return None  # Only the text has the digits of such a number.
    return _compile(rest), source


def _refuse_what_takes_too_long(source: str, args: dict[str, Any], started: float) -> None:
    """Refuse an input that jq could not even read in the available time.

    Raises:
        FilterError: Names the size, the time, and what to do.
    """
    if len(source) <= READ_AT_ONCE:
        return
    estimate = seconds_to_read(source) * args["pace"]
    left = args["seconds"] - (time.monotonic() - started)
    if estimate > left * MARGIN:
        raise FilterError(
            f"The filter would have to read {len(source):,} characters of JSON, which takes it some {estimate:.0f} s; "
            f"an operation has {args['seconds']:.1f} s here. Begin the filter with a path to a part (for example "
            f".[0:10000] | … or .items[3] | …), name a part behind the id ({args['reference']}[0:10000]), or use grep "
            "or slice."
        )


def _answer(result: str, source: str, notes: list[str], args: dict[str, Any], count: int) -> Answer:
    value, result = _read(result)
    if is_empty_result(value):
        notes += missing_keys(args["filter"], source) or _misplaced(args["filter"], source)
    rounded = rounded_integers(value, source) if has_digits(result, BEYOND_53_BITS) else []
    if rounded:
        named = ", ".join(excerpt(digits_of(each)) for each in rounded[:ROUNDED_NAMED])
        named += " and others" if len(rounded) > ROUNDED_NAMED else ""
        notes.append(f"jq computes with 53 bits: computed integers may be rounded ({named}).")
    elif uses_arithmetic(args["filter"]) and has_long_integer(source) and may_round(args["filter"], source):
        notes.append(
            "jq computes and compares with 53 bits, and the object has longer integers: what is computed from them is "
            "rounded, and different ones can count as equal."
        )
    head = "".join(f"({note})\n" for note in notes)
    shown = mark_lines(value) if isinstance(value, str) else result
    fits = len(head) + len(shown) <= args["limit"]
    facts = {"outputs": count, "fits": fits, "notes": notes, "rounded": len(rounded)}
    text = head + shown if fits else f"{head}The result of the filter on {place(args)} has {len(shown):,} characters."
    if isinstance(value, str):
        return Answer.of_encoded(text, encode(value), facts)
    careful = has_digits(result, BEYOND_64_BITS) and any(not -(2**63) <= item < 2**64 for item in integers(value))
    return Answer.of_encoded(text, describe_payload(value, result.encode(), careful=careful), facts)


def _misplaced(program: str, source: str) -> list[str]:
    """Suggest the path of a key that the filter expects at another path."""
    if source[:1] != "{" or len(source) > READ_AT_ONCE:
        return []
    try:
        note = misplaced_key(program, load_json(source))
    except ValueError:
        return []
    return [note] if note else []


def _read(result: str) -> tuple[Any, str]:
    """Return the value that jq wrote, and its JSON for the store; numbers beyond a double are null in both."""
    try:
        value = load_json(result)
    except ValueError:  # jq passes on the digits of 1e1000
        value = load_exactly(result)
        return value, dump_json(value).decode()
    return load_exactly(result) if has_digits(result, BEYOND_64_BITS) else value, result


@functools.lru_cache(maxsize=16)
def _compile(program: str, prelude: str = "") -> Any:
    try:
        # tojson, because jq keeps the digits of numbers that it does not change, and the binding does not. In
        # parentheses, because no import can stand there. On its own line: the filter may end in a comment.
        return jq.compile(f"{prelude}({program}\n)|tojson")
    except ValueError as error:
        message = (None if prelude else _compile_error(program)) or str(error)
        raise _NotJq(program, repair(program, _compiles), message) from None


def _on_one_line(program: str) -> str:
    return excerpt(program.replace("\n", r"\n"))


def _compiles(program: str) -> bool:
    return _compile_error(program) is None


def _compile_error(program: str) -> str | None:
    try:
        jq.compile(program)
    except ValueError as error:
        return str(error)
    return None


class _NotJq(FilterError):
    """A filter does not compile; ``meant`` is what it was probably meant to be, without knowledge of the object."""

    def __init__(self, program: str, meant: str, jq_message: str, example: str = "") -> None:
        self.program, self.meant, self.jq_message = program, meant, jq_message
        what = f'The filter "{_on_one_line(program)}" is not a jq filter'
        if meant:
            super().__init__(f"{what}. Did you mean: {excerpt(meant, MESSAGE_CHARACTERS)}")
        else:
            said = excerpt(_clean_jq_message(jq_message).partition(": / ")[0], MESSAGE_CHARACTERS)
            hint = f" For example: {example}" if example else compile_hint(program, jq_message)
            super().__init__(f"{what}: {said}.{hint}")


class _FailedOnValue(FilterError):
    """A filter failed on the value; ``said`` is jq's message."""

    def __init__(self, jq_message: str) -> None:
        self.jq_message = jq_message
        shown = quoted(_clean_jq_message(jq_message), MESSAGE_CHARACTERS)  # it quotes parts of the value
        super().__init__(f"The filter failed on the value: {shown}.")


class _BadSource(Exception):
    """jq cannot read the object's text."""


def _outputs(compiled: Any, source: str, max_bytes: int) -> list[str]:
    outputs: list[str] = []
    size = 0
    results = iter(compiled.input_text(source))
    while True:
        try:
            output = next(results, None)
        except ValueError as error:
            message = str(error)
            break
        if output is None:
            return outputs
        outputs.append(output)
        size += len(output)
        if size > max_bytes:
            raise SandboxOutputExceeded
    del results  # no traceback may keep it: jq's binding fails where the garbage collector frees it after its program
    if message.startswith("parse error") and "surrogate" in message and replace_escaped_surrogates(source) != source:
        raise _BadSource
    raise _FailedOnValue(message)


def _source(document: Document, path: str) -> str:
    """Return the JSON input of the filter, with as little decoding as possible."""
    if not parse_path(path) and document.metadata.kind == "json":
        text = str(document.payload, "utf-8")
        if text[:1] != '"':
            return text
    value = locate(document, path)
    if isinstance(value, str):
        opened = document.opened(value)
        if opened is None:
            return dump_json(value).decode()
        # The text itself if it is strict JSON, for the digits of its numbers.
        is_strict = opened.format == "JSON" and open_json_text(value) is not None
        return value.strip() if is_strict else dump_json(opened.value).decode()  # jq accepts four kinds of space
    return dump_json(value).decode()


def _clean_jq_message(message: str) -> str:
    lines = [line.strip() for line in message.splitlines()]
    kept = [
        line for line in lines if line and set(line) != {"^"} and not re.fullmatch(r"jq: \d+ compile errors?", line)
    ]
    return " / ".join(kept).removeprefix("jq: error: ").replace(" at <top-level>, line 1, column", " at column")
