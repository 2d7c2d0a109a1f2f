"""Wraps a server at a URL, whose headers become variables, and unwraps it.

The URL becomes ``command`` and ``args``; ``headers`` becomes ``env``, with the values as they are written. So no
secret moves into an argument, and the client still fills in its variables.
"""

import re
import shlex
from collections.abc import Sequence
from ipaddress import ip_address
from itertools import pairwise
from urllib.parse import urlsplit

from coatcheck.errors import excerpt
from coatcheck.installer.client_registry import Client
from coatcheck.installer.command_entries import args_key, separator
from coatcheck.installer.server_entries import Entry, ServerSkipped
from coatcheck.installer.server_reader import TYPE_KEYS, UnreadableServer, server_type
from coatcheck.installer.text_spans import Edit, Member, Tree, quoted

_HEADER_VARIABLE = "COATCHECK_HEADER_"
_HEADER_ARGUMENT = re.compile(r"([^:]+): \$(" + _HEADER_VARIABLE + r"\w+)")
CLIENT_SIGNS_IN = ("oauth", "auth", "authProviderType", "headersHelper")
_CLIENT_FILLS_IN = ("bearer_token_env_var", "http_headers", "env_http_headers")


def url_member(entry: Entry, client: Client) -> Member | None:
    """Return the member with a server's URL, if it has no command."""
    if entry.has_command:
        return None
    return next((found for key in client.url_keys if (found := entry.node.find(key)) is not None), None)


def wrap_url(tree: Tree, entry: Entry, client: Client, wrapping: Sequence[str]) -> list[Edit]:
    """Return the edits that turn a server at a URL into a command that begins with the wrapping words.

    Raises:
        ServerSkipped: It would not work, or would reveal a secret.
    """
    member = url_member(entry, client)
    if member is None or member.node.kind != "string":
        raise ServerSkipped("it has neither a command nor a URL")
    _check(entry, member)
    headers = _headers(entry)
    words = [*wrapping[1:], "--url"]
    arguments = [*map(quoted, words), tree.raw(member.node)]
    if _is_older(entry, client, member):
        arguments.append(quoted("--sse"))
    edits: list[Edit] = []
    block = entry.node.find("headers")
    if block is not None:
        edits.append(_rename(tree, block, "env"))
        for header, variable in headers:
            arguments += [quoted("--header"), quoted(f"{header.name}: ${variable}")]
            edits.append(_rename(tree, header, variable))
    args = f"{separator(tree, member)}{args_key(tree, member)}[{', '.join(arguments)}]"
    edits += [_rename(tree, member, "command"), Edit(member.node.start, member.node.end, quoted(wrapping[0]) + args)]
    return [*edits, *(Edit(kind.node.start, kind.node.end, quoted("stdio")) for kind in _types(entry))]


def _types(entry: Entry) -> list[Member]:
    found = [entry.node.find(key) for key in TYPE_KEYS]
    return [member for member in found if member is not None and member.node.kind == "string"]


def sign_in_note(entry: Entry, client: Client) -> str:
    """Report that the user has to sign in again if the client may have signed in to a server at a URL."""
    member = url_member(entry, client)
    url = member.node.scalar if member is not None else ""
    if not isinstance(url, str) or entry.node.find("headers") is not None or _is_local(url):
        return ""
    command_word = shlex.quote(excerpt(url, len(url)))
    return f"the client's own sign-in, if there is one, does not carry over: coatcheck login {command_word}"


def _check(entry: Entry, member: Member) -> None:
    """Explain why a server at a URL should not be wrapped, if so."""
    value = entry.node.value()
    try:
        server_type(value)
    except UnreadableServer as error:
        raise ServerSkipped(str(error)) from None
    if any(isinstance(value.get(key), dict) for key in TYPE_KEYS):
        raise ServerSkipped("its transport is an object")
    if any(key in value for key in ("command", "env", "args")):
        raise ServerSkipped("it has a URL, and a command, env or args too")
    if any(entry.node.find(key) is not None for key in CLIENT_SIGNS_IN):
        raise ServerSkipped("the client signs in to it")
    if any(entry.node.find(key) is not None for key in _CLIENT_FILLS_IN):
        raise ServerSkipped("the client fills in its headers, which a command would not get")
    if not is_well_formed(member.node.scalar):
        raise ServerSkipped("its URL is malformed")
    if any(sign in member.node.scalar for sign in "?$@#"):
        raise ServerSkipped("its URL may contain a secret, which would show in the process list")


def _headers(entry: Entry) -> list[tuple[Member, str]]:
    """Return the headers with the variables that hold them."""
    block = entry.node.find("headers")
    headers = block.node.members if block is not None else []
    kinds = {header.node.kind for header in headers} if block is not None else set()
    if block is not None and (kinds - {"string"} or (block.node.kind != "object" and block.node.value() is not None)):
        raise ServerSkipped("its headers are not strings")
    if any(not re.fullmatch(r"[A-Za-z0-9!#%&'*+.^_|~-]+", header.name) for header in headers):
        raise ServerSkipped("the name of one of its headers is malformed")
    named = [(header, _HEADER_VARIABLE + re.sub(r"[^A-Za-z0-9]", "_", header.name).upper()) for header in headers]
    if len({variable for _, variable in named}) < len(named):
        raise ServerSkipped("two of its headers have nearly the same name")
    return named


def unwrap_url(tree: Tree, entry: Entry, client: Client, original: Entry | None) -> list[Edit]:
    """Return the edits that turn a wrapping command back into a URL, its original as far as that is known.

    Raises:
        ServerSkipped: It was wrapped manually with options that ``install`` does not write, or has variables now.
    """
    ours = entry.wrapping if original is None else entry.all_wrapping
    command, args = entry.node.find("command"), entry.node.find("args")
    if not ours or command is None or args is None:
        raise ServerSkipped("it is not wrapped")
    url, older, names = _parse_wrap_arguments(entry.words[len(ours) :])
    before = url_member(original, client) if original is not None else None
    old = before if before is not None and before.node.scalar == url else None
    key = client.sse_key if older and client.sse_key else client.url_keys[0]
    edits = [_rename(tree, command, old.name if old else key), *_restore_url(tree, entry, command, args)]
    block = entry.node.find("env")
    if block is not None:
        edits += _restore_headers(tree, block, names)
    for kind in _types(entry):
        known = original.text(kind.name) if original is not None and old is not None else None
        edits.append(Edit(kind.node.start, kind.node.end, quoted(known or ("sse" if older else "http"))))
    return edits


def _parse_wrap_arguments(words: list[str]) -> tuple[str, bool, dict[str, str]]:
    """Read the arguments that we write: the URL, whether it is HTTP+SSE, headers by variable."""
    if words[:1] != ["--url"] or len(words) < 2:  # noqa: PLR2004  # --url and the URL
        raise ServerSkipped("it is wrapped with options of its own")
    rest = words[2:]
    older = rest[:1] == ["--sse"]
    rest = rest[1:] if older else rest
    found = [_HEADER_ARGUMENT.fullmatch(word) for word in rest[1::2]]
    if any(word != "--header" for word in rest[::2]) or len(rest) % 2 or None in found:
        raise ServerSkipped("it is wrapped with options of its own")
    return words[1], older, {match.group(2): match.group(1) for match in found if match}


def _restore_url(tree: Tree, entry: Entry, command: Member, args: Member) -> list[Edit]:
    """Replace the command with the URL, and remove the arguments."""
    url = tree.raw(next(after for item, after in pairwise(args.node.items) if item.scalar == "--url"))
    between = tree.text[command.node.end : args.key_start] if args.key_start > command.node.end else "far"
    if between.strip() == ("" if command.on_line else ","):
        return [Edit(command.node.start, args.node.end, url)]
    return [Edit(command.node.start, command.node.end, url), _removal(entry, args)]


def _removal(entry: Entry, member: Member) -> Edit:
    """Remove a member, with the comma that separates it."""
    members = entry.node.members
    at = members.index(member)
    if at > 0:
        return Edit(members[at - 1].node.end, member.node.end, "")
    return Edit(member.key_start, members[1].key_start, "")


def _restore_headers(tree: Tree, block: Member, names: dict[str, str]) -> list[Edit]:
    if any(member.name not in names for member in block.node.members):
        raise ServerSkipped("it has variables now, which a server at a URL cannot have")
    return [
        _rename(tree, block, "headers"),
        *(_rename(tree, member, names[member.name]) for member in block.node.members),
    ]


def _rename(tree: Tree, member: Member, name: str) -> Edit:
    """Rename a key, with the same quotes."""
    quote = tree.text[member.key_end - 1]
    written = quoted(name) if quote in "\"'" else name
    return Edit(member.key_start, member.key_end, member.prefix + written)


def _is_older(entry: Entry, client: Client, member: Member) -> bool:
    """Whether the client would use HTTP+SSE."""
    named = server_type(entry.node.value())
    if named is not None:
        return named == "sse"
    return member.name == client.sse_key or urlsplit(member.node.scalar).path.endswith("/sse")


def is_well_formed(url: str) -> bool:
    """Whether it is an address over HTTP."""
    try:
        return urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _is_local(url: str) -> bool:
    """Whether a URL addresses this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
