"""What happens to tool lists, calls and results on their way; no transport and no SDK in it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coatcheck.arguments.declared_types import DeclaredTypes
from coatcheck.arguments.input_schemas import advertise_references
from coatcheck.arguments.json_pointers import Schema
from coatcheck.arguments.lookup import AsyncLookup
from coatcheck.arguments.output_schemas import allow_stored
from coatcheck.arguments.resolver import Resolver
from coatcheck.calls.built_in_tools import OwnTool
from coatcheck.calls.limits import ALWAYS_FREE, Limits
from coatcheck.calls.result_plan import (
    Plan,
    Result,
    all_text,
    build,
    build_error,
    error_text,
    has_large_binaries,
    plan,
    total_characters,
)
from coatcheck.calls.stored_resources import object_link, read_object
from coatcheck.codec import Pieces, ToolResult
from coatcheck.codec.characters import content_characters, exceeds, seen_characters
from coatcheck.errors import CoatcheckError
from coatcheck.explorer import Explorer, Kept
from coatcheck.explorer.tool_names import listed_as

INSTRUCTIONS = (
    "Large tool results are kept outside the conversation: you see a preview and a reference such as @obj_001. "
    "Give a reference, or a path into it such as @obj_001.items[3].name, as any argument of any tool, in place of the "
    "value. Look closer with the object_store tools. Write @@obj_001 for the literal text @obj_001."
)


def with_instructions(original: str | None) -> str:
    """Add what a model should know about references to a server's own instructions."""
    return f"{original}\n\n{INSTRUCTIONS}" if original else INSTRUCTIONS


__all__ = ["INSTRUCTIONS", "Interceptor"]

PREFIX_ON_CLASH = "coatcheck_"

MOST_UNLISTED = 1_000
"""Tools of which no list has told whose types are remembered."""

SHORTEST_PREVIEW = 500
"""Characters that a preview may have although its tool or round has less: below, it could not say what it must."""


class Interceptor:
    """Keeps large results, resolves references in arguments and offers our own tools, for one server.

    It remembers the schemas of the tools that it has seen listed; it holds no result and no transport.

    Args:
        explorer: The explorer, or a provider of it that is asked at every use.
        inline_limit: Characters up to which a result passes as the same object, where ``limits`` says nothing else.
        preview_limit: Most characters of what stands for a larger one.
        response_limit: Characters up to which a result that could not be kept is passed whole.
        own_tools: Tools to offer beside the server's, by name.
        limits: Limits by tool and by round, in place of ``inline_limit``.
        resource_links: Also give what was kept as a resource link, for hosts that read resources.
    """

    def __init__(
        self,
        explorer: Explorer | Callable[[], Explorer],
        *,
        inline_limit: int = 4_000,
        preview_limit: int = 4_000,
        response_limit: int = 20_000,
        own_tools: Mapping[str, OwnTool] | None = None,
        limits: Limits | None = None,
        resource_links: bool = False,
    ) -> None:
        self._explorer = explorer
        self.limits = limits or Limits(inline_limit)
        self.resource_links = resource_links
        self.preview_limit = preview_limit
        self._response_limit = response_limit
        self._own_tools = dict(own_tools or {})
        self._inputs: dict[str, Schema] = {}
        self._types: dict[str, tuple[Schema, DeclaredTypes]] = {}
        self._promised: set[str] = set()

    @property
    def explorer(self) -> Explorer:
        """The explorer as it is now."""
        return self._explorer if isinstance(self._explorer, Explorer) else self._explorer()

    def learn(self, tools: Iterable[Any]) -> None:
        """Remember the schemas of tools as the server lists them."""
        for tool in tools:
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                name = tool["name"]
                schema = tool.get("inputSchema")
                self._inputs[name] = schema if isinstance(schema, dict) else {}
                (self._promised.add if isinstance(tool.get("outputSchema"), dict) else self._promised.discard)(name)

    def knows(self, tool: str) -> bool:
        """Whether the server's tool has been seen in a list."""
        return tool in self._inputs

    def schema_of(self, tool: str) -> Schema | None:
        """Give the original input schema of the server's tool."""
        return self._inputs.get(tool)

    def instructions(self, original: str | None) -> str:
        """Add what a model should know about references to a server's instructions."""
        return with_instructions(original)

    async def tools_list(self, result: Result) -> Result:
        """Rewrite a list of tools: references welcome, outputs widened, our own tools behind the last page."""
        tools = result.get("tools")
        if not isinstance(tools, list):
            return result
        self.learn(tools)
        listed = [self._rewritten(tool) for tool in tools]
        if not result.get("nextCursor"):
            listed += [tool.advertise(name) for name, tool in self._offered().items()]
        return {**result, "tools": listed}

    def _rewritten(self, tool: Any) -> Any:
        if not isinstance(tool, dict):
            return tool
        changed = dict(tool)
        if isinstance(tool.get("inputSchema"), dict):
            changed["inputSchema"] = advertise_references(tool["inputSchema"])
        if isinstance(tool.get("outputSchema"), dict):
            changed["outputSchema"] = allow_stored(tool["outputSchema"])
        return changed

    def _offered(self) -> dict[str, OwnTool]:
        """Our tools by the name they have beside the server's: a name that is taken gets a prefix."""
        offered: dict[str, OwnTool] = {}
        for name, tool in self._own_tools.items():
            free = name
            while free in self._inputs:
                free = PREFIX_ON_CLASH + free
            offered[free] = tool
        return offered

    def is_own(self, tool: str) -> bool:
        """Whether a call of this name is answered here."""
        return tool in self._offered()

    async def own_tool_call(self, name: str, arguments: Mapping[str, Any] | None) -> Result | None:
        """Answer a call of one of our own tools; ``None`` where the name is not ours."""
        tool = self._offered().get(name)
        if tool is None:
            return None
        with listed_as(self._renamed()):
            return await tool.call(arguments)

    def _renamed(self) -> dict[str, str]:
        """Our tools that a name of the server's made us rename: what they are called usually, and here."""
        offered = self._offered().items()
        return {tool.name: name for name, tool in offered if name != tool.name}

    async def arguments(
        self,
        tool: str,
        arguments: Any,
        schema: Schema | None = None,
        *,
        as_json: bool = False,
        pieces: Pieces | None = None,
    ) -> Any:
        """Resolve references in the arguments of a call; see ``coatcheck.arguments.resolver`` for the errors.

        Args:
            tool: The tool's name.
            arguments: Its arguments.
            schema: Its original input schema, where the caller knows better than the lists seen so far.
            as_json: Give large values as JSON that is ready for its place.
            pieces: Takes the parts of large values, for who frees them; see ``coatcheck.codec.let_go``.
        """
        types = self._types_of(tool, schema)
        lookup = AsyncLookup(lambda: self.explorer, as_json=as_json)
        resolved = await Resolver(lookup, types.at).resolve(arguments)
        if pieces is not None:
            pieces += lookup.pieces
        return resolved

    def _types_of(self, tool: str, schema: Schema | None) -> DeclaredTypes:
        """Give the types that a tool's arguments have, read once for each schema."""
        schema = self._inputs.get(tool, {}) if schema is None else schema
        known = self._types.get(tool)
        if known is None or known[0] is not schema:
            known = schema, DeclaredTypes(schema)
            if tool in self._inputs or len(self._types) < MOST_UNLISTED:
                self._types[tool] = known
        return known[1]

    async def read_object(self, uri: str) -> Result:
        """Answer ``resources/read`` for a stored object; see ``coatcheck.calls.stored_resources`` for the errors."""
        return await read_object(uri, self.explorer)

    def passes_unseen(self, tool: str, characters: int, room: int | None = None) -> bool:
        """Whether a result of at most so many characters passes as it is, so that nobody needs to look into it."""
        limit = self.limits.of(tool)
        if limit is None:
            return True
        return characters <= _narrowed(limit, room) and not self.limits.keeps_always(tool)

    async def result(
        self,
        tool: str,
        result: Result,
        *,
        has_output_schema: bool | None = None,
        listed: bool | None = None,
        room: int | None = None,
    ) -> Result:
        """Keep a large result and give what stands for it; every other comes back as the same object.

        Args:
            tool: The tool's name.
            result: Its result.
            has_output_schema: Whether it promised structured content, where the caller knows better.
            listed: Whether the server has a tool of this name, where the caller knows better.
            room: Characters that are left for it in its round; ``None`` for any number.
        """
        limit = self.limits.of(tool)
        if limit is None or not self._is_plain(result):
            return result
        limit = _narrowed(limit, room)
        if not exceeds(result, limit):
            if not self.limits.keeps_always(tool):
                return result
            with listed_as(self._renamed()):
                return await self._with_reference(tool, result)
        promised = tool in self._promised if has_output_schema is None else has_output_schema
        preview_limit = self.preview_limit
        if room is not None or self.limits.own_of(tool) is not None:
            preview_limit = min(preview_limit, max(limit, SHORTEST_PREVIEW))
        if has_large_binaries(result):
            made = await asyncio.to_thread(plan, result, preview_limit, has_output_schema=promised)
        else:
            made = plan(result, preview_limit, has_output_schema=promised)
        if made is None:
            return result
        with listed_as(self._renamed()):
            kept = await self._keep(made, tool)
        if kept.reference is None and not exceeds(result, self._response_limit):
            return result
        short = (
            build_error(made, kept.reference) if result.get("isError") else build(made, kept.reference, kept.preview)
        )
        if self.resource_links and kept.reference is not None:
            short = {**short, "content": [*short["content"], object_link(kept.reference, tool)]}
        size = total_characters(result, 4 * self.preview_limit)
        shown = total_characters(short, size)
        if shown > size:
            return result
        self.explorer.record_result(
            tool if (self.knows(tool) if listed is None else listed) else None,
            kept=kept.reference is not None,
            characters=seen_characters(result, kept.characters),
            shown=content_characters(short["content"], size),
        )
        return short

    async def _with_reference(self, tool: str, result: Result) -> Result:
        """Keep a result that passes whole, and add its reference."""
        if result.get("isError"):
            return result
        try:
            kept = await self.explorer.akeep(ToolResult(result), tool=tool, limit=SHORTEST_PREVIEW)
        except CoatcheckError:
            return result  # The model has the whole of it.
        if kept.reference is None:
            return result
        added = [{"type": "text", "text": f"[Kept: {kept.reference}]"}]
        if self.resource_links:
            added.append(object_link(kept.reference, tool))
        return {**result, "content": [*result["content"], *added]}

    async def _keep(self, made: Plan, tool: str) -> Kept:
        try:
            return await self.explorer.akeep(ToolResult(made.original), tool=tool, limit=made.room)
        except CoatcheckError as error:
            everything = all_text(made.original)
            text = error_text(everything, made.room, None)
            return Kept(None, f"This result was not kept: {error}\n\n{text}"[: made.room], len(everything))

    @staticmethod
    def _is_plain(result: Any) -> bool:
        """Whether this is a finished tool result, not a request for input and not a task."""
        return (
            isinstance(result, dict)
            and isinstance(result.get("content"), list)
            and result.get("resultType", "complete") == "complete"
        )


def _narrowed(limit: int, room: int | None) -> int:
    return limit if room is None else min(limit, max(room, ALWAYS_FREE))
