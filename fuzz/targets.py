"""What is fuzzed: each target takes any bytes and raises only where coatcheck is at fault.

The tests run them with hypothesis (``tests/security/test_fuzzing.py``), ``make fuzz`` with atheris, guided by coverage.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from coatcheck import codec
from coatcheck.backends import InMemoryBackend
from coatcheck.codec import ToolResult
from coatcheck.errors import CoatcheckError
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.previews import Subject, render
from coatcheck.references import Reference, parse_path, parse_reference, parse_target, unescape, walk
from coatcheck.wire.interceptor import Interceptor

LONGEST_ERROR = 3_000

DOCUMENT: Any = {"items": [{"name": "one", "tags": ["a", "b"]}, None, 3.5, True], "a b": {"": {"é": "[1, 2]"}}, "0": []}
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "rows": {"type": "array", "items": {"type": "object"}}, "any": {}},
}


@contextmanager
def bounded_errors() -> Iterator[None]:
    """Let expected errors pass, if their texts are bounded and on the subject."""
    try:
        yield
    except CoatcheckError as error:
        said = str(error)
        assert len(said) <= LONGEST_ERROR, "an error without a bound"
        assert "Traceback" not in said


def text_of(data: bytes) -> str:
    """Any text, lone surrogates included."""
    return data.decode("utf-8", "surrogateescape" if data[:1] == b"\xff" else "replace")


def fuzz_grammar(data: bytes) -> None:
    """What parses has one canonical text, which parses to the same; what does not is plain text."""
    text = text_of(data)
    with bounded_errors():
        path = parse_path(text)
        assert parse_path(str(path)) == path
    for candidate in (text, f"@obj_1{text}"):
        reference = parse_reference(candidate)
        if reference is not None:
            assert parse_reference(str(reference)) == reference
            assert unescape(f"@{candidate}") == candidate
        else:
            assert unescape(candidate) in {candidate, candidate[1:]}
    with bounded_errors():
        assert isinstance(parse_target(text, text), Reference)


def fuzz_walking(data: bytes) -> None:
    """A path leads somewhere or to an error that says where it ended."""
    with bounded_errors():
        walk(DOCUMENT, parse_path(text_of(data)), open_text=codec.open_json_text)


def fuzz_envelope(data: bytes) -> None:
    """Bytes that were not stored by us are refused with ``ValueError`` and nothing else; so is what is in them."""
    try:
        metadata, payload = codec.unpack(data)
    except ValueError:
        return
    assert codec.unpack_metadata(data) == metadata
    repacked, again = codec.unpack(codec.pack(metadata, bytes(payload)))
    assert bytes(again) == bytes(payload)
    assert repacked.kind == metadata.kind
    try:
        codec.decode(metadata, payload)
    except ValueError:
        return


def fuzz_codec(data: bytes) -> None:
    """Whatever JSON can say comes back as it was, whole and in slices alike."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = text_of(data)
    encoded = codec.encode(value)
    sliced = asyncio.run(codec.aencode(value))
    assert (sliced.kind, sliced.payload, sliced.type, sliced.careful) == (
        encoded.kind,
        encoded.payload,
        encoded.type,
        encoded.careful,
    )
    store = ObjectStore(InMemoryBackend())
    back = store.fetch(store.put(value))
    assert back == value or has_lost_a_word(value)
    assert len(render(back, Subject("@obj_1", 10), 300)) <= 300  # noqa: PLR2004


def has_lost_a_word(value: Any) -> bool:
    """Whether JSON as Python reads it holds what JSON cannot say (NaN), keys that clash, or too many levels."""
    level, depth = [value], 0
    while level:
        if any(isinstance(part, float) and (part != part or abs(part) == float("inf")) for part in level):  # noqa: PLR0124
            return True
        if any(isinstance(part, dict) and any(not _is_utf8(key) for key in part) for part in level):
            return True
        depth += 1
        level = [
            inner
            for part in level
            if isinstance(part, (dict, list))
            for inner in (part.values() if isinstance(part, dict) else part)
        ]
    return depth > 190  # noqa: PLR2004


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fuzz_arguments(data: bytes) -> None:
    """Arguments of a tool: references resolve or are refused, everything else stays as it is."""
    try:
        arguments = json.loads(data)
    except (ValueError, RecursionError):
        arguments = {"text": text_of(data), "rows": [text_of(data)], "any": {"x": f"@obj_001{text_of(data)}"}}
    asyncio.run(_resolve(arguments))


async def _resolve(arguments: Any) -> None:
    store = ObjectStore(InMemoryBackend())
    await store.aput(DOCUMENT)
    interceptor = Interceptor(Explorer(store))
    before = json.dumps(arguments)
    with bounded_errors():
        resolved = await interceptor.arguments("tool", arguments, SCHEMA)
        if '"@' not in before:
            assert resolved is arguments
    assert json.dumps(arguments) == before


def fuzz_results(data: bytes) -> None:
    """Results of any shape pass or are replaced by something shorter, and are kept as they were."""
    try:
        result = json.loads(data)
    except (ValueError, RecursionError):
        result = {"content": [{"type": "text", "text": text_of(data) * 50}]}
    asyncio.run(_replace(result))


async def _replace(result: Any) -> None:
    store = ObjectStore(InMemoryBackend())
    interceptor = Interceptor(Explorer(store), inline_limit=200, preview_limit=400)
    short = await interceptor.result("tool", result)
    if short is not result:
        assert len(json.dumps(short, ensure_ascii=False)) <= len(json.dumps(result, ensure_ascii=False)) + 1000
        for summary in await store.alist():
            if not has_lost_a_word(result):
                assert (await store.aread(summary.object_id)).result() == result
    encoded = codec.encode(ToolResult(result)) if isinstance(result, dict) else None
    assert encoded is None or encoded.kind == "result"


TARGETS: dict[str, Callable[[bytes], None]] = {
    "grammar": fuzz_grammar,
    "walking": fuzz_walking,
    "envelope": fuzz_envelope,
    "codec": fuzz_codec,
    "arguments": fuzz_arguments,
    "results": fuzz_results,
}
