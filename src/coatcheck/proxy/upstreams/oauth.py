"""OAuth for servers at URLs: tokens for every request, refreshed in time, and sign-in in the browser.

The SDK's OAuth client implements the protocol: discovery, dynamic registration, PKCE, the token endpoint. It uses a
separate connection, because it would hold its lock for as long as a call takes, and ignores other processes.
"""

import asyncio
import logging
import ssl
import subprocess
import sys
import time
import webbrowser
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from coatcheck.errors import UpstreamError, excerpt, quoted
from coatcheck.proxy.upstreams.loopback_redirect import LoopbackRedirect
from coatcheck.proxy.upstreams.token_storage import SignIn, TokenStorage

if TYPE_CHECKING:
    from mcp.client.auth import OAuthClientProvider
    from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthToken

logger = logging.getLogger(__name__)

SIGN_IN_SECONDS = 300.0
"""Seconds within which the user must sign in."""
_REQUEST_SECONDS = 30.0
_LOCK_INTERVAL = 0.2
_TERMINAL_BROWSERS = {"www-browser", "links", "elinks", "lynx", "w3m"}
_MOST_BYTES = 1 << 20
_ENCODED = {"content-encoding", "content-length", "transfer-encoding"}
_UNAUTHORIZED, _FORBIDDEN = 401, 403


def open_in_browser(url: str) -> bool:
    """Open a page in the user's browser; return whether there is one.

    A separate process opens it, because the output of some browsers would mix with the messages on our stdout.
    """
    try:
        name = Path(getattr(webbrowser.get(), "name", "")).name
    except webbrowser.Error:
        return False
    if name in _TERMINAL_BROWSERS:  # there is no terminal here
        return False
    command = [sys.executable, "-m", "webbrowser", url]
    quiet = subprocess.DEVNULL
    with suppress(subprocess.TimeoutExpired):
        subprocess.Popen(  # noqa: S603  # the page's scheme is http or https
            command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        ).wait(_REQUEST_SECONDS)
    return True


class OAuth(httpx2.Auth):
    """Adds the token of a sign-in to every request, and signs in when the server requires it.

    Args:
        url: The server's URL.
        storage: Stores sign-ins.
        required: Whether to sign in on any 401, not only on one that names the Bearer scheme.
        open_page: Shows a page to the user, and returns whether it did; ``None`` if there is no user to sign in.
        ca_file: Certificates to trust instead of the default ones.
    """

    def __init__(
        self,
        url: str,
        storage: TokenStorage,
        *,
        required: bool = False,
        open_page: Callable[[str], bool] | None = open_in_browser,
        ca_file: Path | None = None,
    ) -> None:
        self._url, self._storage, self._required = url, storage, required
        self._open_page, self._ca_file = open_page, ca_file
        self._sign_in: SignIn | None = None
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed = False

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send a request with the token, and repeat it after a sign-in; see ``httpx2.Auth``."""
        if "authorization" in request.headers:
            yield request
            return
        if self._sign_in is None:
            self._sign_in = await asyncio.to_thread(self._storage.load, self._url)
        if self._sign_in.expired and self._sign_in.can_refresh:
            await self._try_renew(self._sign_in.access_token, None)
        token = self._sign_in.access_token
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if not self._needs_sign_in(response):
            return
        await response.aread()
        if await self._try_renew(token, response):
            request.headers["Authorization"] = f"Bearer {self._sign_in.access_token}"
            yield request

    def _needs_sign_in(self, response: httpx2.Response) -> bool:
        challenge = response.headers.get("www-authenticate", "")
        if response.status_code == _FORBIDDEN:
            return "insufficient_scope" in challenge
        return response.status_code == _UNAUTHORIZED and (self._required or challenge.lower().startswith("bearer"))

    async def _try_renew(self, tried: str | None, response: httpx2.Response | None) -> bool:
        """Get another token than ``tried``; return whether there is one. Errors are logged."""
        async with self._lock:
            assert self._sign_in is not None  # noqa: S101  # loaded before
            if self._sign_in.access_token not in {None, tried}:
                return True  # another request got it meanwhile
            if self._failed and response is not None:
                return False  # it failed and was reported: do not open a second window
            try:
                await self._renew_shielded(tried, response)
            except (UpstreamError, httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, TimeoutError) as error:
                self._failed = response is not None
                logger.warning("Signing in at %s failed: %s", _shown(self._url), _reason(error))
            return self._sign_in.access_token not in {None, tried}

    async def _renew_shielded(self, tried: str | None, response: httpx2.Response | None) -> None:
        """Complete the renewal even if the request is cancelled, because the user may be signing in in the browser."""
        task = asyncio.get_running_loop().create_task(self.renew(tried, response))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )  # it was reported, or will be by the next attempt
        await asyncio.shield(task)

    async def renew(self, tried: str | None, response: httpx2.Response | None) -> None:
        """Refresh the token, or sign in, unless another process has done so.

        ``tried`` is the token that the server refused with ``response``; without a response it is only refreshed.

        Raises:
            UpstreamError: No token was obtained.
        """
        async with asyncio.timeout(SIGN_IN_SECONDS + 30), self._alone():
            sign_in = await asyncio.to_thread(self._storage.load, self._url)
            if sign_in.access_token not in {None, tried} and not sign_in.expired:
                self._sign_in = sign_in
                return
            async with AsyncExitStack() as stack:
                redirect = await _open_redirect(sign_in, stack) if response is not None else None
                refresh = response is None or response.status_code == _UNAUTHORIZED
                provider = _provider(sign_in, redirect, self._open_page, refresh=refresh)
                await stack.enter_async_context(_sdk_log_silenced())
                client = await stack.enter_async_context(self._client())
                await _run_flow(provider, client, response)
                _remember(provider, sign_in)
            if not sign_in.access_token:
                raise UpstreamError("the authorization server gave no token")
            await asyncio.to_thread(self._storage.save, sign_in)
            self._sign_in = sign_in

    def _client(self) -> httpx2.AsyncClient:
        verify = ssl.create_default_context(cafile=self._ca_file) if self._ca_file is not None else True
        return httpx2.AsyncClient(timeout=_REQUEST_SECONDS, verify=verify)

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """Wait until no other process is signing in at this server."""
        while True:
            with self._storage.lock(self._url) as alone:
                if alone:
                    yield
                    return
            await asyncio.sleep(_LOCK_INTERVAL)


class _Storage:
    """Storage of one sign-in for the SDK's client; see its ``TokenStorage``."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    async def get_tokens(self) -> "OAuthToken | None":
        from mcp.shared.auth import OAuthToken

        return OAuthToken.model_validate(self._sign_in.tokens) if self._sign_in.tokens else None

    async def set_tokens(self, tokens: "OAuthToken") -> None:
        self._sign_in.tokens = tokens.model_dump(mode="json", exclude_none=True)
        self._sign_in.expires_at = time.time() + tokens.expires_in if tokens.expires_in is not None else None

    async def get_client_info(self) -> "OAuthClientInformationFull | None":
        from mcp.shared.auth import OAuthClientInformationFull

        return OAuthClientInformationFull.model_validate(self._sign_in.client) if self._sign_in.client else None

    async def set_client_info(self, client_info: "OAuthClientInformationFull") -> None:
        self._sign_in.client = client_info.model_dump(mode="json", exclude_none=True)


async def _open_redirect(sign_in: SignIn, stack: AsyncExitStack) -> LoopbackRedirect:
    """Listen on the registered port; if it is taken, on another one, with a new registration."""
    uris = (sign_in.client or {}).get("redirect_uris") or [""]
    port = urlsplit(str(uris[0])).port
    if port:
        with suppress(OSError):
            return await stack.enter_async_context(LoopbackRedirect(port))
    sign_in.client = None
    return await stack.enter_async_context(LoopbackRedirect())


def _provider(
    sign_in: SignIn,
    redirect: LoopbackRedirect | None,
    open_page: Callable[[str], bool] | None,
    *,
    refresh: bool,
) -> "OAuthClientProvider":
    """Create the SDK's client from the stored sign-in."""
    from mcp.client.auth import OAuthClientProvider
    from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata, OAuthMetadata, ProtectedResourceMetadata
    from pydantic import AnyUrl

    async def show(url: str) -> None:
        if redirect is None or open_page is None:
            raise UpstreamError(f"run `coatcheck login {_shown(sign_in.url)}` first")
        redirect.expect(url)
        logger.warning("The server %s requires a sign-in: see the browser.", _shown(sign_in.url))
        if not await asyncio.to_thread(open_page, url):
            raise UpstreamError(f"no browser was found; run `coatcheck login {_shown(sign_in.url)}` in a terminal")

    async def answer() -> "AuthorizationCodeResult":
        assert redirect is not None  # noqa: S101  # show has raised before
        async with asyncio.timeout(SIGN_IN_SECONDS):
            query = await redirect.wait()
        if "error" in query:
            raise UpstreamError(f"it was refused: {quoted(query.get('error_description', query['error']), 200)}")
        return AuthorizationCodeResult(code=query.get("code", ""), state=query.get("state"), iss=query.get("iss"))

    uri = redirect.uri if redirect is not None else "http://127.0.0.1/callback"
    metadata = OAuthClientMetadata(
        client_name="coatcheck",
        redirect_uris=[AnyUrl(uri)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",  # noqa: S106  # a client on a person's machine keeps no secret
    )
    provider = OAuthClientProvider(sign_in.url, metadata, _Storage(sign_in), show, answer)
    context = provider.context
    if sign_in.server_metadata:
        context.oauth_metadata = OAuthMetadata.model_validate(sign_in.server_metadata)
    if sign_in.resource_metadata:
        context.protected_resource_metadata = ProtectedResourceMetadata.model_validate(sign_in.resource_metadata)
        context.auth_server_url = str(context.protected_resource_metadata.authorization_servers[0])
    if sign_in.can_refresh and refresh:
        context.token_expiry_time = 1.0  # it was refused, or expired: refresh it first
    return provider


async def _run_flow(
    provider: "OAuthClientProvider", client: httpx2.AsyncClient, response: httpx2.Response | None
) -> None:
    """Run the SDK's flow: the server's refusal replaces the first request, the other requests are sent."""
    from mcp.client.auth import OAuthFlowError

    request = httpx2.Request("POST", provider.context.server_url, headers=_protocol(response))
    flow = provider.async_auth_flow(request)
    stored = await provider.context.storage.get_tokens()
    answered = response is None
    try:
        outgoing = await anext(flow)
        while True:
            if outgoing is not request:
                reply = await _send(client, outgoing)
            elif answered or _is_new(provider, stored):
                return
            else:
                answered = True
                assert response is not None  # noqa: S101  # else it was answered from the start
                reply = _copy(response, request)
            outgoing = await flow.asend(reply)
    except StopAsyncIteration:
        return
    except (UpstreamError, httpx2.HTTPError, OSError):
        raise
    except (OAuthFlowError, httpx2.InvalidURL, ValueError) as error:  # pydantic's errors concern data from a server
        raise UpstreamError(_reason(error)) from None
    finally:
        await flow.aclose()


def _is_new(provider: "OAuthClientProvider", stored: "OAuthToken | None") -> bool:
    """Whether the flow has refreshed the token."""
    current = provider.context.current_tokens
    return current is not None and (stored is None or current.access_token != stored.access_token)


async def _send(client: httpx2.AsyncClient, request: httpx2.Request) -> httpx2.Response:
    """Send a request of the flow; the size of its response is bounded."""
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > _MOST_BYTES:
                raise UpstreamError(f"the answer of {_shown(str(request.url))} is too long")
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _ENCODED]
    reply = httpx2.Response(response.status_code, headers=headers, content=bytes(body), request=request)
    reply.next_request = response.next_request
    return reply


def _protocol(response: httpx2.Response | None) -> Mapping[str, str]:
    """Return the header that signals to the SDK that the server supports resource indicators (RFC 8707)."""
    sent = response.request.headers.get("mcp-protocol-version") if response is not None else None
    return {"mcp-protocol-version": sent or "2025-06-18"}


def _copy(response: httpx2.Response, request: httpx2.Request) -> httpx2.Response:
    challenge = response.headers.get_list("www-authenticate")
    return httpx2.Response(
        response.status_code, headers=[("www-authenticate", value) for value in challenge], request=request
    )


def _remember(provider: "OAuthClientProvider", sign_in: SignIn) -> None:
    """Store the discovered metadata, which a refresh after a restart needs."""
    context = provider.context
    for name, found in (
        ("server_metadata", context.oauth_metadata),
        ("resource_metadata", context.protected_resource_metadata),
    ):
        setattr(sign_in, name, None if found is None else found.model_dump(mode="json", exclude_none=True))
    if context.current_tokens is None:
        sign_in.tokens = None


@asynccontextmanager
async def _sdk_log_silenced() -> AsyncGenerator[None]:
    """Suppress tracebacks of the SDK; errors are reported once, on one line."""
    theirs = logging.getLogger("mcp.client.auth")
    before = theirs.level
    theirs.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        theirs.setLevel(before)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"there was no sign-in within {SIGN_IN_SECONDS:g} s"
    text: Any = str(error) or type(error).__name__
    return excerpt(" ".join(text.split()), 300)


def _shown(url: str) -> str:
    """The URL without its secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def revoke(sign_in: SignIn) -> bool:
    """Revoke the tokens at the authorization server (RFC 7009); return whether it succeeded."""
    endpoint = (sign_in.server_metadata or {}).get("revocation_endpoint")
    token = (sign_in.tokens or {}).get("refresh_token") or sign_in.access_token
    if not endpoint or not token:
        return False
    client = sign_in.client or {}
    # An empty secret may be left out (RFC 6749, 2.3.1), but the SDK's servers require it.
    data = {"token": token, "client_id": client.get("client_id", ""), "client_secret": client.get("client_secret", "")}
    try:
        async with httpx2.AsyncClient(timeout=_REQUEST_SECONDS) as web:
            return (await _send(web, web.build_request("POST", endpoint, data=data))).is_success
    except (UpstreamError, httpx2.HTTPError, httpx2.InvalidURL, OSError):
        return False
