"""Wraps a server that has a command, by inserting words before its arguments, and unwraps it."""

import re
from collections.abc import Sequence

from coatcheck.installer.server_entries import Entry, ServerSkipped
from coatcheck.installer.text_spans import Edit, Member, Tree, quoted

_LEADING = re.compile(r"\r?\n[ \t]*\Z")


def wrap_command(tree: Tree, entry: Entry, wrapping: Sequence[str]) -> list[Edit]:
    """Return the edits that put ``LAUNCHER wrap … --`` before a command.

    The command moves into the arguments as it is written, so that unwrapping restores it exactly.

    Raises:
        ServerSkipped: Its command is not a string, or its arguments are not a list.
    """
    command, args = entry.node.find("command"), entry.node.find("args")
    if command is None or command.node.kind != "string" or not command.node.scalar:
        raise ServerSkipped("its command is not a string")
    words = ", ".join([*map(quoted, [*wrapping[1:], "--"]), tree.raw(command.node)])
    edits = [Edit(command.node.start, command.node.end, quoted(wrapping[0]))]
    if args is None:
        text = f"{separator(tree, command)}{args_key(tree, command)}[{words}]"
        return [*edits, Edit(command.node.end, command.node.end, text)]
    if args.node.kind == "other" and args.node.scalar is None:
        return [*edits, Edit(args.node.start, args.node.end, f"[{words}]")]
    items = args.node.items
    if args.node.kind != "array" or any(item.kind in {"object", "array"} for item in items):
        raise ServerSkipped("its args are not a list of strings")
    if not items:
        return [*edits, Edit(args.node.start + 1, args.node.start + 1, words)]
    first = items[0].start
    leading = _LEADING.search(tree.text, args.node.start, first)
    return [*edits, Edit(first, first, f"{words},{leading.group() if leading else ' '}")]


def unwrap_command(tree: Tree, entry: Entry, original: Entry | None) -> list[Edit]:
    """Return the edits that unwrap an entry, to its original as far as that is known.

    Raises:
        ServerSkipped: It was wrapped manually, with options that ``install`` does not write.
    """
    command, args = entry.node.find("command"), entry.node.find("args")
    wrapping = entry.wrapping if original is None else entry.all_wrapping
    ours = len(wrapping)
    if command is None or args is None or not ours:
        raise ServerSkipped("it is not wrapped")
    if entry.words[ours : ours + 1] != ["--"] or len(entry.words) <= ours + 1:
        raise ServerSkipped("it is wrapped with options of its own")
    items = args.node.items
    moved = items[ours]  # the words begin with the command, the items do not
    if moved.kind != "string":
        raise ServerSkipped("its command is not a string")
    edits = [Edit(command.node.start, command.node.end, tree.raw(moved))]
    rest = items[ours + 1 :]
    old_args = original.node.find("args") if original is not None else None
    if not rest and old_args is not None and old_args.node.kind != "array":
        return [*edits, Edit(args.node.start, args.node.end, "null")]
    had_args = original is None or old_args is not None
    if not rest and not had_args and _follows(tree, args, command):
        return [*edits, Edit(command.node.end, args.node.end, "")]
    return [*edits, Edit(items[0].start, _end_of_words(tree, moved.end, rest[0].start if rest else None), "")]


def _end_of_words(tree: Tree, end: int, following: int | None) -> int:
    """Find the end of our words: up to the next argument, but not past a comment."""
    if following is None:
        return end
    between = tree.text[end:following]
    if between.strip() == ",":
        return following
    return end + len(between) - len(between.lstrip()) + 1 if between.lstrip().startswith(",") else end


def _follows(tree: Tree, second: Member, first: Member) -> bool:
    """Whether a member comes directly after another."""
    return first.node.end <= second.key_start and tree.text[first.node.end : second.key_start].strip() in {"", ","}


def separator(tree: Tree, member: Member) -> str:
    """Return the separator between a member and one that is added after it."""
    line_start = max(tree.text.rfind("\n", 0, member.key_start), 0)
    leading = _LEADING.search(tree.text, max(line_start - 1, 0), member.key_start)
    if not member.on_line:
        return f",{leading.group() if leading else ' '}"
    return leading.group() if leading else tree.newline


def args_key(tree: Tree, member: Member) -> str:
    """Write the key ``args``, and what is between it and its value, as in the member beside it."""
    quote = tree.text[member.key_end - 1]
    between = tree.text[member.key_end : member.node.start]
    if between.strip() not in {":", "="}:
        between = ": "  # it contains a comment; in TOML it cannot
    return f"{member.prefix}{quote}args{quote}{between}" if quote in "\"'" else f"{member.prefix}args{between}"
