"""Clients of the platform, one for each API key, over one connection pool."""

import time
from collections import OrderedDict
from collections.abc import Callable

import httpx2

from coatcheck.toolsets.deepset.client import (
    DeepsetClient,
    DocsShare,
    RetryPolicy,
    Timeouts,
    open_http_client,
)
from coatcheck.toolsets.deepset.deepset_settings import DeepsetSettings

MAX_CLIENTS = 100
IDLE_SECONDS = 600.0


class ClientPool:
    """Creates a client for each API key, and drops unused ones after a while.

    Clients have no connections of their own, so a client that is dropped during a call completes the call. The
    connection pool is created at the first call; after `aclose` the next call creates another one.
    """

    def __init__(
        self,
        settings: DeepsetSettings,
        retries: RetryPolicy | None = None,
        *,
        max_clients: int = MAX_CLIENTS,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._retries = retries or RetryPolicy()
        self._max_clients = max_clients
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._timeouts = Timeouts(default=settings.client_timeout)
        self._http: httpx2.AsyncClient | None = None
        self._clients: OrderedDict[str, tuple[float, DeepsetClient]] = OrderedDict()
        self._docs: DocsShare | None = None

    def __len__(self) -> int:
        return len(self._clients)

    def client(self, api_key: str) -> DeepsetClient:
        """Return the client of a key.

        Raises:
            SettingsError: The key has characters that are invalid in an HTTP header.
        """
        now = self._clock()
        _, client = self._clients.pop(api_key, (now, None))
        if client is None:
            client = DeepsetClient(
                api_key,
                base_url=self._settings.api_url,
                timeouts=self._timeouts,
                retries=self._retries,
                http=self._connections(),
            )
        self._clients[api_key] = (now, client)
        while (
            len(self._clients) > self._max_clients or next(iter(self._clients.values()))[0] < now - self._idle_seconds
        ):
            self._clients.popitem(last=False)
        return client

    def docs(self) -> DocsShare | None:
        """Return the documentation's share; ``None`` if no share URL is set. It is resolved at its first search.

        Raises:
            SettingsError: The share URL is malformed.
        """
        url = self._settings.docs_share_url
        if self._docs is None and url is not None:
            self._docs = DocsShare(
                url.get_secret_value(),
                self._connections(),
                base_url=self._settings.api_url,
                timeouts=self._timeouts,
                retries=self._retries,
            )
        return self._docs

    async def aclose(self) -> None:
        """Drop all clients and close the connections."""
        self._clients.clear()
        self._docs = None
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    def _connections(self) -> httpx2.AsyncClient:
        if self._http is None:
            self._http = open_http_client()
        return self._http
