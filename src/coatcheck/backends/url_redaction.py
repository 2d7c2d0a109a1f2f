"""Redacts URLs of stores for messages."""

import re

from coatcheck.errors import excerpt

_SECRET_OPTION = re.compile(r"(?is)([?&;#][^=&;#?]*(?:pass|pwd|secret|token|auth|user|key)[^=&;#?]*=).*")
_PASSWORD_OPTION = re.compile(r"(?i)[?&][^=&#]*password=[^&]")
_PORT = re.compile(r"(?s)[0-9]*([?#].*)?")
_HIDDEN = "***"
_SHOWN = 200


def redact_url(url: str) -> str:
    """``url`` without user, password or secret options, for messages and logs; it need not be well-formed.

    Everything before the last ``@`` is removed, including a password with an unescaped ``/``, ``?`` or ``#``, and so is
    a port that is not a number, because ``redis://:secret`` is a password without its ``@``. Everything from a secret
    option on is removed. If the parts are ambiguous, only the scheme remains.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    credentials, at, address = rest.rpartition("@")
    if _SECRET_OPTION.search(credentials):
        return excerpt(scheme + separator + _HIDDEN, _SHOWN)
    address = _SECRET_OPTION.sub(rf"\1{_HIDDEN}", address)
    host, slash, path = address.partition("/")
    if not all(map(_may_be_shown, host.split(","))):
        host = _HIDDEN
    return excerpt(scheme + separator + (_HIDDEN + at if at else "") + host + slash + path, _SHOWN)


def has_password(url: str) -> bool:
    """Whether ``url`` contains a password, before the hosts or in an option; it need not be well-formed."""
    rest = url.partition("://")[2] or url
    credentials = rest.rpartition("@")[0]
    return bool(credentials.partition(":")[2] or _PASSWORD_OPTION.search(rest))


def _may_be_shown(host: str) -> bool:
    """Whether a part is really one of several hosts: a password without its ``@`` looks like a port."""
    name, colon, port = host.rpartition(":")
    return not colon or host.endswith("]") or bool(name and _PORT.fullmatch(port))
