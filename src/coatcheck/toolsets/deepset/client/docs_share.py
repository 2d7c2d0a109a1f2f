"""Searches a shared prototype, such as the platform's documentation, by its share URL."""

import base64
import binascii
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from pydantic_core import from_json

from coatcheck.errors import SettingsError
from coatcheck.toolsets.deepset.client.api_connection import DEFAULT_API_URL, ApiConnection, Timeouts
from coatcheck.toolsets.deepset.client.errors import NotAuthorized, UnexpectedAnswer
from coatcheck.toolsets.deepset.client.models import SearchResult
from coatcheck.toolsets.deepset.client.retry_policy import RetryPolicy
from coatcheck.toolsets.deepset.client.searches_api import SearchesApi

_PREFIX = "prototype_"
_SHARE_URL_CHARACTERS = 10_000
_HOW = (
    "It looks like https://cloud.deepset.ai/shared_prototypes?share_token=prototype_…; copy it from the share dialog."
)


@dataclass(frozen=True, slots=True)
class ShareLink:
    """The parts of a share URL."""

    token: str  # the share token, which serves as a key
    workspace: str
    share_id: str  # the prototype's id

    @classmethod
    def parse(cls, url: str) -> "ShareLink":
        """Parse a share URL. Its token is verified by the platform, not here.

        Raises:
            SettingsError: It is not a share URL; the token is not quoted.
        """
        token = parse_qs(urlsplit(url[:_SHARE_URL_CHARACTERS]).query).get("share_token", [""])[0]
        parts = token.removeprefix(_PREFIX).split(".")
        try:
            payload = parts[1]
            claims = from_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            workspace, share_id = claims["workspace_name"], claims["share_id"]
        except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
            workspace = share_id = None
        if not isinstance(workspace, str) or not isinstance(share_id, str):
            raise SettingsError(f"The share URL has no share token that can be read. {_HOW}")
        return cls(token, workspace, share_id)


class DocsShare:
    """Searches a shared prototype; the share is resolved at the first search, and again when its token expires.

    Args:
        url: The share URL.
        http: The connection pool, which is not owned.
        base_url: URL of the API.
        timeouts: Seconds by kind of call.
        retries: The retry policy.

    Raises:
        SettingsError: It is not a share URL.
    """

    def __init__(
        self,
        url: str,
        http: httpx2.AsyncClient,
        *,
        base_url: str = DEFAULT_API_URL,
        timeouts: Timeouts | None = None,
        retries: RetryPolicy | None = None,
    ) -> None:
        self._link = ShareLink.parse(url)
        self._share = ApiConnection(http, self._link.token, base_url, timeouts or Timeouts(), retries or RetryPolicy())
        self._resolved: tuple[SearchesApi, str] | None = None
        self._lock = anyio.Lock()

    async def search(self, query: str) -> SearchResult:
        """Search.

        Raises:
            DeepsetError: The platform refused or failed.
        """
        resolved = self._resolved
        searches, pipeline = resolved or await self._resolve(None)
        try:
            return await searches.search(pipeline, query)
        except NotAuthorized:
            if resolved is None:
                raise
            searches, pipeline = await self._resolve(resolved)
            return await searches.search(pipeline, query)

    async def _resolve(self, stale: tuple[SearchesApi, str] | None) -> tuple[SearchesApi, str]:
        """Resolve the share once for all concurrent searches."""
        async with self._lock:
            if self._resolved is not None and self._resolved is not stale:
                return self._resolved
            workspace = self._link.workspace
            path = ("v1", "workspaces", workspace)
            details = await self._share.get(*path, "shared_prototypes", self._link.share_id)
            user = await self._share.post(*path, "shared_prototype_users")
            names = details.get("pipeline_names") if isinstance(details, dict) else None
            token = user.get("user_token") if isinstance(user, dict) else None
            if not isinstance(names, list) or not names or not isinstance(token, str):
                raise UnexpectedAnswer("The share has no pipeline to search with, or gives no token")
            self._resolved = SearchesApi(replace(self._share, api_key=token), workspace), str(names[0])
            return self._resolved
