"""Whom a message is for, where what it names tells: a tool, a prompt, a resource, a task."""

from collections.abc import Mapping
from typing import Any

from coatcheck.proxy.gateway.member import Member
from coatcheck.proxy.gateway.names import TASK_ID, split, split_uri

_NAMES = ("name", "tool", "toolName", "prompt", TASK_ID)
_URIS = ("uri", "uriTemplate")


class Routes:
    """The servers by what stands before their names and addresses.

    Args:
        members: By name.
        schemes: By what stands before addresses.
    """

    def __init__(self, members: Mapping[str, Member], schemes: Mapping[str, Member]) -> None:
        self._members = members
        self._schemes = schemes

    def of(self, params: Any) -> tuple[Member, dict[str, Any]] | None:
        """Find the server that parameters are for, and give them as that server knows them.

        Names in ``ref`` count too, as completion has them. ``None`` where nothing tells, or where they name several
        servers.
        """
        given = params if isinstance(params, dict) else {}
        found: set[Member] = set()
        own = self._own(given, found)
        if isinstance(given.get("ref"), dict):
            own["ref"] = self._own(given["ref"], found)
        return (found.pop(), own) if len(found) == 1 else None

    def sole(self, params: Any) -> tuple[Member, Any] | None:
        """Give the server for which everything is, where there is only one."""
        members = list(self._members.values())
        return (members[0], params) if len(members) == 1 else None

    def _own(self, given: dict[str, Any], found: set[Member]) -> dict[str, Any]:
        own = dict(given)
        for keys, members, parted in ((_NAMES, self._members, split), (_URIS, self._schemes, split_uri)):
            for key in keys:
                if not isinstance(given.get(key), str):
                    continue
                server, rest = parted(given[key])
                member = members.get(server)
                if member is not None:
                    found.add(member)
                    own[key] = rest
        return own
