"""The fuzz targets: each takes any bytes and raises only on a fault in coatcheck.

The tests run them with hypothesis (``tests/security/test_fuzzing.py``), ``make fuzz`` with atheris, guided by coverage.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from coatcheck import codec, errors
from coatcheck.backends import InMemoryBackend
from coatcheck.calls.built_in_tools import OwnTool, own_tool
from coatcheck.calls.interceptor import Interceptor
from coatcheck.codec import ToolResult
from coatcheck.codec.chunked.decoder import ChunkedDecoder
from coatcheck.errors import CoatcheckError, FilterError
from coatcheck.explorer import Explorer
from coatcheck.explorer.operations.jq_analysis import narrow, refuse_external_access
from coatcheck.explorer.operations.resolving import sample_of
from coatcheck.explorer.previews import Subject, render
from coatcheck.explorer.texts import is_for_the_sandbox, open_text
from coatcheck.explorer.texts.log_summaries import read_log, write_log
from coatcheck.explorer.texts.outlines import KINDS, outline
from coatcheck.object_store import ObjectStore
from coatcheck.proxy.conversation import Conversation
from coatcheck.references import Reference, parse_path, parse_reference, parse_target, unescape, walk
from coatcheck.tool_factory import build_tool
from coatcheck.tools.object_tools import object_store_tools

LONGEST_ERROR = 3_000
PACKAGE = str(Path(errors.__file__).parent)

DOCUMENT: Any = {"items": [{"name": "one", "tags": ["a", "b"]}, None, 3.5, True], "a b": {"": {"é": "[1, 2]"}}, "0": []}
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "rows": {"type": "array", "items": {"type": "object"}}, "any": {}},
}


KINDS_OF_TEXT = sorted(KINDS)
LOG_LIMIT = 300
"""Characters of a log summary."""


@contextmanager
def bounded_errors() -> Iterator[None]:
    """Allow expected errors if their texts are bounded and contain no traceback."""
    try:
        yield
    except CoatcheckError as error:
        text = str(error)
        assert len(text) <= LONGEST_ERROR, "an error without a bound"
        # Not the word "Traceback": an error quotes its input, which may contain that word.
        assert PACKAGE not in text, "a traceback"


def text_of(data: bytes) -> str:
    """Any text, lone surrogates included."""
    return data.decode("utf-8", "surrogateescape" if data[:1] == b"\xff" else "replace")


def fuzz_grammar(data: bytes) -> None:
    """A valid reference has one canonical text, which parses to the same reference; anything else is plain text."""
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
    """A path leads to a value or to an expected error."""
    with bounded_errors():
        walk(DOCUMENT, parse_path(text_of(data)), open_text=codec.open_json_text)


def fuzz_envelope(data: bytes) -> None:
    """Bytes that coatcheck did not store, and invalid payloads, are refused with ``ValueError`` only."""
    try:
        metadata, payload = codec.unpack(data)
    except ValueError:
        return
    assert codec.unpack_metadata(data) == metadata
    repacked, repacked_payload = codec.unpack(codec.pack(metadata, bytes(payload)))
    assert bytes(repacked_payload) == bytes(payload)
    assert repacked.kind == metadata.kind
    try:
        codec.decode(metadata, payload)
    except ValueError:
        return


def fuzz_codec(data: bytes) -> None:
    """Every JSON value is stored and read unchanged; the chunked encoder gives the same bytes."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = text_of(data)
    encoded = codec.encode(value)
    chunked = asyncio.run(codec.aencode(value))
    assert (chunked.kind, chunked.payload, chunked.type, chunked.careful) == (
        encoded.kind,
        encoded.payload,
        encoded.type,
        encoded.careful,
    )
    store = ObjectStore(InMemoryBackend())
    read = store.fetch(store.put(value))
    assert read == value or is_not_round_trippable(value)
    assert len(render(read, Subject("@obj_1", 10), 300)) <= 300  # noqa: PLR2004


def is_not_round_trippable(value: Any) -> bool:
    """Whether a parsed value contains NaN or infinity, keys that are not UTF-8, or too many levels."""
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
    """Arguments of a tool: references resolve or are refused, everything else is unchanged."""
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
        resolved = (await interceptor.prepare("tool", arguments, SCHEMA)).arguments
        if "@" not in before:
            assert resolved is arguments
    assert json.dumps(arguments) == before


def fuzz_schemas(data: bytes) -> None:
    """Schemas of a server: a tool with any schema can be listed and called, at a bounded cost."""
    try:
        schema = json.loads(data)
    except (ValueError, RecursionError):
        schema = {"type": text_of(data), "$ref": text_of(data), "anyOf": [{"pattern": text_of(data)}]}
    asyncio.run(
        _list_and_call(schema if isinstance(schema, dict) else {"type": "object", "properties": {"value": schema}})
    )


async def _list_and_call(schema: dict[str, Any]) -> None:
    store = ObjectStore(InMemoryBackend())
    await store.aput(DOCUMENT)
    interceptor = Interceptor(Explorer(store))
    before = json.dumps(schema)
    listed = await interceptor.tools_list({"tools": [{"name": "tool", "inputSchema": schema, "outputSchema": schema}]})
    assert await Interceptor(Explorer(store)).tools_list(listed) == listed, "rewriting twice differs from once"
    properties = schema.get("properties")
    for name in ("value", *list(properties if isinstance(properties, dict) else ())[:5]):
        for value in ("@obj_001", "@obj_001.items[2]", ["@obj_001.items[0].tags"], '["@obj_001.items"]'):
            with bounded_errors():
                await interceptor.prepare("tool", {name: value, "value": [{"deep": value}]})
    assert json.dumps(schema) == before


def fuzz_results(data: bytes) -> None:
    """Results of any shape pass or are replaced by a shorter text and stored unchanged."""
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
            if not is_not_round_trippable(result):
                assert (await store.aread(summary.object_id)).result() == result
    encoded = codec.encode(ToolResult(result)) if isinstance(result, dict) else None
    assert encoded is None or encoded.kind == "result"


def fuzz_windows(data: bytes) -> None:
    """JSON that is decoded in windows of any size gives the same value as in one step; invalid JSON is refused."""
    if len(data) < 2:  # noqa: PLR2004
        return
    window, text_window, text = data[0] % 100 + 1, data[1] % 100 + 1, data[2:]
    try:
        decoded = codec.dump_json(_read(ChunkedDecoder(text, codec.load_json, window=window, text_window=text_window)))
    except ValueError:
        return
    assert decoded == codec.dump_json(codec.load_json(text))


def _read(windows: ChunkedDecoder) -> Any:
    reading = windows.read()
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value


def fuzz_filters(data: bytes) -> None:
    """A filter is refused with a bounded error, or its leading path is applied; the rest is not longer."""
    program = text_of(data)
    try:
        refuse_external_access(program)
    except FilterError as error:
        assert len(str(error)) <= LONGEST_ERROR  # noqa: PT017
    rest, _ = narrow(program, DOCUMENT)
    assert len(rest) <= len(program) + 1


def fuzz_texts(data: bytes) -> None:
    """A text of any content is read as plain JSON values or not at all; outlines, logs and lines never fail."""
    text = text_of(data)
    with bounded_errors():
        found = open_text(text, in_sandbox=True)
        if found is not None:
            assert isinstance(found.value, (list, dict))
            assert json.loads(codec.dump_json(found.value)) is not None
    is_for_the_sandbox(text)
    for kind in KINDS_OF_TEXT:
        assert all(0 <= entry.line <= text.count("\n") for entry in outline(text, kind))
    assert len(write_log(read_log(text), LOG_LIMIT)) <= LOG_LIMIT
    with bounded_errors():
        assert isinstance(walk(text, parse_path("lines[0:3]")), str)


def fuzz_samples(data: bytes) -> None:
    """A sample of any value is bounded; the sample of a small value is complete."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    sample = sample_of(value)
    assert sample.cut or json.dumps(sample.value) == json.dumps(value)
    assert len(sample.cut) <= 2_001  # noqa: PLR2004


INITIALIZE = {"jsonrpc": "2.0", "id": 0, "result": {"capabilities": {"tools": {}, "resources": {}}}}
LISTED = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "tool", "inputSchema": SCHEMA, "outputSchema": {}}]}}
OPENING = (("c", {"jsonrpc": "2.0", "id": 0, "method": "initialize"}), ("s", INITIALIZE))
LISTING = (("c", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}), ("s", LISTED))


def fuzz_wire(data: bytes) -> None:
    """Any lines from a client and from a server, in any order: each is forwarded, answered or dropped; none raises.

    A line that begins with ``s`` is the server's, every other the client's.
    """
    asyncio.run(_converse(data))


async def _converse(data: bytes) -> None:
    to_client: list[bytes] = []
    to_server: list[bytes] = []
    store = ObjectStore(InMemoryBackend())
    await store.aput(DOCUMENT)
    tool_set = _tool_set()
    tool_set.store = store
    ready: asyncio.Future[Interceptor] = asyncio.get_running_loop().create_future()
    ready.set_result(Interceptor(Explorer(store), inline_limit=200, preview_limit=400, own_tools=tool_set.tools))
    conversation = Conversation(
        to_client.append, lambda line, _message: to_server.append(line), ready, on_stray_output=lambda _line: None
    )
    for side, message in (*OPENING, *LISTING):
        _send_line(conversation, side, json.dumps(message).encode() + b"\n")
        await conversation.finish_work()
    for line in data.split(b"\n"):
        _send_line(conversation, "s" if line[:1] == b"s" else "c", (line[1:] if line[:1] in b"cs" else line) + b"\n")
    conversation.abandon_own_requests()
    for _ in range(20):
        await asyncio.sleep(0)
    conversation.fail_all("The server has exited.")
    async with asyncio.timeout(5):
        await conversation.finish_work()
    for line in (*to_client, *to_server):
        assert line.endswith(b"\n")
        assert b"Traceback" not in line or b"Traceback" in data
    assert not conversation.bytes_in_progress


def _send_line(conversation: Conversation, side: str, line: bytes) -> None:
    (conversation.from_server if side == "s" else conversation.from_client)(line)


class _ToolSet:
    """The object tools that need no worker process, created once; the store is replaced for each input."""

    names = ("object_store_get", "object_store_put", "object_store_delete", "object_store_list", "object_store_slice")

    def __init__(self) -> None:
        self.store = ObjectStore(InMemoryBackend())
        registry = object_store_tools(lambda: self.store, self._explorer)
        self.tools: dict[str, OwnTool] = {}
        for name in self.names:
            function, config = registry[name]
            tool = build_tool(function, config, object_store=lambda: self.store, explorer=self._explorer)
            self.tools[name] = own_tool(tool, name=name)

    def _explorer(self) -> Explorer:
        return Explorer(self.store)


@cache
def _tool_set() -> _ToolSet:
    return _ToolSet()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "grammar": fuzz_grammar,
    "walking": fuzz_walking,
    "envelope": fuzz_envelope,
    "codec": fuzz_codec,
    "arguments": fuzz_arguments,
    "schemas": fuzz_schemas,
    "results": fuzz_results,
    "windows": fuzz_windows,
    "filters": fuzz_filters,
    "samples": fuzz_samples,
    "texts": fuzz_texts,
    "wire": fuzz_wire,
}
