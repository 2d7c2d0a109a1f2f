"""An MCP server that requires OAuth, and its authorization server with a consent page, on loopback.

Usage: python authorization_server.py PORT TOKEN_SECONDS [refuse]
"""

import secrets
import sys
import time
from urllib.parse import urlencode

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

PORT, TOKEN_SECONDS, REFUSES = int(sys.argv[1]), int(sys.argv[2]), "refuse" in sys.argv[3:]
ORIGIN = f"http://127.0.0.1:{PORT}"
SCOPES = ["read"]


class Provider(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    def __init__(self) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.asked: dict[str, tuple[str, AuthorizationParams]] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.tokens: dict[str, AccessToken] = {}
        self.refreshers: dict[str, RefreshToken] = {}
        self.log: list[str] = []

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client_info):
        self.log.append(f"register {client_info.client_name}")
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client, params):
        self.log.append(f"authorize pkce={bool(params.code_challenge)} resource={params.resource}")
        number = secrets.token_hex(8)
        self.asked[number] = client.client_id, params
        return f"{ORIGIN}/consent?{urlencode({'number': number})}"

    async def load_authorization_code(self, client, authorization_code):
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client, authorization_code):
        del self.codes[authorization_code.code]
        self.log.append("token code")
        return self._tokens(client.client_id, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(self, client, refresh_token):
        return self.refreshers.get(refresh_token)

    async def exchange_refresh_token(self, client, refresh_token, scopes):
        del self.refreshers[refresh_token.token]
        self.log.append("token refresh")
        return self._tokens(client.client_id, scopes, refresh_token.resource)

    async def load_access_token(self, token):
        return self.tokens.get(token)

    async def revoke_token(self, token):
        self.log.append("revoke")
        self.tokens.clear()
        self.refreshers.clear()

    def _tokens(self, client_id, scopes, resource):
        access, refresh = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        expires = int(time.time()) + TOKEN_SECONDS
        self.tokens[access] = AccessToken(
            token=access, client_id=client_id, scopes=scopes, expires_at=expires, resource=resource
        )
        self.refreshers[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=scopes, resource=resource)
        return OAuthToken(access_token=access, expires_in=TOKEN_SECONDS, refresh_token=refresh, scope=" ".join(scopes))


provider = Provider()
server = MCPServer(
    "guarded",
    auth_server_provider=provider,
    auth=AuthSettings(
        issuer_url=ORIGIN,
        resource_server_url=f"{ORIGIN}/mcp",
        validate_token_resource=True,
        required_scopes=SCOPES,
        client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES),
        revocation_options=RevocationOptions(enabled=True),
    ),
)


@server.tool()
def text(size: int) -> str:
    """Return a text of this length."""
    return "line\n" * (size // 5)


@server.custom_route("/consent", methods=["GET", "POST"])
async def consent(request: Request) -> Response:
    number = request.query_params["number"]
    if request.method == "GET":
        return HTMLResponse(
            '<title>consent</title><form method="post"><button>Allow</button></form>'
            "<script>document.forms[0].submit()</script>"  # in a real browser, the script presses the button
        )
    client_id, params = provider.asked.pop(number)
    redirect = str(params.redirect_uri)
    if REFUSES:
        back = construct_redirect_uri(redirect, error="access_denied", error_description="No.", state=params.state)
        return RedirectResponse(back, 303)
    code = AuthorizationCode(
        code=secrets.token_urlsafe(16), scopes=params.scopes or SCOPES, expires_at=time.time() + 60,
        client_id=client_id, code_challenge=params.code_challenge, redirect_uri=params.redirect_uri,
        redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly, resource=params.resource,
    )  # fmt: skip
    provider.codes[code.code] = code
    return RedirectResponse(construct_redirect_uri(redirect, code=code.code, state=params.state), 303)


@server.custom_route("/log", methods=["GET"])
async def log(_request: Request) -> Response:
    return JSONResponse(provider.log)


@server.custom_route("/reset", methods=["POST"])
async def reset(_request: Request) -> Response:
    """Reset to the initial state."""
    vars(provider).update(vars(Provider()))
    return JSONResponse({})


@server.custom_route("/forget", methods=["POST"])
async def forget(_request: Request) -> Response:
    """Invalidate all access tokens before they expire."""
    provider.tokens.clear()
    return JSONResponse({})


if __name__ == "__main__":
    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=PORT, log_level="error")
