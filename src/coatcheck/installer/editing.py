"""Wrapping and unwrapping the servers of a whole text."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coatcheck.installer.clients import Client
from coatcheck.installer.commands import unwrap_command, wrap_command
from coatcheck.installer.entries import SHARED_STORE, Entry, LeftAlone, entries_of
from coatcheck.installer.json_spans import parse_json
from coatcheck.installer.spans import Edit, Member, Node, Tree, apply
from coatcheck.installer.toml_spans import parse_toml
from coatcheck.installer.urls import unwrap_url, wrap_url

Did = Literal["wrapped", "unwrapped", "unchanged", "left alone"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done with a server.

    Attributes:
        label: Its name for people.
        did: What was done.
        reason: Why, where nothing was.
    """

    label: str
    did: Did
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Edited:
    """A text with servers wrapped or unwrapped, and what was done with each."""

    text: str
    outcomes: Sequence[Outcome]


Wrappings = Callable[[Entry], Sequence[str] | None]
"""Gives the words that wrap a server, up to ``wrap`` and its options, or ``None`` where it is to stay as it is."""


def parse(text: str, client: Client) -> Tree:
    """Parse a text of a client.

    Raises:
        SyntaxFault: The text is malformed.
    """
    return parse_toml(text) if client.syntax == "toml" else parse_json(text)


def wrap_text(text: str, client: Client, wrappings: Wrappings, named: Collection[str] = ()) -> Edited:
    """Put coatcheck in front of servers.

    Args:
        text: A whole file.
        client: Whose file it is.
        wrappings: Which servers, and the words that wrap them.
        named: Servers that a person asked for by name.

    Raises:
        SyntaxFault: The text is malformed.
    """
    tree = parse(text, client)

    def edit(entry: Entry) -> tuple[Sequence[Edit], Outcome] | None:
        wrapping = wrappings(entry)
        if wrapping is None:
            return None
        if entry.wrap_position is not None:
            return (), Outcome(entry.label, "unchanged", _already(entry, wrapping))
        if entry.node.find("command") is not None:
            edits = wrap_command(tree, entry, wrapping)
        else:
            edits = wrap_url(tree, entry, client, wrapping, named=entry.name in named)
        return edits, Outcome(entry.label, "wrapped")

    return _edit_each(tree, client, edit)


def _already(entry: Entry, wrapping: Sequence[str]) -> str:
    """Say that a server is wrapped, and what to do where it was to be wrapped with the shared store."""
    if entry.shares_store or tuple(wrapping[-len(SHARED_STORE) :]) != SHARED_STORE:
        return "it is wrapped already"
    return "it is wrapped already, without the shared store: uninstall it first"


def unwrap_text(text: str, client: Client, original: str | None, chosen: Callable[[Entry], bool]) -> Edited:
    """Take coatcheck away from servers.

    Args:
        text: A whole file.
        client: Whose file it is.
        original: The file before coatcheck came into it, if it is known: tells how things were written.
        chosen: Which servers.

    Raises:
        SyntaxFault: The text is malformed.
    """
    tree = parse(text, client)
    before = {} if original is None else {entry.way: entry for entry in entries_of(parse(original, client), client)}

    def edit(entry: Entry) -> tuple[Sequence[Edit], Outcome] | None:
        if not chosen(entry) or entry.wrap_position is None:
            return None
        old = before.get(entry.way)
        if old is not None and old.wrap_position is not None:
            return (), Outcome(entry.label, "unchanged", "it was wrapped before install")
        if entry.words[len(entry.wrapping) :][:1] == ["--url"]:
            edits = unwrap_url(tree, entry, client, old)
        else:
            edits = unwrap_command(tree, entry, old)
        return edits, Outcome(entry.label, "unwrapped")

    return _edit_each(tree, client, edit)


def _edit_each(tree: Tree, client: Client, edit: Callable[[Entry], tuple[Sequence[Edit], Outcome] | None]) -> Edited:
    edits: list[Edit] = []
    outcomes: list[Outcome] = []
    for entry in entries_of(tree, client):
        try:
            done = edit(entry)
        except LeftAlone as why:
            outcomes.append(Outcome(entry.label, "left alone", str(why)))
            continue
        if done is not None:
            edits += done[0]
            outcomes.append(done[1])
    return Edited(apply(tree.text, edits), outcomes)


def same_but_for_wrapping(text: str, other: str, client: Client) -> bool:
    """Whether two texts say the same, apart from coatcheck standing in front of servers in one of them.

    Raises:
        SyntaxFault: One of them is malformed.
    """
    first, second = parse(text, client), parse(other, client)
    pairs = list(zip(entries_of(first, client), entries_of(second, client), strict=False))
    commands = [(one.words, two.words) for one, two in pairs if one.words and two.words]
    if not all(one[-len(two) :] == two or two[-len(one) :] == one for one, two in commands):
        return False
    return bool(_essence(first, client) == _essence(second, client))


def _essence(tree: Tree, client: Client) -> Any:
    """Give a file's values without what wrapping changes; of variables and headers only the values."""
    for entry in entries_of(tree, client):
        blocks = [member for member in entry.node.members if member.name in {"headers", "env"}]
        values = [inner.node for member in blocks for inner in member.node.members]
        rest = [member for member in entry.node.members if member.name not in _WRAPPED_MEMBERS]
        entry.node.members = [*rest, Member("env", 0, 0, Node("array", items=values))]
    return tree.root.value()


_WRAPPED_MEMBERS = {"command", "args", "type", "url", "httpUrl", "serverUrl", "headers", "env"}
