"""URLs of stores in a form that may be shown."""

import re

from coatcheck.errors import excerpt

_SECRET_OPTION = re.compile(r"(?is)([?&;#][^=&;#?]*(?:pass|pwd|secret|token|auth|user|key)[^=&;#?]*=).*")
_PORT = re.compile(r"(?s)[0-9]*([?#].*)?")
_HIDDEN = "***"
_SHOWN = 200


def redact_url(url: str) -> str:
    """``url`` without user, password or secret options, for messages and logs; it need not be well-formed.

    Everything before the last ``@`` goes, so a password with an unescaped ``/``, ``?`` or ``#`` does not show either,
    and so does a port that is no number, since ``redis://:secret`` is a password without its ``@``. From a secret
    option on, the rest goes. Where it cannot be told which is which, only the scheme stays.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    credentials, at, address = rest.rpartition("@")
    if _SECRET_OPTION.search(credentials):
        return excerpt(scheme + separator + _HIDDEN, _SHOWN)
    address = _SECRET_OPTION.sub(rf"\1{_HIDDEN}", address)
    host, slash, path = address.partition("/")
    _, colon, port = host.rpartition(":")
    if colon and not host.endswith("]") and not _PORT.fullmatch(port):
        host = _HIDDEN
    return excerpt(scheme + separator + (_HIDDEN + at if at else "") + host + slash + path, _SHOWN)
