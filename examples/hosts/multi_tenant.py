"""A server for several tenants over Redis: each token has a namespace with separate objects.

    COATCHECK_REDIS_URL=redis://localhost:6379 python examples/hosts/multi_tenant.py --port 8000 \
        --token alice=SECRET --token bob=SECRET

Any number of these processes may share the Redis; they derive the namespaces from its URL, or from
COATCHECK_NAMESPACE_SECRET.
"""

import argparse
import hmac
from collections.abc import Mapping
from typing import Any

from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl

from coatcheck import Container, Settings, attach, running


class ListedTokens(TokenVerifier):
    """Accepts listed tokens; a real server verifies signed ones, see `coatcheck serve --auth-jwks`."""

    def __init__(self, owners: Mapping[str, str]) -> None:
        self._owners = owners

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the owner of a token."""
        for owner, listed in self._owners.items():
            if hmac.compare_digest(token.encode(), listed.encode()):
                return AccessToken(token=token, client_id="listed", scopes=[], subject=owner)
        return None


def make_server(container: Container, owners: Mapping[str, str], url: str) -> MCPServer[Any]:
    """Create the server; every tool uses the objects of its caller."""
    server: MCPServer[Any] = MCPServer(
        "tenants",
        lifespan=lambda _: running(container),
        token_verifier=ListedTokens(owners),
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(url),
            resource_server_url=AnyHttpUrl(f"{url}/mcp"),
            validate_token_resource=False,  # a listed token is for this server, and names no resource
        ),
        log_level="WARNING",
    )

    @server.tool()
    def rows(count: int) -> list[int]:
        """Return numbers."""
        return list(range(count))

    attach(server, container)
    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--token", action="append", required=True, metavar="OWNER=TOKEN")
    arguments = parser.parse_args()
    listed = dict(each.split("=", 1) for each in arguments.token)
    address = f"http://127.0.0.1:{arguments.port}"
    own = Container(settings=Settings(object_store_backend="redis"))
    make_server(own, listed, address).run("streamable-http", host="127.0.0.1", port=arguments.port)
