"""The options that ``serve`` and ``wrap`` share: where they listen, and who may call."""

from pathlib import Path
from typing import Annotated

import typer

TRANSPORT, AUTHENTICATION = "Transport", "Authentication (HTTP)"

Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on (HTTP).", rich_help_panel=TRANSPORT)]
Port = Annotated[
    int, typer.Option(metavar="NUMBER", help="Port to listen on (HTTP).", min=0, max=65535, rich_help_panel=TRANSPORT)
]
Unprotected = Annotated[
    bool,
    typer.Option(
        "--unprotected",
        help="Allow an address that other machines can reach although callers are not authenticated: every client "
        "that knows an object's id can then read it.",
        rich_help_panel=TRANSPORT,
    ),
]
AuthTokens = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Accept the bearer tokens in this list: lines of a name and the token's SHA-256.",
        rich_help_panel=AUTHENTICATION,
    ),
]
AuthJwks = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL",
        help="Accept JWTs signed with one of these keys: file or https:// URL of a JWKS.",
        rich_help_panel=AUTHENTICATION,
    ),
]
AuthIssuer = Annotated[
    str | None,
    typer.Option(
        metavar="ISSUER", help="With --auth-jwks: the required issuer of a token.", rich_help_panel=AUTHENTICATION
    ),
]
AuthAudience = Annotated[
    str | None,
    typer.Option(
        metavar="AUDIENCE",
        help="With --auth-jwks: the required audience of a token, usually this server's URL.",
        rich_help_panel=AUTHENTICATION,
    ),
]
AuthVerifier = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:ATTRIBUTE",
        help="Verify tokens with a TokenVerifier of your own.",
        rich_help_panel=AUTHENTICATION,
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log to stderr what happens.")]
