"""``coatcheck login`` and ``logout``: OAuth sign-ins at servers at URLs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coatcheck.cli.logs import announce
from coatcheck.cli.printing import print_line
from coatcheck.cli.settings_options import PlainCommand
from coatcheck.errors import CoatcheckError, UpstreamError

if TYPE_CHECKING:
    from coatcheck.proxy.upstreams.oauth import OAuth
    from coatcheck.proxy.upstreams.token_storage import SignIn, TokenStorage

app = typer.Typer(rich_markup_mode=None)

Url = Annotated[str, typer.Argument(help="The server's URL, as in wrap --url.", metavar="URL")]
CaFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Certificates to trust for the URL (PEM).", show_default=False)
]


@app.command(cls=PlainCommand)
def login(
    url: Url,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser, or only print its address.")
    ] = True,
    ca_file: CaFile = None,
) -> None:
    """Sign in at a server that requires OAuth, in the browser.

    The tokens go to the system's keyring, or to a file that only you can read; wrap uses and refreshes them:

        coatcheck login https://mcp.example.com/mcp
    """
    import asyncio

    from coatcheck.proxy.upstreams.oauth import OAuth, open_in_browser
    from coatcheck.proxy.upstreams.targets import UrlTarget

    def show(page: str) -> bool:
        announce(f"sign in on this page; it leads back to this machine:\n{page}")
        if browser:
            open_in_browser(page)
        return True

    target = UrlTarget(url, ca_file=ca_file)  # refuses what is not a URL
    auth = OAuth(url, sign_ins(), required=True, open_page=show, ca_file=ca_file)
    if asyncio.run(_probe(auth, url, ca_file)):
        print_line(f"Signed in at {target.name}.")
    else:
        print_line(f"{target.name} asks for no sign-in.")


async def _probe(auth: "OAuth", url: str, ca_file: Path | None) -> bool:
    """Send a client's first request, so that the server requires the sign-in; return whether it did."""
    import httpx2

    from coatcheck.proxy.upstreams.http_client import open_client, refusal, unreachable
    from coatcheck.proxy.upstreams.targets import UrlTarget

    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "coatcheck login", "version": "1"},
        },
    }
    headers = {"accept": "application/json, text/event-stream"}
    name = UrlTarget(url).name
    try:
        async with open_client({}, ca_file, auth) as client:
            async with client.stream("POST", url, json=initialize, headers=headers) as response:
                refused, sent_token = response, "authorization" in response.request.headers
            if refused.status_code in {404, 405}:  # HTTP+SSE, which starts with a GET
                async with client.stream("GET", url, headers={"accept": "text/event-stream"}) as response:
                    refused, sent_token = response, "authorization" in response.request.headers
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise UpstreamError(unreachable(name, error)) from None
    if refused.is_error or refused.is_redirect:
        raise UpstreamError(refusal(name, refused))
    return sent_token


@app.command(cls=PlainCommand)
def logout(url: Url) -> None:
    """Forget the sign-in at a server, and revoke its tokens where the server offers that."""
    import asyncio

    from coatcheck.proxy.upstreams.oauth import revoke
    from coatcheck.proxy.upstreams.targets import UrlTarget

    name = UrlTarget(url).name  # without secrets
    storage = sign_ins()
    sign_in = storage.load(url)
    revoked = asyncio.run(revoke(sign_in))
    if not storage.delete(url):
        known = ", ".join(UrlTarget(each.url).name for each in storage.all()) or "none"
        raise CoatcheckError(f"There is no sign-in at {name}. Sign-ins: {known}.")
    print_line(f"The sign-in at {name} is forgotten{' and revoked' if revoked else ''}.")


def print_sign_ins() -> None:
    """Print the user's sign-ins."""
    from coatcheck.proxy.upstreams.targets import UrlTarget

    found = sign_ins().all()
    if found:
        print_line("Sign-ins")
    for sign_in in found:
        print_line(f"  {UrlTarget(sign_in.url).name}  {_validity(sign_in)}")


def _validity(sign_in: "SignIn") -> str:
    if not sign_in.access_token:
        return "not signed in"
    if sign_in.expires_at is None:
        return "signed in"
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(sign_in.expires_at))
    if sign_in.can_refresh:
        return f"signed in; the token is valid until {until} and is refreshed by itself"
    return f"{'expired' if sign_in.expired else 'signed in until'} {until}"


def sign_ins() -> "TokenStorage":
    """Return the user's sign-ins."""
    from coatcheck.proxy.upstreams.token_storage import TokenStorage
    from coatcheck.user_folders import data_folder

    return TokenStorage(data_folder() / "sign-ins")
