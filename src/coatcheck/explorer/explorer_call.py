"""The explorer's operations, written once for synchronous and asynchronous callers."""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from coatcheck import codec
from coatcheck.codec import Encoded, Metadata, ToolResult, well_formed
from coatcheck.errors import (
    ArgumentRejected,
    CoatcheckError,
    ObjectStoreUnavailable,
    ObjectTooLarge,
    ReferenceSyntaxError,
    SandboxError,
    excerpt,
)
from coatcheck.explorer.listing import write_listing
from coatcheck.explorer.operations import OPERATIONS, Answer, Document
from coatcheck.explorer.operations.document import OnlyInSandbox
from coatcheck.explorer.previews import (
    NoJsonForm,
    Preview,
    Subject,
    describe_value,
    gets_whole,
    is_for_a_worker,
    render,
    render_small,
    render_text,
    render_whole,
)
from coatcheck.explorer.previews.token_estimate import estimate_tokens
from coatcheck.explorer.previews.wording import kind_and_length
from coatcheck.explorer.reference_values import ReferenceValue
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.explorer.tool_names import Names, listed_as, listed_name, listed_names
from coatcheck.references import Path, Reference, parse_target
from coatcheck.store.call_mode import CallMode
from coatcheck.store.object_store import ObjectStore
from coatcheck.store.stored_object import StoredObject

INLINE_BYTES = 64 * 1024
"""Bytes of payload up to which an object is decoded in this process; larger ones are decoded in the sandbox."""

MAIN = "."
"""The key of the object itself beside the variables of a filter, none of which has this name."""
MOST_BYTES_TOGETHER = 64 * 1024 * 1024
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_NOTHING = Metadata("json", 4, "null")

HARMLESS = frozenset({"show", "slice", "resolve"})
"""Operations that hostile arguments cannot make slow, so that small objects need no sandbox for them."""


class Kept(NamedTuple):
    """The outcome of storing a value.

    Attributes:
        reference: ``@`` and its id; ``None`` if it could not be stored, which the preview then explains.
        preview: The text that replaces it.
        characters: Size of the value in characters, in the form that the model would have read.
        expires: When it expires, in seconds since the epoch; ``None`` if it does not expire.
    """

    reference: str | None
    preview: str
    characters: int = 0
    expires: float | None = None


@dataclass(slots=True)  # created at each call: a frozen one takes 0.9 µs more
class ExplorerCall:
    """A call of the explorer. Limits are in characters."""

    store: ObjectStore
    sandbox: Callable[[], Sandbox]
    mode: CallMode
    preview_limit: int
    response_limit: int
    tool_names: Names

    async def keep(self, value: Any, tool: str | None, limit: int) -> Kept:
        """Store a value and preview it; if it cannot be stored, the answer still shows as much of it as fits."""
        encoded = await self.mode.call(codec.encode, codec.aencode, value)
        characters, tokens = _size(encoded, value)
        try:
            object_id = self.store.reserve(encoded.size)
            reference = f"@{object_id}"
            subject = Subject(reference, characters, tool=tool, tokens=tokens, is_shared=self.store.is_shared)
            try:
                unstored = await self._preview(value, encoded, object_id, subject, limit)
                preview, about = unstored.text, unstored.about
            except CoatcheckError as error:
                # It is stored, even if its preview fails.
                note = f"{reference}: {encoded.type}, {encoded.size:,} bytes. No preview could be made: {error}"
                preview, about = note if len(note) <= limit else reference[:limit], ""
            # Only now, so that listings contain the description from the preview; stored objects never change.
            stored = await self._put(encoded, tool, object_id, about)
        except (ObjectStoreUnavailable, ObjectTooLarge) as error:
            return Kept(None, self._preview_unstored(encoded, characters, error, limit), characters)
        expires = stored.metadata.created + self.store.ttl if self.store.ttl > 0 else None
        return Kept(reference, preview, characters, expires)

    async def _preview(self, value: Any, encoded: Encoded, object_id: str, subject: Subject, limit: int) -> Preview:
        shown, is_large = value, False
        if isinstance(value, ToolResult):
            is_large = codec.is_large_result(value.result)
            shown = None if is_large else codec.result_value(value.result)
        if not is_large and not is_for_a_worker(shown):
            if gets_whole(shown, self.response_limit):
                subject = subject._replace(gets_whole=True)
            with suppress(NoJsonForm), listed_as(self._names()):
                small = render_small(shown, subject.reference, limit, encoded.size if encoded.kind == "json" else None)
                if small is None:
                    return render(shown, subject, limit)
                return Preview(small, lambda: "" if isinstance(shown, str) else describe_value(shown))
        return await self._preview_of(_unstored_object(object_id, encoded, subject.tool), limit)

    def _names(self) -> Names:
        """The names of the object tools: those of the call override the explorer's own."""
        return {**self.tool_names, **listed_names()} if self.tool_names else listed_names()

    def _preview_unstored(self, encoded: Encoded, characters: int, error: CoatcheckError, limit: int) -> str:
        plain = codec.decode(encoded.metadata, encoded.payload)
        plain = well_formed(plain) if isinstance(plain, str) else plain
        note = f"This result was not kept: {error}"
        whole = render_whole(plain, self.response_limit - len(note) - 2)
        if whole is not None:
            return f"{whole}\n\n{note}"
        available = max(limit - len(note) - 2, 0)
        preview = render(plain, Subject("", characters), available)
        return f"{note}\n\n{preview.text}"[:limit]

    async def show(self, target: Reference, limit: int, *, headline: bool = False) -> str:
        """Show an object or a part of it: whole if it fits, else as a preview."""
        return (await self._show(target, limit, headline=headline)).text

    async def _preview_of(self, unstored: StoredObject, limit: int) -> Preview:
        """Preview an object that is not stored yet."""
        return await self._show(Reference(unstored.object_id), limit, headline=True, unstored=unstored)

    async def _show(
        self, target: Reference, limit: int, *, headline: bool, unstored: StoredObject | None = None
    ) -> Preview:
        args = {
            "whole": True,
            "headline": headline,
            "gets": self.response_limit,
            "describe": unstored is not None,
            "shared": self.store.is_shared,
        }
        try:
            answer = await self.run("show", target, args, limit, unstored)
        except SandboxError as error:
            return await self._show_unopened(target, limit, error, unstored)
        about = answer.facts.get("about")
        return Preview(answer.text, lambda: about if isinstance(about, str) else "")

    async def _show_unopened(
        self, target: Reference, limit: int, error: SandboxError, unstored: StoredObject | None
    ) -> Preview:
        """Preview a text as plain text after parsing it exceeded a limit of the sandbox.

        Raises:
            SandboxError: ``error``, if the object is not a text.
        """
        stored = (
            unstored
            if unstored is not None
            else await self.mode.call(self.store.read, self.store.aread, target.object_id)
        )
        text = stored.text() if not target.path else None
        if text is None:
            raise error
        reason = str(error).partition(". ")[0]  # what follows is advice on patterns and filters
        note = f"Shown as plain text: {reason}"
        subject = Subject(str(target), len(text), stored.metadata.tool, note, is_shared=self.store.is_shared)
        return render_text(text, subject, limit)

    async def run(
        self,
        operation: str,
        target: Reference,
        args: dict[str, Any],
        limit: int,
        known: StoredObject | None = None,
    ) -> Answer:
        """Run an operation in this process if it is harmless and the object is small, else in the sandbox.

        ``known`` is the object if it is not stored yet, or was read before.
        """
        at_most = INLINE_BYTES if operation in HARMLESS else 0
        stored = known
        if stored is None:
            stored = await self.mode.call(self.store.peek, self.store.apeek, target.object_id, at_most)
        args = {**args, "reference": f"@{target.object_id}", "path": str(target.path), "limit": limit}
        names = self._names()
        if names:
            args["tools"] = names
        if operation in HARMLESS and stored.metadata.size <= at_most:
            # Formats that are parsed only in the sandbox, such as YAML, may occur anywhere in the value.
            try:
                return OPERATIONS[operation](Document(stored.metadata, bytes(stored.payload)), args)
            except OnlyInSandbox:
                pass
        loaded = None if known is None else (known.metadata, known.payload)
        return await self._in_sandbox(operation, args, target.object_id, loaded=loaded)

    async def _in_sandbox(
        self,
        operation: str,
        args: dict[str, Any],
        object_id: str,
        *,
        key: str | None = None,
        loaded: tuple[Metadata, bytes | memoryview] | None = None,
    ) -> Answer:
        store, sandbox = self.store, self.sandbox()

        def load() -> tuple[Metadata, bytes | memoryview]:
            if loaded is not None:
                return loaded
            stored = store.read(object_id)
            return stored.metadata, stored.payload

        # If all callers share a namespace, a filter on one object must not delay a filter on another one.
        namespace = store.owner() or object_id
        key = key or store.cache_key(object_id)
        try:
            return await self.mode.call(
                sandbox.run, sandbox.arun, operation, args, key=key, namespace=namespace, load=load
            )
        except SandboxError as error:
            store.record_sandbox_stop(error)
            raise

    async def _put(self, encoded: Encoded, tool: str | None, object_id: str, about: str) -> StoredObject:
        put, aput = self.store.put_encoded, self.store.aput_encoded
        return await self.mode.call(put, aput, encoded, tool=tool, object_id=object_id, about=about or None)

    async def query_with(self, target: Reference, program: str, others: Mapping[str, Reference]) -> Answer:
        """Run a jq filter over an object with others as variables, all in one JSON document.

        Raises:
            ArgumentRejected: A name is not valid for a variable, or the objects are too large together.
        """
        parts = {MAIN: target}
        for written, reference in others.items():
            name = written.removeprefix("$")
            if _VARIABLE.fullmatch(name) is None:
                raise ArgumentRejected(
                    f'with: "{excerpt(written)}" is not a name for a variable; use letters, as in $b.'
                )
            parts[name] = reference
        pieces: list[bytes] = []
        for name, reference in parts.items():
            answer = await self.run("resolve", reference, {"opened": True}, self.response_limit)
            metadata, payload = Metadata.from_dict(answer.metadata or {}), answer.payload or b""
            json = codec.dump_json(payload.decode()) if metadata.kind == "text" else payload
            pieces.append(codec.dump_json(name) + b":" + json)
        payload = b"{" + b",".join(pieces) + b"}"
        if len(payload) > MOST_BYTES_TOGETHER:
            raise ArgumentRejected(
                f"The objects have {len(payload):,} bytes of JSON together, and a filter reads at most "
                f"{MOST_BYTES_TOGETHER:,}. Use paths to smaller parts."
            )
        unstored = Metadata("json", len(payload), "object", len(parts))
        prelude = "".join(f'."{name}" as ${name} | ' for name in list(parts)[1:]) + f'."{MAIN}" | '
        args = {"filter": program, "prelude": prelude, "path": "", "limit": self.response_limit}
        args["reference"] = str(target)
        key = "+".join(f"{self.store.cache_key(each.object_id)}{each.path}" for each in parts.values())
        return await self._in_sandbox("query", args, target.object_id, key=key, loaded=(unstored, payload))

    async def derive(self, operation: str, target: Reference, args: dict[str, Any], *, store: bool) -> str:
        """Run an operation that computes a new value, store the value if requested or necessary, and show it."""
        others = args.pop("with", None)
        if others:
            answer = await self.query_with(target, args["filter"], others)
        else:
            answer = await self.run(operation, target, args, self.response_limit)
        fits = answer.facts.get("fits", False)
        if answer.payload is None or (fits and not store):
            return answer.text
        facts = Metadata.from_dict(answer.metadata or {})
        encoded = Encoded(facts.kind, answer.payload, facts.type, facts.length, facts.careful)
        made_by = f"{operation} of @{target.object_id}"
        preview = Preview("", str)
        try:
            object_id = self.store.reserve(encoded.size)
            if not fits and operation != "replace":  # its answer describes only the changes
                limit = min(self.preview_limit, self.response_limit - len(answer.text) - 2)
                preview = await self._preview_of(_unstored_object(object_id, encoded, made_by), max(limit, 0))
            stored = await self._put(encoded, made_by, object_id, preview.about)
        except (ObjectStoreUnavailable, ObjectTooLarge) as error:
            return f"{answer.text}\n\nThe new value was not kept: {error}"[: self.response_limit]
        if fits:
            return f"{answer.text}\n\nStored as @{object_id}."[: self.response_limit]
        shown = preview.text or f"@{object_id}: {kind_and_length(stored.metadata.type, stored.metadata.length)}"
        return "\n\n".join(filter(None, (answer.text, shown)))[: self.response_limit]

    async def check_filter(self, program: str) -> None:
        """Compile a filter in the sandbox, without an object."""
        sandbox = self.sandbox()
        args = {"filter": program, "reference": "", "path": "", "limit": self.response_limit}
        options: dict[str, Any] = {
            "key": "filters", "namespace": self.store.owner() or "filters", "load": lambda: (_NOTHING, b"null"),
        }  # fmt: skip
        await self.mode.call(sandbox.run, sandbox.arun, "check_filter", args, **options)

    def find(self, target: Reference, known: StoredObject | None = None) -> ReferenceValue:
        """Find the value of a reference; ``known`` is its object, if it was read before."""

        async def resolve(args: dict[str, Any]) -> Answer:
            return await self.run("resolve", target, args, self.response_limit, known)

        return ReferenceValue(self.store, self.mode, target, resolve, known)

    async def raw(self, target: Reference, start: int) -> str:
        """Return one page of an object's exact text, with its position and the call for the next page."""
        text = well_formed((await self.find(target).text()).value)
        total = len(text)
        if start < 0 or (start >= total and start > 0):
            return f"{target} has {total:,} characters: start must lie between 0 and {max(total - 1, 0)}."
        if start == 0 and total <= self.response_limit:
            return text
        available = self.response_limit - 300
        page = text[start : start + available]
        end = start + len(page)
        with listed_as(self.tool_names):
            tool = listed_name("object_store_get")
        follow = f'; next: {tool}(object_id="{target}", raw=true, start={end})' if end < total else "; the end"
        return f"[characters {start:,} to {end:,} of {total:,} of {str(target)[:150]}, all below{follow}]\n{page}"

    async def list(self) -> str:
        """List the caller's objects on one line each, newest first, as many as fit."""
        summaries = await self.mode.call(self.store.list, self.store.alist)
        return write_listing(summaries, time.time(), self.response_limit)


def _unstored_object(object_id: str, encoded: Encoded, tool: str | None) -> StoredObject:
    return StoredObject(object_id, encoded.metadata._replace(tool=tool), encoded.view())


def target_of(object_id: str | Reference, path: str | Path = "") -> Reference:
    """Parse the arguments ``object_id`` and ``path`` of tools; a parsed reference is returned unchanged."""
    if isinstance(object_id, Reference):
        if not path:
            return object_id
        object_id = str(object_id)
    if isinstance(path, Path):
        reference = parse_target(object_id)
        return Reference(reference.object_id, reference.path.join(path.steps))
    if not isinstance(object_id, str) or not isinstance(path, str):
        raise ReferenceSyntaxError('object_id and path must be texts, such as "@obj_001" and "items[3].name".')
    return parse_target(object_id, path)


def _size(encoded: Encoded, value: Any) -> tuple[int, int | None]:
    """Characters of the value in the form that the model would have read, and tokens if they differ from its JSON."""
    texts = codec.seen_texts(value.result, encoded.characters) if isinstance(value, ToolResult) else []
    if not texts:
        return encoded.characters, None
    characters = sum(map(len, texts))
    return characters, None if codec.is_large_result(value.result) else estimate_tokens("\n".join(texts), characters)
