"""Wraps and unwraps the servers of a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coatcheck.installer.client_registry import Client
from coatcheck.installer.command_entries import unwrap_command, wrap_command
from coatcheck.installer.server_entries import Entry, ServerSkipped, entries_of
from coatcheck.installer.text_spans import Edit, Tree, apply
from coatcheck.installer.tool_lists import (
    KEYS,
    OBJECT_TOOLS,
    add_tools,
    added_tools,
    missing_tools,
    remove_tools,
    warning,
)
from coatcheck.installer.url_entries import sign_in_note, unwrap_url, wrap_url

Action = Literal["wrapped", "unwrapped", "added", "moved into the gateway", "moved back", "unchanged", "left alone"]


_IN_ONE_TEXT = "it is wrapped already, in a command that is one text"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happens to a server."""

    label: str  # its name for people
    action: Action  # what is done
    reason: str = ""  # why nothing is
    hidden_tools: str = ""  # the consequence if lists of tools leave out the object tools; empty if none do
    note: str = ""  # what else the user should know


@dataclass(frozen=True, slots=True)
class Edited:
    """Edits of a file that wrap or unwrap servers, and what happens to each server."""

    tree: Tree
    edits: Sequence[Edit]
    outcomes: Sequence[Outcome]

    @property
    def text(self) -> str:
        """The text with the edits."""
        return apply(self.tree.text, self.edits)


Wrappings = Callable[[Entry], Sequence[str] | None]
"""Returns the words that wrap a server, up to ``wrap`` and its options, or ``None`` if it stays unchanged."""

AddedTools = Callable[[Entry], dict[str, list[str]]]
"""Returns the names to add to a server's lists of tools, by the list's key."""


def wrap_servers(
    tree: Tree,
    client: Client,
    wrappings: Wrappings,
    added: AddedTools = lambda _: {},
) -> Edited:
    """Wrap servers, each with its words, and add the names of tools to lists of tools.

    Raises:
        ConfigSyntaxError: The file does not hold servers in the form that the client expects.
    """

    def edit(entry: Entry) -> tuple[Sequence[Edit], Outcome] | None:
        wrapping = wrappings(entry)
        if wrapping is None:
            return None
        if entry.fault:
            raise ServerSkipped(entry.fault)
        names = added(entry)
        missing = {key: names for key, names in missing_tools(entry).items() if key not in added(entry)}
        tools = add_tools(entry, names)
        if entry.wrap_position is not None:
            if tools:
                return tools, Outcome(entry.label, "wrapped", "it was wrapped already; tools were added to its lists")
            return (), Outcome(entry.label, "unchanged", _already(entry, wrapping), warning(missing))
        if entry.is_wrapped:
            return (), Outcome(entry.label, "unchanged", _IN_ONE_TEXT)
        note = ""
        if entry.has_command:
            edits = wrap_command(tree, entry, wrapping)
        else:
            edits = wrap_url(tree, entry, client, wrapping)
            note = sign_in_note(entry, client)
        return [*edits, *tools], Outcome(entry.label, "wrapped", "", warning(missing), note)

    return _edit_each(tree, client, edit)


def _already(entry: Entry, wrapping: Sequence[str]) -> str:
    """Report that a server is wrapped, and what to do if its options differ from those that are wanted."""
    if entry.all_wrapping != entry.wrapping:
        return "it is wrapped already, with options of its own"
    if entry.options == [*wrapping[wrapping.index("wrap") + 1 :]]:
        return "it is wrapped already"
    return "it is wrapped already, with other options: uninstall it first to change them"


def unwrap_servers(tree: Tree, client: Client, original: Tree | None, chosen: Callable[[Entry], bool]) -> Edited:
    """Unwrap the chosen servers; the file before ``install``, if it is known, shows the original spelling.

    Raises:
        ConfigSyntaxError: The file does not hold servers in the form that the client expects.
    """
    before = {} if original is None else {entry.path: entry for entry in entries_of(original, client)}

    def edit(entry: Entry) -> tuple[Sequence[Edit], Outcome] | None:
        if not chosen(entry):
            return None
        if entry.fault or entry.wrap_position is None:
            return (), Outcome(entry.label, "unchanged", _IN_ONE_TEXT if entry.is_wrapped else "it is not wrapped")
        old = before.get(entry.path)
        if old is not None and old.wrap_position is not None:
            return (), Outcome(entry.label, "unchanged", "it was wrapped before install")
        wrapping = entry.wrapping if old is None else entry.all_wrapping
        if entry.words[len(wrapping) :][:1] == ["--url"]:
            edits = unwrap_url(tree, entry, client, old)
        else:
            edits = unwrap_command(tree, entry, old)
        ours = {key: list(OBJECT_TOOLS) for key in KEYS} if old is None else added_tools(old, entry)
        return [*edits, *remove_tools(entry, ours)], Outcome(entry.label, "unwrapped")

    return _edit_each(tree, client, edit)


def _edit_each(tree: Tree, client: Client, edit: Callable[[Entry], tuple[Sequence[Edit], Outcome] | None]) -> Edited:
    edits: list[Edit] = []
    outcomes: list[Outcome] = []
    for entry in entries_of(tree, client):
        try:
            done = edit(entry)
        except ServerSkipped as why:
            outcomes.append(Outcome(entry.label, "left alone", str(why)))
            continue
        if done is not None:
            edits += done[0]
            outcomes.append(done[1])
    return Edited(tree, edits, outcomes)


def same_but_for_wrapping(first: Tree, second: Tree, client: Client) -> bool:
    """Whether two texts are equivalent, except that servers are wrapped in one of them.

    Raises:
        ConfigSyntaxError: One of them does not hold servers in the form that the client expects.
    """
    pairs = list(zip(entries_of(first, client), entries_of(second, client), strict=False))
    commands = [(one.words, two.words) for one, two in pairs if one.words and two.words]
    if not all(one[-len(two) :] == two or two[-len(one) :] == one for one, two in commands):
        return False
    return bool(_comparable_values(first, client) == _comparable_values(second, client))


def _comparable_values(tree: Tree, client: Client) -> Any:
    """Return a file's values without what wrapping changes; for variables and headers only the values."""
    values = tree.root.value()
    for entry in entries_of(tree, client):
        if entry.fault:
            continue
        holder = values
        for key in entry.path[:-1]:
            holder = holder[key]
        members = [member for member in entry.node.members if member.name not in _WRAPPED_MEMBERS]
        rest = {member.name: _without_object_tools(member.name, member.node.value()) for member in members}
        blocks = [member.node.members for member in entry.node.members if member.name in {"headers", "env"}]
        holder[entry.name] = [rest, [inner.node.value() for block in blocks for inner in block]]
    return values


def _without_object_tools(key: str, value: Any) -> Any:
    if key not in KEYS or not isinstance(value, list):
        return value
    return [item for item in value if item not in OBJECT_TOOLS]


_WRAPPED_MEMBERS = {
    "command", "args", "type", "transport", "transportType", "transport_type", "url", "httpUrl", "serverUrl", "headers",
    "env",
}  # fmt: skip
