"""Decides about a tool result: it passes unchanged, or is stored and replaced by a preview or a filter's result."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from coatcheck.calls.host_profiles import DEFAULT, HostProfile, inline_characters
from coatcheck.calls.limits import NEVER_DENSE, CallBudget, Limits, reduced_limit
from coatcheck.calls.prepared_call import FILTER, PreparedCall
from coatcheck.calls.result_plan import (
    UNREADABLE,
    Plan,
    all_text,
    build,
    build_error,
    error_text,
    has_large_binaries,
    plan,
    stored_marker,
)
from coatcheck.calls.stored_resources import object_link
from coatcheck.codec import PART_LEVELS, ToolResult, is_deeper, readable_part
from coatcheck.codec.characters import text_of
from coatcheck.codec.tool_results import (
    STRUCTURED,
    Result,
    ResultSize,
    blocks_of,
    is_finished,
    measure_result,
    seen_characters,
    structured_of,
    text_block,
    with_content,
    with_meta,
    with_structured,
)
from coatcheck.errors import CoatcheckError, PathNotFound
from coatcheck.explorer import Explorer, Kept
from coatcheck.explorer.previews.token_estimate import estimate_tokens
from coatcheck.explorer.previews.wording import mark_lines
from coatcheck.explorer.tool_names import listed_as

SHORTEST_PREVIEW = 500
"""Minimum limit of a preview, whatever its tool or budget allows: it must fit the reference and the next calls."""

OMITTED = "coatcheck/omitted"
"""The member of a result's ``_meta`` that shows programs what was left out."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a result."""

    tool: str
    is_listed: bool  # whether the server has a tool of this name; others are not counted by name
    promises_structure: bool  # whether the tool has an output schema
    call: PreparedCall  # what remained to be done after the call was prepared
    structure_stays: bool = False  # whether `structuredContent` stays whole, for a view or a script of the client
    host: HostProfile = DEFAULT  # how the client handles results
    server: str = ""  # the server's name from its handshake, if it is known


class ResultKeeper:
    """Keeps the results of one server's tools.

    A result that could not be kept is passed whole up to ``response_limit`` characters; ``renamed`` returns the listed
    names of our tools that were renamed, for previews.
    """

    def __init__(
        self,
        explorer: Callable[[], Explorer],
        limits: Limits,
        *,
        preview_limit: int,
        response_limit: int,
        resource_links: bool,
        renamed: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._explorer = explorer
        self._limits = limits
        self._preview_limit = preview_limit
        self._response_limit = response_limit
        self._resource_links = resource_links
        self._renamed = renamed

    async def keep(self, result: Result, origin: Origin, budget: CallBudget | None) -> Result:
        """Return the replacement of a result; the same object if it passes."""
        if not is_finished(result):
            return result
        limit = self._limits.of(origin.tool)
        has_filter = origin.call.filter is not None and not result.get("isError")
        if limit is None and not has_filter:
            return with_notes(readable_part(result), origin.call.notes)
        size = _measured(result, origin, max(limit or 0, 4 * self._preview_limit, self._response_limit))
        available = None
        if budget is not None and limit is not None:
            available = budget.remaining(self._limits.for_concurrent_calls)
        weight = size.larger if limit is None else self._weight(result, size, limit)
        passes = limit is not None and weight <= reduced_limit(limit, available)
        if passes and is_deeper(result, PART_LEVELS):
            size, passes = UNREADABLE, False
        if passes and not has_filter and not self._limits.always_keeps(origin.tool):
            if budget is not None:
                budget.spent += weight
            return with_notes(result, origin.call.notes)
        with listed_as(self._renamed()):
            changed = await self._within_budget(result, size, origin, budget, available)
        return with_notes(readable_part(changed), origin.call.notes)

    async def _within_budget(
        self, result: Result, size: ResultSize, origin: Origin, budget: CallBudget | None, available: int | None
    ) -> Result:
        if budget is None or available is None:
            changed = await self._replacement(result, size, origin, None)
        else:
            # Counted before the first await, so that concurrent results see each other.
            expected = min(size.larger, self._preview_limit)
            budget.spent += expected
            changed = await self._replacement(result, size, origin, available)
            shown = size if changed is result else _measured(changed, origin, size.larger)
            budget.spent += shown.larger - expected
        return changed

    async def _replacement(self, result: Result, size: ResultSize, origin: Origin, available: int | None) -> Result:
        kept: Kept | None = None
        if origin.call.filter is not None and not result.get("isError"):
            kept = await self._stored(result, origin.tool)
            answer = await self._filtered(result, kept, origin.call)
            if answer is not None:
                return self._replaced(result, size, origin, kept, _filter_result(result, origin, kept, answer))
        limit = self._limit(result, origin)
        if limit is None:
            return result
        limit = reduced_limit(limit, available)
        always = self._limits.always_keeps(origin.tool)
        if self._weight(result, size, limit) <= limit:
            return await self._with_reference(result, origin, kept) if always else result
        notice_limit = self._preview_limit
        if available is not None or self._limits.tool_limit(origin.tool) is not None:
            notice_limit = min(notice_limit, max(limit, SHORTEST_PREVIEW))
        promises = origin.promises_structure
        if has_large_binaries(result):
            notice_plan = await asyncio.to_thread(plan, result, size, notice_limit, has_output_schema=promises)
        else:
            notice_plan = plan(result, size, notice_limit, has_output_schema=promises)
        if notice_plan is None:
            return await self._with_reference(result, origin, kept) if always else result
        kept = await self._previewed(notice_plan, origin.tool, kept)
        if kept.reference is None and size.larger <= self._response_limit:
            return result
        short = (
            build_error(notice_plan, kept.reference, kept.preview)
            if result.get("isError")
            else build(notice_plan, kept.reference, kept.preview)
        )
        return self._replaced(result, size, origin, kept, short)

    def _weight(self, result: Result, size: ResultSize, limit: int) -> int:
        """Return the characters of a result, or more if it has more tokens than ordinary text of that length."""
        if size.larger > limit or size.larger * NEVER_DENSE <= limit:
            return size.larger
        tokens = estimate_tokens(all_text(result), size.text)
        if size.structure:
            tokens = max(tokens, estimate_tokens(structured_of(result), size.structure))
        return max(size.larger, round(tokens * self._limits.characters_per_token))

    def _limit(self, result: Result, origin: Origin) -> int | None:
        """Return the limit of a tool's results, or the size that its host shows without cutting it."""
        limit = self._limits.of(origin.tool)
        if limit is None or not self._limits.adapts_to_host or self._limits.tool_limit(origin.tool) is not None:
            return limit
        first = next((text for block in blocks_of(result) if (text := text_of(block)) is not None), "")
        return inline_characters(origin.host, limit, first)

    def _replaced(self, result: Result, size: ResultSize, origin: Origin, kept: Kept, short: Result) -> Result:
        """Add metadata for hosts and programs, and count the saving; return the result itself if nothing was stored."""
        shown = _measured(short, origin, size.total + 1)
        if origin.call.filter is None and shown.total > size.total:
            return result
        characters = seen_characters(result, kept.characters)
        if kept.reference is not None:
            if self._resource_links:
                short = with_content(short, [*blocks_of(short), object_link(kept.reference, origin.tool)])
            omitted = {"reference": kept.reference, "size": characters, "shown": shown.text}
            if kept.expires is not None:
                omitted["expires"] = kept.expires
            short = with_meta(short, OMITTED, omitted)
        self._explorer().store.record_result(
            origin.tool if origin.is_listed else None,
            reference=kept.reference,
            characters=characters,
            shown=shown.text,
            server=origin.server,
        )
        return short

    async def _filtered(self, result: Result, kept: Kept, call: PreparedCall) -> str | None:
        """Apply a call's filter to its stored result; ``None``, with a note, if it fails, because the tool has run."""
        if kept.reference is None or call.filter is None:
            call.notes.append(f"{FILTER} was not applied, for the result could not be kept.")
            return None
        explorer = self._explorer()
        try:
            if structured_of(result) is not None:
                # If the result has text too, the structure is a part of the stored value, and a filter is meant for
                # that part.
                with suppress(PathNotFound):
                    return await explorer.aquery(kept.reference, call.filter, STRUCTURED)
            return await explorer.aquery(kept.reference, call.filter)
        except CoatcheckError as error:
            call.notes.append(f"{FILTER} was not applied: {error} The whole result is {kept.reference}.")
            return None

    async def _with_reference(self, result: Result, origin: Origin, kept: Kept | None) -> Result:
        """Store a result that passes whole, and add its reference."""
        if result.get("isError"):
            return result
        kept = kept or await self._stored(result, origin.tool)
        if kept.reference is None:
            return result  # The model has read all of it.
        added: list[Any] = [text_block(f"[Kept: {kept.reference}]")]
        if self._resource_links:
            added.append(object_link(kept.reference, origin.tool))
        return with_content(result, [*blocks_of(result), *added])

    async def _stored(self, result: Result, tool: str) -> Kept:
        """Store a result of which no preview is shown."""
        try:
            return await self._explorer().akeep(ToolResult(result), tool=tool, limit=SHORTEST_PREVIEW)
        except CoatcheckError:
            return Kept(None, "")

    async def _previewed(self, notice_plan: Plan, tool: str, kept: Kept | None) -> Kept:
        try:
            if kept is None or kept.reference is None:
                return await self._explorer().akeep(
                    ToolResult(notice_plan.original), tool=tool, limit=notice_plan.remaining
                )
            explorer = self._explorer().with_limits(preview_limit=notice_plan.remaining)
            return kept._replace(preview=await explorer.apreview(kept.reference))
        except CoatcheckError as error:
            everything = all_text(notice_plan.original)
            text = error_text(everything, notice_plan.remaining, None)
            text = mark_lines(text) if text is everything else text
            return Kept(None, f"This result was not kept: {error}\n\n{text}"[: notice_plan.remaining], len(everything))


def _measured(result: Result, origin: Origin, most: int) -> ResultSize:
    """Measure what a model may read of a result: only the content if the structure is for a view or a script."""
    size = measure_result(result, most)
    return replace(size, structure=0) if origin.structure_stays else size


def _filter_result(result: Result, origin: Origin, kept: Kept, answer: str) -> Result:
    """Build a result that shows the result of a filter."""
    reference = f"[What {FILTER} gave. The whole result: {kept.reference}]"
    short = with_content(result, [text_block(answer), text_block(reference)])
    if origin.promises_structure or structured_of(result) is not None:
        return with_structured(short, stored_marker(kept.reference, answer, len(answer) + 200))
    return short


def with_notes(result: Result, notes: list[str]) -> Result:
    """Append notes to the content of a result; without notes return the same object."""
    if not notes:
        return result
    return with_content(result, [*blocks_of(result), *(text_block(f"[Note: {note}]") for note in notes)])
