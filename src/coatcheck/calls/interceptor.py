"""Rewrites tool lists, calls and results, independent of transport and SDK."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

from coatcheck.arguments.declared_types import DeclaredTypes
from coatcheck.arguments.input_schemas import advertise_references, resolves_references_itself
from coatcheck.arguments.json_pointers import Schema
from coatcheck.arguments.lookup import Lookup
from coatcheck.arguments.output_schemas import allow_stored
from coatcheck.arguments.resolver import Resolver
from coatcheck.calls.built_in_tools import OwnTool
from coatcheck.calls.host_profiles import (
    UI_KEYS,
    UNKNOWN_CLIENT,
    Client,
    StructuredContent,
    has_view,
    is_for_the_app_alone,
    profile_of,
    result_form,
    with_raised_limit,
)
from coatcheck.calls.instructions import instructions_for
from coatcheck.calls.limits import CallBudget, Limits, reduced_limit
from coatcheck.calls.long_messages import LONG_MESSAGE, LongMessages
from coatcheck.calls.prepared_call import PreparedCall, with_filter_parameter, without_filter
from coatcheck.calls.result_keeper import Origin, ResultKeeper
from coatcheck.calls.result_plan import all_text
from coatcheck.calls.stored_resources import object_id_of, read_object
from coatcheck.codec import PART_LEVELS, Spliced, amap, dump_json, is_deeper, readable_part
from coatcheck.codec.characters import text_of
from coatcheck.codec.tool_results import Result, blocks_of, structured_of, text_block, text_result, wire_result
from coatcheck.errors import ArgumentRejected, ObjectNotFound, UpstreamError
from coatcheck.explorer import Explorer
from coatcheck.explorer.tool_names import listed_as, name_without_clash
from coatcheck.store.call_mode import ASYNC

MOST_UNLISTED = 1_000
"""Unlisted tools whose types are cached."""

FilterArgument: TypeAlias = Literal["off", "accepted", "advertised"]

CODES_FOR_CLIENTS = frozenset({-32042, -32022, -32021})
"""Codes of errors whose ``data`` clients read, and no model: the pages to open, and the revisions to use."""

MAX_TOOLS = 10_000
"""Tools whose schemas are cached; for a server that lists new names each time, the most recently listed ones."""


class Interceptor:
    """Keeps large results, resolves references in arguments and offers our own tools, for one server.

    It caches the schemas of listed tools; it has no reference to results or a transport.

    Attributes:
        knows_all: Whether the last page of the list has been seen, so that the names of our tools are known.

    Args:
        explorer: The explorer, or a provider of it that is called at every use.
        inline_limit: Characters up to which a result passes as the same object, unless ``limits`` is given.
        preview_limit: Maximum characters of the preview of a larger one.
        response_limit: Characters up to which a result that could not be kept is passed whole.
        own_tools: Tools to add to the server's, by name.
        limits: Limits by tool and for concurrent calls, in place of ``inline_limit``.
        filter_argument: Whether every tool takes ``_filter``, and whether schemas list it.
        object_tools: Names under which the object tools are offered, for the instructions.
        resource_links: Whether stored results are also returned as resource links, for hosts that read resources.
        structured_content: Whether ``structuredContent`` of large results stays whole; ``auto`` depends on the client.
        host_profile: The profile of the host; ``auto`` goes by its name.
    """

    def __init__(
        self,
        explorer: Explorer | Callable[[], Explorer],
        *,
        inline_limit: int = 8_000,
        preview_limit: int = 4_000,
        response_limit: int = 20_000,
        own_tools: Mapping[str, OwnTool] | None = None,
        limits: Limits | None = None,
        filter_argument: FilterArgument = "accepted",
        object_tools: Iterable[str] = (),
        resource_links: bool = False,
        structured_content: StructuredContent = "auto",
        host_profile: str = "auto",
    ) -> None:
        self._explorer = explorer
        self._structured_content = structured_content
        self._host_profile = host_profile
        self._filter_argument = filter_argument
        self.instructions = instructions_for(object_tools, filters=filter_argument == "accepted")
        self.limits = limits or Limits(inline_limit)
        self.resource_links = resource_links
        self._keeper = ResultKeeper(
            lambda: self.explorer,
            self.limits,
            preview_limit=preview_limit,
            response_limit=response_limit,
            resource_links=resource_links,
            renamed=self._renamed,
        )
        self._own_tools = dict(own_tools or {})
        self._inputs: dict[str, Schema] = {}
        self.knows_all = False
        self._types: dict[str, tuple[Schema, DeclaredTypes]] = {}
        self._promised: set[str] = set()
        self._ui_tools: dict[str, Any] = {}
        self._decorated: set[str] = set()

    @property
    def explorer(self) -> Explorer:
        """The current explorer."""
        return self._explorer if isinstance(self._explorer, Explorer) else self._explorer()

    def learn(self, tools: Iterable[Any]) -> None:
        """Cache the schemas of tools as the server lists them."""
        for tool in tools:
            self._learn_tool(tool)

    def _learn_tool(self, tool: Any) -> None:
        if isinstance(tool, dict) and isinstance(tool.get("name"), str):
            name = tool["name"]
            schema = tool.get("inputSchema")
            self._inputs.pop(name, None)
            self._inputs[name] = schema if isinstance(schema, dict) else {}
            if len(self._inputs) > MAX_TOOLS:
                oldest = next(iter(self._inputs))
                del self._inputs[oldest]
                self._promised.discard(oldest)
                self._ui_tools.pop(oldest, None)
                self._decorated.discard(oldest)
            (self._decorated.add if resolves_references_itself(tool) else self._decorated.discard)(name)
            (self._promised.add if isinstance(tool.get("outputSchema"), dict) else self._promised.discard)(name)
            if has_view(tool) or is_for_the_app_alone(tool):
                self._ui_tools[name] = {"_meta": {key: tool["_meta"].get(key) for key in UI_KEYS}}
            else:
                self._ui_tools.pop(name, None)

    async def alearn(self, page: Result) -> None:
        """Cache the tools of one page of the list, yielding to the event loop."""
        await amap(self._learn_tool, page["tools"])
        self.knows_all = self.knows_all or not page.get("nextCursor")

    def has_listed(self, tool: str) -> bool:
        """Whether the server's tool has been seen in a list."""
        return tool in self._inputs

    def schema_of(self, tool: str) -> Schema | None:
        """Return the original input schema of the server's tool."""
        return self._inputs.get(tool)

    async def tools_list(self, result: Result, *, encoded: bool = False) -> Result:
        """Rewrite a list of tools: advertise references, widen output schemas, add our own tools to the last page.

        ``encoded``: the list is returned as JSON, so that a long one is not in memory twice.
        """
        tools = result.get("tools")
        if not isinstance(tools, list):
            return result
        await self.alearn(result)
        own = [] if result.get("nextCursor") else self._tools_by_listed_name().items()
        advertised = [tool.advertise(name) for name, tool in own]
        if encoded:
            written = await amap(lambda tool: dump_json(self._rewritten(tool)), tools)
            written += map(dump_json, advertised)
            return {**result, "tools": Spliced(b"[%b]" % b",".join(written))}
        return {**result, "tools": await amap(self._rewritten, tools) + advertised}

    def _rewritten(self, tool: Any) -> Any:
        if not isinstance(tool, dict):
            return tool
        changed = dict(tool)
        if isinstance(tool.get("name"), str) and self.limits.of(tool["name"]) is None:
            changed = with_raised_limit(changed)
        if isinstance(tool.get("inputSchema"), dict):
            schema = advertise_references(tool["inputSchema"])
            changed["inputSchema"] = with_filter_parameter(schema) if self._filter_argument == "advertised" else schema
        if isinstance(tool.get("outputSchema"), dict):
            changed["outputSchema"] = allow_stored(tool["outputSchema"])
        if is_deeper(changed, PART_LEVELS):  # clients could not read the whole list
            changed = {key: value for key, value in changed.items() if not is_deeper(value, PART_LEVELS - 1)}
            changed.setdefault("inputSchema", {"type": "object"})
        return changed

    def _tools_by_listed_name(self) -> dict[str, OwnTool]:
        """Our tools by listed name: a name that the server uses gets a prefix."""
        return {name_without_clash(name, self._inputs): tool for name, tool in self._own_tools.items()}

    def is_own(self, tool: str) -> bool:
        """Whether one of coatcheck's tools has this name."""
        # A prefix is the only difference of a listed name; most calls are of the server's tools.
        return tool.endswith(tuple(self._own_tools)) and tool in self._tools_by_listed_name()

    async def own_tool_call(self, name: str, arguments: Mapping[str, Any] | None) -> Result | None:
        """Answer a call of one of coatcheck's tools; ``None`` if the name is not ours."""
        tool = self._tools_by_listed_name().get(name)
        if tool is None:
            return None
        with listed_as(self._renamed()):
            return await tool.call(arguments)

    def _renamed(self) -> dict[str, str]:
        """Our tools that were renamed because of a name clash: usual name to listed name."""
        offered = self._tools_by_listed_name().items()
        return {tool.name: name for name, tool in offered if name != tool.name}

    async def prepare(
        self,
        tool: str,
        arguments: Any,
        schema: Schema | None = None,
        *,
        as_json: bool = False,
        resolves_itself: bool | None = None,
        reserve: Callable[[int], Awaitable[None]] | None = None,
    ) -> PreparedCall:
        """Prepare the arguments of a call for the server: resolve references and remove our own argument.

        Args:
            tool: The tool's name.
            arguments: Its arguments.
            schema: Its original input schema, if the caller has it; by default the one that was listed.
            as_json: Return large values as encoded JSON to be inserted as it is.
            resolves_itself: Whether the tool resolves references itself, in the same store. By default its description
                decides; then it has another store, and gets the arguments unchanged unless all objects are in ours.
            reserve: Called with the bytes of each object before it is read.

        Raises:
            CoatcheckError: See ``coatcheck.arguments.resolver``; or a filter that does not compile.
        """
        schema = self._inputs.get(tool, {}) if schema is None else schema
        program = None
        if self._filter_argument != "off":
            arguments, program = without_filter(arguments, self._types_of(tool, schema))
            if program is not None:
                await self.explorer.acheck_filter(program)
        if resolves_itself:
            return PreparedCall(arguments, filter=program)
        lookup = Lookup(lambda: self.explorer, ASYNC, as_json=as_json, reserve=reserve)
        resolver = Resolver(lookup, self._types_of(tool, schema).at)
        has_own_store = resolves_itself is None and tool in self._decorated
        try:
            resolved = await resolver.resolve(arguments)
        except ObjectNotFound:
            if not has_own_store:
                raise
            return PreparedCall(arguments, filter=program)
        if has_own_store and not resolver.sources:
            return PreparedCall(arguments, filter=program)
        if as_json and resolved is not arguments and is_deeper(resolved, PART_LEVELS):
            raise ArgumentRejected(
                f"With the values of their references, the arguments are nested deeper than {PART_LEVELS} levels, "
                "which servers do not read. Pass a part of a value, by a longer path."
            )
        return PreparedCall(resolved, resolver.notes, program, lookup.chunks)

    def _types_of(self, tool: str, schema: Schema) -> DeclaredTypes:
        """Return the types of a tool's arguments, computed once for each schema."""
        known = self._types.get(tool)
        if known is None or known[0] is not schema:
            known = schema, DeclaredTypes(schema)
            if tool in self._inputs or len(self._types) < MOST_UNLISTED:
                self._types[tool] = known
        return known[1]

    async def find_object(self, uri: str) -> None:
        """Check that the stored object of an address exists; see ``read_object`` for the errors."""
        await self.explorer.store.ametadata(object_id_of(uri))

    async def read_object(self, uri: str) -> Result:
        """Answer ``resources/read`` for a stored object; see ``coatcheck.calls.stored_resources`` for the errors."""
        return await read_object(uri, self.explorer)

    def passes_unparsed(self, tool: str, characters: int, budget: CallBudget) -> bool:
        """Whether a result of at most ``characters`` passes unchanged; if so they count in the budget."""
        limit = self.limits.of(tool)
        if limit is not None:
            limit = reduced_limit(limit, budget.remaining(self.limits.for_concurrent_calls))
            if characters > limit or self.limits.always_keeps(tool):
                return False
        budget.spent += characters
        return True

    async def result(
        self,
        tool: str,
        result: Result,
        *,
        call: PreparedCall | None = None,
        budget: CallBudget | None = None,
        has_output_schema: bool | None = None,
        listed: bool | None = None,
        client: Client = UNKNOWN_CLIENT,
        is_of_view: bool = False,
        server: str = "",
    ) -> Result:
        """Store a large result and return its replacement; return any other as the same object.

        Args:
            tool: The tool's name.
            result: Its result.
            call: The result of ``prepare``.
            budget: The budget of concurrent calls.
            has_output_schema: Whether it has an output schema, if the caller knows; by default from its listed entry.
            listed: Whether the server has a tool of this name, if the caller knows.
            client: The client that called.
            is_of_view: Whether a view of the client made the call, as far as this is known.
            server: The server's name from its handshake, for statistics.
        """
        known = self._ui_tools.get(tool)
        if is_for_the_app_alone(known):
            return readable_part(result)  # No model reads it.
        form = result_form(
            client,
            known,
            server_has_apps=any(map(has_view, self._ui_tools.values())),
            structured_content=self._structured_content,
            host_profile=self._host_profile,
        )
        if form == "whole" and has_view(known) and (is_of_view or structured_of(result) is None):
            return readable_part(result)  # The view reads the content too, or has nothing else.
        origin = Origin(
            tool,
            is_listed=self.has_listed(tool) if listed is None else listed,
            promises_structure=tool in self._promised if has_output_schema is None else has_output_schema,
            call=PreparedCall(None) if call is None else call,
            structure_stays=form == "whole",
            host=profile_of(client, self._host_profile),
            server=server,
        )
        return await self._keeper.keep(result, origin, budget)

    async def result_in_turn(self, tool: str, result: Result, **options: Any) -> Result:
        """Do the same with a result of this process, in turn if it is long; see ``result`` for the options."""
        size = sum(len(text_of(block) or "") for block in blocks_of(result))
        if size <= LONG_MESSAGE:
            return await self.result(tool, result, **options)
        try:
            turn = await LongMessages.of_loop().turn(size, options.get("budget"))
        except UpstreamError as error:
            return text_result(str(error), is_error=True)
        try:
            return await self.result(tool, result, **options)
        finally:
            turn.end()

    async def error(self, tool: str, error: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Replace a large JSON-RPC error of a call; its code stays. See ``result`` for the options."""
        result = _as_result(error)
        short = await self.result(tool, result, **options)
        return error if short is result else _shortened(error, result, short)


def _as_result(error: dict[str, Any]) -> Result:
    """Return what a model may read of a JSON-RPC error, as the result of a tool that failed."""
    data = None if error["code"] in CODES_FOR_CLIENTS else error.get("data")
    others = {name: member for name, member in error.items() if name not in {"code", "message", "data"}}
    structure = data if not others else others if data is None else {"data": data, **others}
    return wire_result([text_block(error["message"])], structure, None, is_error=True)


def _shortened(error: dict[str, Any], result: Result, short: Result) -> dict[str, Any]:
    """Return an error with the texts of the result that replaces it, and with its structure if that is another one."""
    shortened, structure = {**error, "message": all_text(short)}, structured_of(short)
    if structure is structured_of(result):
        return shortened
    data = error.get("data") if error["code"] in CODES_FOR_CLIENTS else structure
    return {"code": error["code"], "message": shortened["message"]} | ({} if data is None else {"data": data})
