"""Showing what changes in a file without showing what is secret in it."""

import difflib
import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from coatcheck.installer.clients import Client
from coatcheck.installer.editing import parse
from coatcheck.installer.entries import entries_of
from coatcheck.installer.spans import Edit, Node, Tree, apply, quoted

MASK = "•••"
_LEAST_SECRET = 6
"""Shorter values are words such as ``true`` and ``debug``, and in any text."""
_SHOWN = {"command", "args", "type", "url", "httpUrl", "serverUrl", "cwd"}
_SECRET_WORD = re.compile(r"key|token|secret|passw|pwd|auth|credential|bearer|header|cookie", re.IGNORECASE)
_KNOWN_TOKEN = re.compile(r"\b(?:gh[a-z]_|github_pat_|glpat-|sk-|xox[a-z]-|eyJ)[\w.-]{8,}")
"""Tokens that show what they are by how they begin."""
_COMMENT_START = re.compile(r"//|/\*|[#*](?!/)|")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_VARIABLE_HEADER = re.compile(r"[^:]+: \$COATCHECK_HEADER_\w+")


def show_changes(before: str, after: str, client: Client, name: str) -> str:
    """Give the unified difference of two texts of a client.

    Only the names of things and the servers' commands, arguments and addresses are shown; every other text, and what
    looks secret in those, is masked. So are comments.
    """
    old, new = (mask(text, client).removeprefix("\ufeff").splitlines() for text in (before, after))
    found = difflib.unified_diff(old, new, fromfile=name, tofile=f"{name} (new)", lineterm="")
    return "\n".join(found)


def mask(text: str, client: Client) -> str:
    """Give a text with everything masked that may be secret."""
    tree = parse(text, client)
    shown = {id(node) for node in _shown(tree, client)}
    secrets = _secrets(tree, client)
    arguments = {id(node): _without(text, secrets) for node, text in _arguments(tree, client)}
    edits = [Edit(start, end, _masked_comment(text[start:end])) for start, end in _one_line(text, tree.comments)]
    for node in tree.root.walk():
        if id(node) in arguments:
            edits.append(Edit(node.start, node.end, quoted(arguments[id(node)])))
        elif node.kind == "string" and id(node) not in shown:
            edits.append(Edit(node.start, node.end, quoted(MASK)))
    return apply(text, edits)


def _secrets(tree: Tree, client: Client) -> list[str]:
    """Give the values of variables and headers: people write them into arguments a second time."""
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
    """Mask a line of a comment; the signs in which it begins and ends stay."""
    found = _COMMENT_START.match(piece)
    start = found.group() if found else ""
    end = "*/" if start != "//" and piece.endswith("*/") else ""
    return " ".join(part for part in (start, MASK, end) if part)


def _one_line(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Cut comments over several lines into their lines, so that a difference keeps its lines."""
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
    """Give the texts of commands, arguments and addresses as they may be shown."""
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
    for sign in "=:":
        name, separator, _ = text.partition(sign)
        if separator and _SECRET_WORD.search(name):
            return f"{name}{sign}{MASK}"
    return _KNOWN_TOKEN.sub(MASK, _address(text))


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
