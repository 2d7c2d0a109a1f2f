"""The servers in a parsed file, and which of them are wrapped."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

from coatcheck.errors import excerpt
from coatcheck.installer.client_registry import Client, parse_config
from coatcheck.installer.config_files import ConfigFile, decode, naming, read_bytes
from coatcheck.installer.json_spans import ANY
from coatcheck.installer.server_reader import URL_KEYS, is_disabled, split_command
from coatcheck.installer.text_spans import Member, Node, Tree

SHARED_STORE = ("--object-store-backend", "sqlite")
"""Options of ``wrap`` with which all servers of a user keep their objects in one file."""

INSTALL_OPTIONS = frozenset(
    {"--object-store-backend", "--object-store-ttl", "--inline-limit", "--preview-limit", "--object-tools"}
)
"""Options of ``wrap`` that ``install`` writes, each with one value."""

_LAUNCHER_WORDS = 8
"""``wrap`` is looked for within this many words: ``uvx --from coatcheck[redis] coatcheck wrap`` has five."""


class ServerSkipped(Exception):  # reported for this server; the others continue
    """A server is not changed; the message explains why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A server in a client's file."""

    name: str
    path: tuple[str, ...]  # keys that lead to it
    node: Node
    key_start: int  # where its key begins
    fault: str = ""  # why its value cannot describe a server; empty if it can

    @property
    def label(self) -> str:
        """The name for people, with the project that it belongs to."""
        project = f" (in {excerpt(self.path[1], 60)})" if len(self.path) > 3 else ""  # noqa: PLR2004  # projects, P, mcpServers, name
        return excerpt(self.name) + project

    def text(self, key: str) -> str | None:
        """Return a member that is a string."""
        found = self.node.find(key)
        return found.node.scalar if found is not None and found.node.kind == "string" else None

    @property
    def has_command(self) -> bool:
        """Whether it has a command that is not null."""
        found = self.node.find("command")
        return found is not None and found.node.value() is not None

    @property
    def words(self) -> list[str]:
        """Command and arguments; what is not a string is written as JSON."""
        args, command = self.node.find("args"), self.text("command")
        if command is None:
            return []
        items = args.node.items if args is not None else []
        return [command, *(item.scalar if item.kind == "string" else _as_json(item.value()) for item in items)]

    @property
    def wrap_position(self) -> int | None:
        """Index of ``wrap`` among the words, if they start coatcheck."""
        return _wrap_position(self.words)

    @property
    def is_wrapped(self) -> bool:
        """Whether it starts coatcheck; also if its command is one text, which only its author can change."""
        words = self.words
        return bool(words) and _wrap_position([*split_command(words[0]), *words[1:]]) is not None

    @property
    def wrapping(self) -> list[str]:
        """The words that wrap it, up to ``wrap`` and its options as ``install`` writes them; empty if not wrapped."""
        position = self.wrap_position
        if position is None:
            return []
        words, end = self.words, position + 1
        while end + 1 < len(words) and words[end] in INSTALL_OPTIONS:
            end += 2
        return words[:end]

    @property
    def all_wrapping(self) -> list[str]:
        """The words up to the server itself, with any options between; empty if not wrapped."""
        position = self.wrap_position
        if position is None:
            return []
        words = self.words
        ends = [words.index(sign, position) for sign in ("--", "--url", "--servers") if sign in words[position:]]
        return words[: min(ends)] if ends else []

    @property
    def options(self) -> list[str]:
        """The options of ``wrap`` among the words that wrap it."""
        return self.all_wrapping[(self.wrap_position or 0) + 1 :]

    @property
    def shares_store(self) -> bool:
        """Whether it is wrapped, and keeps its objects in the file that all servers of a user share."""
        options = self.options
        return any(tuple(options[at : at + 2]) == SHARED_STORE for at in range(len(options)))


def _as_json(value: Any) -> str:
    return json.dumps(value, default=str)  # TOML has dates


def _wrap_position(words: list[str]) -> int | None:
    if "wrap" not in words[1:_LAUNCHER_WORDS]:
        return None
    position = words.index("wrap", 1)
    return position if any(map(_names_coatcheck, words[:position])) else None


def _names_coatcheck(word: str) -> bool:
    name = PurePath(word.replace("\\", "/")).name.lower().removesuffix(".exe")
    return name.partition("[")[0].partition("@")[0].partition("=")[0] == "coatcheck"


def entries_of(tree: Tree, client: Client) -> list[Entry]:
    """Return the servers of a client in the order of the file; invalid entries are included with their fault.

    Raises:
        ConfigSyntaxError: The object of the servers is something else, or its key appears twice.
    """
    found: list[Entry] = []
    for path in client.servers:
        for keys, member in _objects(tree, tree.root, path, ()):
            if member.node.kind == "other" and member.node.scalar is None:
                continue  # null: no servers
            if member.node.kind != "object":
                if ANY in path:
                    found.append(Entry(member.name, keys, member.node, member.key_start, "it is not an object"))
                    continue
                raise tree.error(f'"{member.name}" is not an object', member.key_start)
            found += _entries_in(keys, member.node)
    return found


def _entries_in(keys: tuple[str, ...], servers: Node) -> Iterator[Entry]:
    names = Counter(server.name for server in servers.members)
    for server in servers.members:
        fault = _fault(server.node)
        if names[server.name] > 1:
            fault = "its name appears twice"
        yield Entry(server.name, (*keys, server.name), server.node, server.key_start, fault)


def _objects(
    tree: Tree, node: Node, path: tuple[str, ...], keys: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Member]]:
    """Return the members at the end of a path, with the keys that led there."""
    same = [member for member in node.members if path[0] in {ANY, member.name}]
    if path[0] != ANY and len(same) > 1:
        raise tree.error(f'the key "{path[0]}" appears twice', same[1].key_start)
    for member in same:
        if len(path) == 1:
            yield (*keys, member.name), member
        else:
            yield from _objects(tree, member.node, path[1:], (*keys, member.name))


def _fault(node: Node) -> str:
    if node.kind != "object":
        return "it is null" if node.kind == "other" and node.scalar is None else "it is not an object"
    seen: set[str] = set()
    for member in node.members:
        if member.name in seen:
            return f'its key "{excerpt(member.name)}" appears twice'
        seen.add(member.name)
    return ""


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server in a file, as ``status`` shows it."""

    label: str  # its name for people
    kind: Literal["command", "url", "other"]  # whether it is started by a command or reached at a URL
    wrapped: bool
    shares_store: bool  # whether it then keeps its objects in the file that all servers of a user share
    disabled: bool  # whether the client does not start it
    entry: Any = field(repr=False)  # its value in the file; may hold secrets

    @property
    def command(self) -> tuple[str, ...]:
        """The command and its arguments, as they are written."""
        if self.kind != "command":
            return ()
        return (self.entry["command"], *map(str, self.entry.get("args") or ()))


def states_of(file: ConfigFile) -> list[ServerState]:
    """Return the servers of a file; raises ``ConfigFileError`` if the file cannot be read or parsed."""
    text = decode(read_bytes(file.path), file.path)
    with naming(file.path):
        return [_state(entry) for entry in entries_of(parse_config(text, file.client), file.client)]


def _state(entry: Entry) -> ServerState:
    kind: Literal["command", "url", "other"] = "other"
    if entry.words:
        kind = "command"
    elif any(entry.node.find(key) is not None for key in URL_KEYS):
        kind = "url"
    value = entry.node.value()
    return ServerState(entry.label, kind, entry.is_wrapped, entry.shares_store, is_disabled(value), value)
