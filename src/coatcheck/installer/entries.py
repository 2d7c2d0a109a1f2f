"""The servers in a parsed file, and which of them have coatcheck in front."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from coatcheck.errors import excerpt
from coatcheck.installer.clients import ANY, Client
from coatcheck.installer.spans import Member, Node, Tree

SHARED_STORE = ("--object-store-backend", "sqlite")
"""Options of ``wrap`` with which all servers of a user keep their objects in one file."""

_LAUNCHER_WORDS = 8
"""Within so many words ``wrap`` is looked for: ``uvx --from coatcheck[redis] coatcheck wrap`` has five."""


class LeftAlone(Exception):  # no error: it is said and the other servers go on
    """A server is not changed; the text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A server as a client has it.

    Attributes:
        name: Its name.
        way: Keys that lead to it.
        node: Its settings.
    """

    name: str
    way: tuple[str, ...]
    node: Node

    @property
    def label(self) -> str:
        """The name as a person would look for it, with the project that it belongs to."""
        project = f" (in {excerpt(self.way[1], 60)})" if len(self.way) > 3 else ""  # noqa: PLR2004  # projects, P, mcpServers, name
        return excerpt(self.name) + project

    def text(self, key: str) -> str | None:
        """Give a member that is a text."""
        found = self.node.find(key)
        return found.node.scalar if found is not None and found.node.kind == "string" else None

    @property
    def words(self) -> list[str]:
        """Command and arguments, as far as they are texts."""
        args = self.node.find("args")
        items = args.node.items if args is not None else []
        command = self.text("command")
        return [] if command is None else [command, *(item.scalar for item in items if item.kind == "string")]

    @property
    def wrap_position(self) -> int | None:
        """Where in the words ``wrap`` stands, if coatcheck is what they start."""
        words = self.words[:_LAUNCHER_WORDS]
        if "wrap" not in words[1:]:
            return None
        position = words.index("wrap", 1)
        return position if any(_names_coatcheck(word) for word in words[:position]) else None

    @property
    def shares_store(self) -> bool:
        """Whether it is wrapped, and keeps its objects in the file that all servers of a user share."""
        position = self.wrap_position
        return position is not None and tuple(self.words[position + 1 :][: len(SHARED_STORE)]) == SHARED_STORE

    @property
    def wrapping(self) -> list[str]:
        """The words that wrap it, as install writes them: up to ``wrap`` and its options; empty where it is not."""
        position = self.wrap_position
        if position is None:
            return []
        return self.words[: position + 1 + (len(SHARED_STORE) if self.shares_store else 0)]


def _names_coatcheck(word: str) -> bool:
    name = PurePath(word.replace("\\", "/")).name.lower().removesuffix(".exe")
    return name.partition("[")[0].partition("@")[0].partition("=")[0] == "coatcheck"


def entries_of(tree: Tree, client: Client) -> list[Entry]:
    """Give the servers of a client in the order of the file.

    Raises:
        SyntaxFault: Something on the way to them is not what it should be, or a key stands twice.
    """
    found: list[Entry] = []
    for way in client.servers:
        for keys, member in _objects(tree, tree.root, way, ()):
            _check_object(tree, member.node, member.key_start, f'"{member.name}"')
            for server in member.node.members:
                _check_object(tree, server.node, server.key_start, "a server")
                found.append(Entry(server.name, (*keys, server.name), server.node))
    return found


def _objects(
    tree: Tree, node: Node, way: tuple[str, ...], keys: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Member]]:
    """Give the objects at the end of a way, with the keys that led there."""
    same = [member for member in node.members if way[0] in {ANY, member.name}]
    if way[0] != ANY and len(same) > 1:
        raise tree.position_fault(f'the key "{way[0]}" stands twice', same[1].key_start)
    for member in same:
        if len(way) == 1:
            yield (*keys, member.name), member
        else:
            yield from _objects(tree, member.node, way[1:], (*keys, member.name))


def _check_object(tree: Tree, node: Node, position: int, what: str) -> None:
    if node.kind != "object":
        raise tree.position_fault(f"{what} is no object", position)
    seen: set[str] = set()
    for member in node.members:
        if member.name in seen:
            raise tree.position_fault(f'the key "{excerpt(member.name)}" stands twice', member.key_start)
        seen.add(member.name)
