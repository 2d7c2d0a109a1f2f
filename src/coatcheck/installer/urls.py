"""Wrapping a server at a URL: it becomes a command, its headers become variables, and back.

The URL's member becomes ``command`` and ``args``; ``headers`` becomes ``env``, with the values as they are written, so
that no secret moves into an argument and the variables that a client fills in are still filled in.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from itertools import pairwise
from urllib.parse import urlsplit

from coatcheck.errors import excerpt
from coatcheck.installer.clients import Client
from coatcheck.installer.commands import key_beside, separator
from coatcheck.installer.entries import Entry, LeftAlone
from coatcheck.installer.spans import Edit, Member, Tree, quoted

_HEADER_VARIABLE = "COATCHECK_HEADER_"
_HEADER_ARGUMENT = re.compile(r"([^:]+): \$(" + _HEADER_VARIABLE + r"\w+)")
_SIGN_IN = ("oauth", "auth", "authProviderType", "headersHelper")
_TYPES = {"http", "streamable-http", "streamableHttp", "sse"}


def url_member(entry: Entry, client: Client) -> Member | None:
    """Give the member with a server's URL, if it has no command."""
    if entry.node.find("command") is not None:
        return None
    keys = client.url_keys or ("url",)
    return next((found for key in keys if (found := entry.node.find(key)) is not None), None)


def wrap_url(tree: Tree, entry: Entry, client: Client, wrapping: Sequence[str], *, named: bool) -> list[Edit]:
    """Give the edits that make a server at a URL one that is wrapped by a command.

    Args:
        tree: The file as it is.
        entry: The server.
        client: Whose file it is.
        wrapping: The words that start coatcheck, up to ``wrap`` and its options.
        named: Whether a person asked for this server by its name.

    Raises:
        LeftAlone: It would not work, or show a secret.
    """
    member = url_member(entry, client)
    if member is None or member.node.kind != "string":
        raise LeftAlone("it has neither a command nor a URL")
    if not client.url_keys:
        raise LeftAlone(f"it is at a URL, and {client.title} signs in to those in ways of its own")
    _check(entry, member, named=named)
    headers = _headers(entry)
    words = [*wrapping[1:], "--url"]
    arguments = [*map(quoted, words), tree.raw(member.node)]
    if _is_older(entry, client, member):
        arguments.append(quoted("--sse"))
    edits: list[Edit] = []
    block = entry.node.find("headers")
    if block is not None:
        edits.append(_rename(block, "env"))
        for header, variable in headers:
            arguments += [quoted("--header"), quoted(f"{header.name}: ${variable}")]
            edits.append(_rename(header, variable))
    args = f"{separator(tree, member)}{key_beside(tree, member, 'args')}[{', '.join(arguments)}]"
    edits += [_rename(member, "command"), Edit(member.node.start, member.node.end, quoted(wrapping[0]) + args)]
    kind = entry.node.find("type")
    if kind is not None:
        edits.append(Edit(kind.node.start, kind.node.end, quoted("stdio")))
    return edits


def _check(entry: Entry, member: Member, *, named: bool) -> None:
    """Say why a server at a URL had better not be wrapped, if so."""
    kind = entry.node.find("type")
    if kind is not None and kind.node.scalar not in _TYPES:
        raise LeftAlone(f'its type is "{excerpt(str(kind.node.scalar))}"')
    if any(entry.node.find(key) is not None for key in ("env", "args")):
        raise LeftAlone("it has a URL, and env or args too")
    if any(entry.node.find(key) is not None for key in _SIGN_IN):
        raise LeftAlone("the client signs in to it")
    if any(sign in member.node.scalar for sign in "?$@#"):
        raise LeftAlone("its URL may carry a secret, which would show in the process list")
    has_headers = entry.node.find("headers") is not None
    if not (has_headers or named or _is_here(member.node.scalar)):
        raise LeftAlone("the client may have to sign in to it in the browser; --server NAME wraps it all the same")


def _headers(entry: Entry) -> list[tuple[Member, str]]:
    """Give the headers with the variables that hold them."""
    block = entry.node.find("headers")
    headers = block.node.members if block is not None else []
    if block is not None and (block.node.kind != "object" or any(h.node.kind != "string" for h in headers)):
        raise LeftAlone("its headers are no texts")
    if any(not re.fullmatch(r"[A-Za-z0-9!#%&'*+.^_|~-]+", header.name) for header in headers):
        raise LeftAlone("one of its headers has a name that no header can have")
    named = [(header, _HEADER_VARIABLE + re.sub(r"[^A-Za-z0-9]", "_", header.name).upper()) for header in headers]
    if len({variable for _, variable in named}) < len(named):
        raise LeftAlone("two of its headers have nearly the same name")
    return named


def unwrap_url(tree: Tree, entry: Entry, client: Client, original: Entry | None) -> list[Edit]:
    """Give the edits that make a wrapped server one at a URL again.

    Args:
        tree: The file as it is.
        entry: The server in it, wrapped.
        client: Whose file it is.
        original: The server as it was before, as far as that is known.

    Raises:
        LeftAlone: It was wrapped with options of its own, or has got variables that a URL cannot have.
    """
    ours = entry.wrapping
    command, args = entry.node.find("command"), entry.node.find("args")
    if not ours or command is None or args is None:
        raise LeftAlone("it is not wrapped")
    url, older, names = _understand(entry.words[len(ours) :])
    before = url_member(original, client) if original is not None else None
    old = before if before is not None and before.node.scalar == url else None
    key = client.sse_key if older and client.sse_key else client.url_keys[0]
    edits = [_rename(command, old.name if old else key), *_url_again(tree, entry, command, args)]
    block = entry.node.find("env")
    if block is not None:
        edits += _headers_again(block, names)
    kind = entry.node.find("type")
    if kind is not None:
        known = original.text("type") if original is not None and old is not None else None
        edits.append(Edit(kind.node.start, kind.node.end, quoted(known or ("sse" if older else "http"))))
    return edits


def _understand(words: list[str]) -> tuple[str, bool, dict[str, str]]:
    """Read the arguments that we write: the URL, whether it is of the older transport, headers by variable."""
    if words[:1] != ["--url"] or len(words) < 2:  # noqa: PLR2004  # --url and the URL
        raise LeftAlone("it is wrapped with options of its own")
    rest = words[2:]
    older = rest[:1] == ["--sse"]
    rest = rest[1:] if older else rest
    found = [_HEADER_ARGUMENT.fullmatch(word) for word in rest[1::2]]
    if any(word != "--header" for word in rest[::2]) or len(rest) % 2 or None in found:
        raise LeftAlone("it is wrapped with options of its own")
    return words[1], older, {match.group(2): match.group(1) for match in found if match}


def _url_again(tree: Tree, entry: Entry, command: Member, args: Member) -> list[Edit]:
    """Write the URL in the place of the command, and take the arguments away, next to it or not."""
    url = tree.raw(next(after for item, after in pairwise(args.node.items) if item.scalar == "--url"))
    between = tree.text[command.node.end : args.key_start] if args.key_start > command.node.end else "far"
    if between.strip() == ",":
        return [Edit(command.node.start, args.node.end, url)]
    return [Edit(command.node.start, command.node.end, url), _removal(entry, args)]


def _removal(entry: Entry, member: Member) -> Edit:
    """Take a member away, with the comma that separates it."""
    members = entry.node.members
    at = members.index(member)
    if at > 0:
        return Edit(members[at - 1].node.end, member.node.end, "")
    return Edit(member.key_start, members[1].key_start, "")


def _headers_again(block: Member, names: dict[str, str]) -> list[Edit]:
    if any(member.name not in names for member in block.node.members):
        raise LeftAlone("it has got variables, which a server at a URL cannot have")
    return [_rename(block, "headers"), *(_rename(member, names[member.name]) for member in block.node.members)]


def _rename(member: Member, name: str) -> Edit:
    return Edit(member.key_start, member.key_end, quoted(name))


def _is_older(entry: Entry, client: Client, member: Member) -> bool:
    kind = entry.text("type")
    if kind is not None:
        return kind == "sse"
    return member.name == client.sse_key or urlsplit(member.node.scalar).path.endswith("/sse")


def _is_here(url: str) -> bool:
    """Whether a URL leads to this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
