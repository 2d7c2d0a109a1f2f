"""API keys in the Authorization header of requests, used as the caller's identity."""

import hashlib
from typing import Any

from mcp.server.auth.middleware.auth_context import auth_context_var, get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.shared.exceptions import MCPError

from coatcheck.toolsets.deepset.client import NotAuthorized
from coatcheck.toolsets.deepset.client.api_connection import may_be_key

CLIENT_ID = "deepset-api-key"
UNAUTHORIZED = -32_001
NO_KEY = (
    "This server needs your deepset API key with every request: send it in the HTTP header "
    "'Authorization: Bearer <key>'. Nothing was called."
)


def token_of(key: str) -> AccessToken | None:
    """Create the identity of a key: its hash, so that each key has its own objects; ``None`` for an invalid key.

    The platform validates the key only when it is used.
    """
    if not may_be_key(key):
        return None
    subject = hashlib.sha256(key.encode()).hexdigest()
    return AccessToken(
        token=key, client_id=CLIENT_ID, scopes=[], subject=subject, claims={"iss": CLIENT_ID, "sub": subject}
    )


class KeyVerifier:
    """Accepts every caller with a key, under the key's own identity; the SDK refuses others with 401."""

    async def verify_token(self, token: str) -> AccessToken | None:
        """Identify the user of a token."""
        return token_of(token)


async def with_key_of_request(ctx: Any, call_next: Any) -> Any:
    """Read the key of a request if the server does not authenticate callers; refuse a request without one."""
    if get_access_token() is not None:
        return await call_next(ctx)
    header = "" if ctx.request is None else ctx.request.headers.get("authorization", "")
    scheme, _, key = header.partition(" ")
    identity = token_of(key.strip()) if scheme.lower() == "bearer" else None
    if identity is None:
        raise MCPError(UNAUTHORIZED, NO_KEY)
    reset = auth_context_var.set(AuthenticatedUser(identity))
    try:
        return await call_next(ctx)
    finally:
        auth_context_var.reset(reset)


def key_of_request() -> str:
    """Return the key of the current request; raises ``NotAuthorized`` if it has no key."""
    token = get_access_token()
    if token is None or token.client_id != CLIENT_ID:
        raise NotAuthorized(NO_KEY)
    return token.token
