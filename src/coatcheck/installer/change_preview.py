"""Shows the changes of a file without its secrets."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from urllib.parse import urlsplit

from coatcheck.installer.client_registry import Client
from coatcheck.installer.server_entries import entries_of
from coatcheck.installer.server_reader import TOOL_LISTS
from coatcheck.installer.text_spans import Edit, Node, Tree, quoted
from coatcheck.installer.tool_lists import KEYS

MASK = "•••"
_LEAST_SECRET = 6
"""Shorter values are words such as ``true`` and ``debug``, which occur in any text."""
_SHOWN = {"command", "args", "type", "transport", "url", "httpUrl", "serverUrl", "cwd", *KEYS, *TOOL_LISTS}
_SECRET_WORD = re.compile(r"key|token|secret|passw|pwd|auth|credential|bearer|header|cookie", re.IGNORECASE)
_KNOWN_TOKEN = re.compile(r"\b(?:gh[a-z]_|github_pat_|glpat-|sk-|xox[a-z]-|eyJ)[\w.-]{8,}")
"""Tokens that are recognised by their prefix."""
_COMMENT_START = re.compile(r"//|/\*|[#*](?!/)|")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_VARIABLE_HEADER = re.compile(r"[^:]+: \$COATCHECK_HEADER_\w+")
_CONTEXT = 3
"""Lines that are shown around a change."""
_MOST_CHARACTERS = 600
"""Characters of a line that are shown on each side of a change: some programs write a whole file as one line."""
_MOST_COMPARED = 5_000
"""Characters that are compared line by line at once; that takes longer than linear time."""


def show_changes(trees: tuple[Tree, Tree], edits: Sequence[Edit], client: Client, name: str) -> str:
    """Return the unified difference that edits make, in time linear in the edits.

    Only names and the servers' commands, arguments and addresses are shown. All other text is masked, as are comments
    and everything in those parts that looks secret.
    """
    old, new = (_MaskedText(tree, client) for tree in trees)
    lines = [f"--- {name}", f"+++ {name} (new)"]
    shift = 0
    for group in _groups(trees[0].text, edits):
        start, end = group[0].start, group[-1].end
        grown = sum(len(edit.text) - (edit.end - edit.start) for edit in group)
        before = old.lines(start, end)
        after = new.lines(start + shift, end + shift + grown)
        lines += _hunks(before, after, old.line_number(start), new.line_number(start + shift))
        shift += grown
    return "\n".join("".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line) for line in lines)


def _groups(text: str, edits: Sequence[Edit]) -> Iterator[list[Edit]]:
    """Merge edits that are a few lines apart, up to a size that can be compared at once."""
    group: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if group and not (
            edit.start - group[-1].end < 4 * _MOST_CHARACTERS
            and text.count("\n", group[-1].end, edit.start) <= 2 * _CONTEXT
            and edit.start - group[0].start < _MOST_COMPARED
        ):
            yield group
            group = []
        group.append(edit)
    if group:
        yield group


def _hunks(before: list[str], after: list[str], old_line: int, new_line: int) -> Iterator[str]:
    """Write hunks; the pieces that are compared begin on the given lines."""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for opcodes in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = opcodes[0], opcodes[-1]
        old, new = f"{old_line + first[1]},{last[2] - first[1]}", f"{new_line + first[3]},{last[4] - first[3]}"
        yield f"@@ -{old} +{new} @@"
        for kind, old_start, old_end, new_start, new_end in opcodes:
            if kind == "equal":
                yield from (f" {line}" for line in before[old_start:old_end])
                continue
            yield from (f"-{line}" for line in before[old_start:old_end])
            yield from (f"+{line}" for line in after[new_start:new_end])


class _MaskedText:
    """Returns pieces of a text in which everything that may be secret is masked."""

    def __init__(self, tree: Tree, client: Client) -> None:
        self._text = tree.text
        self._masks = list(_masks(tree, client))
        self._starts = [edit.start for edit in self._masks]
        self._counted = (0, 1)

    def line_number(self, position: int) -> int:
        """Return the number of the first line of a piece; positions must come in order."""
        start = self._piece_start(position)
        known, number = self._counted
        if start >= known:
            self._counted = (start, number + self._text.count("\n", known, start))
        return self._counted[1]

    def lines(self, start: int, end: int) -> list[str]:
        """Return the lines of a span and a few around it."""
        first, last = self._piece_start(start), self._piece_end(end)
        parts: list[str] = []
        position = first
        at = max(0, bisect_left(self._starts, first) - 1)
        while at < len(self._masks) and self._masks[at].start < last:
            mask = self._masks[at]
            at += 1
            if mask.end <= position:
                continue
            parts += [self._text[position : max(position, mask.start)], mask.text]
            position = mask.end
        parts.append(self._text[position:last])
        shown = "".join(parts).removeprefix("\ufeff").removesuffix("\n")
        if first and self._text[first - 1] != "\n":
            shown = f"…{shown}"
        if last < len(self._text) and self._text[last - 1 : last] != "\n":
            shown = f"{shown}…"
        return [line.removesuffix("\r") for line in shown.split("\n")]

    def _piece_start(self, position: int) -> int:
        for lines in range(_CONTEXT + 1):
            least = max(0, position - _MOST_CHARACTERS)
            found = self._text.rfind("\n", least, position)
            if found < 0:
                return position + 1 if lines and least else least
            position = found
        return position + 1

    def _piece_end(self, position: int) -> int:
        for lines in range(_CONTEXT + 1):
            most = min(len(self._text), position + _MOST_CHARACTERS)
            found = self._text.find("\n", position, most)
            if found < 0:
                return position if lines and most < len(self._text) else most
            position = found + 1
        return position


def _masks(tree: Tree, client: Client) -> Iterator[Edit]:
    """Return the edits that mask a text, in order and without overlaps."""
    shown = {id(node) for node in _shown(tree, client)}
    secrets = _secrets(tree, client)
    arguments = {id(node): _without(text, secrets) for node, text in _arguments(tree, client)}
    comments = _one_line(tree.text, tree.comments)
    edits = [Edit(start, end, _masked_comment(tree.text[start:end])) for start, end in comments]
    for node in tree.root.walk():
        if id(node) in arguments:
            edits.append(Edit(node.start, node.end, quoted(arguments[id(node)])))
        elif node.kind in {"string", "unread"} and id(node) not in shown:
            edits.append(Edit(node.start, node.end, quoted(MASK)))
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= position:  # a comment inside an unread value is masked with it
            yield edit
            position = edit.end


def _secrets(tree: Tree, client: Client) -> list[str]:
    """Return the values of variables and headers: they often appear a second time in arguments."""
    found: set[str] = set()
    for entry in entries_of(tree, client):
        for member in entry.node.members:
            if member.name in {"env", "headers", "http_headers"}:
                found.update(node.scalar for node in member.node.walk() if node.kind == "string")
    return sorted((text for text in found if len(text) >= _LEAST_SECRET), key=len, reverse=True)


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _masked_comment(piece: str) -> str:
    """Mask a line of a comment, except its delimiters."""
    found = _COMMENT_START.match(piece)
    start = found.group() if found else ""
    end = "*/" if start != "//" and piece.endswith("*/") else ""
    return " ".join(part for part in (start, MASK, end) if part)


def _one_line(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Split comments into lines, so that a diff keeps its line structure."""
    for start, end in spans:
        position = start
        for line in text[start:end].splitlines(keepends=True):
            content = line.rstrip("\r\n")
            blank = len(content) - len(content.lstrip())
            if content.strip():
                yield position + blank, position + len(content)
            position += len(line)


def _shown(tree: Tree, client: Client) -> Iterator[Node]:
    for entry in entries_of(tree, client):
        for member in entry.node.members:
            if member.name in _SHOWN - {"args"}:
                yield from member.node.walk()


def _arguments(tree: Tree, client: Client) -> Iterator[tuple[Node, str]]:
    """Return the texts of commands, arguments and addresses as they may be shown."""
    for entry in entries_of(tree, client):
        for member in entry.node.members:
            if member.name in _SHOWN and member.node.kind == "string":
                yield member.node, _address(member.node.scalar)
            elif member.name == "args":
                previous = ""
                for item in (item for item in member.node.items if item.kind == "string"):
                    yield item, _argument(item.scalar, previous)
                    previous = item.scalar


def _argument(text: str, previous: str) -> str:
    if _VARIABLE_HEADER.fullmatch(text):
        return text
    if previous.startswith("-") and "=" not in previous and _SECRET_WORD.search(previous):
        return MASK
    text = _address(text)
    for sign in "=:":
        name, separator, _ = text.partition(sign)
        if separator and _SECRET_WORD.search(name):
            return f"{name}{sign}{MASK}"
    return _KNOWN_TOKEN.sub(MASK, text)


def _address(text: str) -> str:
    """Mask user, password and query of the addresses in a text."""

    def without(found: re.Match[str]) -> str:
        try:
            parts = urlsplit(found.group())
        except ValueError:
            return MASK
        user = f"{MASK}@" if "@" in parts.netloc else ""
        query = f"?{MASK}" if parts.query else ""
        return f"{parts.scheme}://{user}{parts.netloc.rpartition('@')[2]}{parts.path}{query}"

    return _ADDRESS.sub(without, text)
