"""``slice``: items, members, lines or characters by position, as many as fit."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from coatcheck.errors import ArgumentRejected, counted
from coatcheck.explorer.operations.clipping import ELLIPSIS, Page, bounded_json, cut_middle, one_line, scalar_json
from coatcheck.explorer.operations.document import Answer, Document, locate, place
from coatcheck.explorer.previews.wording import mark_further_lines, mark_lines
from coatcheck.references import Key


def slice_part(document: Document, args: dict[str, Any]) -> Answer:
    """Show positions ``start`` to ``end`` (not included; negative ones count from the end) of a part.

    These are the items of a list, the members of an object, the lines of a text, the characters of a single line, or
    the items or members of a text that is a document or a table.

    Raises:
        ArgumentRejected: The part has no positions.
    """
    value = locate(document, args.get("path") or "")
    if isinstance(value, str):
        opened = document.open_text(value)
        value = value if opened is None else opened
    if isinstance(value, (list, dict)):
        return _members(value, args)
    if isinstance(value, str):
        return _lines(value, args) if "\n" in value.rstrip("\n") else _characters(value, args)
    raise ArgumentRejected(f"{place(args)} is a single value without positions: read it whole, without start and end.")


def _members(value: list[Any] | dict[str, Any], args: dict[str, Any]) -> Answer:
    positions = range(len(value))[args.get("start") : args.get("end")]
    noun = "item" if isinstance(value, list) else "key"
    page = Page(args["limit"], _head(noun, positions, len(value), args))
    for position, (name, member) in zip(positions, _chosen(value, positions), strict=False):
        label = f"{name} "
        text, whole = bounded_json(member, page.remaining - len(label))
        if whole:
            page.add(label + text)
            continue
        if page.count:
            return _rest(page, noun, position, positions, args)
        if isinstance(member, str):
            text = scalar_json(cut_middle(member, page.remaining * 2 // 3), page.remaining)
        page.add(f"{label}{text[: max(page.remaining - len(label) - 2, 0)]} {ELLIPSIS}")
        return _too_long(page, noun, f"{args.get('path') or ''}{name}", position, positions)
    return _answer(page.finish(), page.count, len(positions))


def _chosen(value: list[Any] | dict[str, Any], positions: range) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        return ((f"[{position}]", value[position]) for position in positions)
    return ((str(Key(name)), member) for name, member in islice(value.items(), positions.start, positions.stop))


def _lines(text: str, args: dict[str, Any]) -> Answer:
    count = text.count("\n") + (not text.endswith("\n"))
    positions = range(count)[args.get("start") : args.get("end")]
    page = Page(args["limit"], _head("line", positions, count, args))
    begin = _offset_of_line(text, positions.start) if positions else 0
    for position in positions:
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end
        label = f"{position}: "
        if end - begin + len(label) <= page.remaining and page.add(label + mark_further_lines(text[begin:end])):
            begin = end + 1
            continue
        if page.count:
            return _rest(page, "line", position, positions, args)
        page.add(label + one_line(cut_middle(text[begin:end], (page.remaining - len(label)) // 2)))
        return _too_long(page, "line", f"{args.get('path') or ''}[{begin}:{end}]", position, positions)
    return _answer(page.finish(), page.count, len(positions))


def _offset_of_line(text: str, line: int) -> int:
    offset = 0
    for _ in range(line):
        offset = text.find("\n", offset) + 1
    return offset


def _characters(text: str, args: dict[str, Any]) -> Answer:
    positions = range(len(text))[args.get("start") : args.get("end")]
    page = Page(args["limit"], _head("character", positions, len(text), args))
    shown = text[positions.start : positions.start + min(len(positions), page.remaining)] if positions else ""
    shown = shown[: len(shown) - max(len(mark_lines(shown)) - page.remaining, 0)]
    if shown:
        page.add(mark_lines(shown))
    if len(shown) < len(positions):
        return _rest(page, "character", positions.start + len(shown), positions, args, shown=len(shown))
    return _answer(page.finish(), len(shown), len(positions))


def _head(noun: str, positions: range, total: int, args: dict[str, Any]) -> str:
    if not positions:
        return f"No {noun}s in that range: {place(args)} has {total:,}, counted from 0."
    if len(positions) == total:
        return f"All {counted(total, noun)} of {place(args)}, counted from 0:"
    one = f"{noun.capitalize()} {positions.start:,}"
    shown = one if len(positions) == 1 else f"{noun.capitalize()}s {positions.start:,} to {positions[-1]:,}"
    return f"{shown} of {total:,} (counted from 0) of {place(args)}:"


def _rest(
    page: Page, noun: str, position: int, positions: range, args: dict[str, Any], shown: int | None = None
) -> Answer:
    end = "" if args.get("end") is None else f", end={positions.stop}"
    left = positions.stop - position
    verb = "does" if left == 1 else "do"
    more = counted(left, f"more {noun}")
    remark = f"{ELLIPSIS} {more} of that range {verb} not fit: continue with start={position}{end}."
    return _answer(page.finish(remark), page.count if shown is None else shown, len(positions))


def _too_long(page: Page, noun: str, path: str, position: int, positions: range) -> Answer:
    quoted = f"'{path}'" if '"' in path else f'"{path}"'
    remark = f"{ELLIPSIS} That {noun} is longer than the answer may be. Look into it with path={quoted}"
    following = f"; the next {noun}: start={position + 1}" if position + 1 < positions.stop else ""
    return _answer(page.finish(f"{remark}{following}."), 1, len(positions))


def _answer(text: str, shown: int, requested: int) -> Answer:
    return Answer(text, facts={"shown": shown, "asked": requested})
