"""The client of the platform's API, with one API key."""

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self

import httpx2

from coatcheck.toolsets.deepset.client.api_connection import DEFAULT_API_URL, ApiConnection, Timeouts
from coatcheck.toolsets.deepset.client.indexes_api import IndexesApi, TemplatesApi
from coatcheck.toolsets.deepset.client.organization_api import (
    ComponentsApi,
    CustomComponentsApi,
    IntegrationsApi,
    ModelsApi,
    SecretsApi,
    UsersApi,
    WorkspacesApi,
)
from coatcheck.toolsets.deepset.client.pipelines_api import PipelinesApi
from coatcheck.toolsets.deepset.client.retry_policy import RetryPolicy
from coatcheck.toolsets.deepset.client.searches_api import SearchesApi

MAX_CONNECTIONS = 100
MAX_IDLE_CONNECTIONS = 20
IDLE_SECONDS = 30.0


def open_http_client() -> httpx2.AsyncClient:
    """Create a connection pool that keys can share: it sends no cookies, so that keys stay isolated."""
    return httpx2.AsyncClient(
        limits=httpx2.Limits(
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
        ),
        headers={"User-Agent": "coatcheck-deepset"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


class WorkspaceClient:
    """The resources of one workspace.

    Attributes:
        name: The workspace's name.
        pipelines: Pipelines, their versions, deployments, logs and debug runs.
        searches: Searching, histories and traces.
        indexes: Indexes.
        templates: Templates of pipelines.
        models: Models that pipelines can use.
    """

    def __init__(self, connection: ApiConnection, name: str) -> None:
        self.name = name
        self.pipelines = PipelinesApi(connection, name)
        self.searches = SearchesApi(connection, name)
        self.indexes = IndexesApi(connection, name)
        self.templates = TemplatesApi(connection, name)
        self.models = ModelsApi(connection, name)


class DeepsetClient:
    """An asynchronous client of the deepset AI platform.

    Use it as a context manager, or call ``aclose()``. It closes the connection pool only if it created it.

        async with DeepsetClient("YOUR-API-KEY") as client:
            async for pipeline in client.workspace("default").pipelines.iterate():
                print(pipeline.name, pipeline.status)

    Args:
        api_key: The API key.
        base_url: URL of the API, up to and including ``/api``.
        timeouts: Seconds by kind of call.
        retries: The retry policy.
        http: A connection pool, such as that of `open_http_client`; by default its own.

    Attributes:
        workspaces: Workspaces.
        users: Users.
        secrets: Secrets: names and ids.
        integrations: Connections to providers of models.
        components: Components that pipelines consist of.
        custom_components: The organisation's own components.

    Raises:
        SettingsError: The key has characters that are invalid in an HTTP header.
    """

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = DEFAULT_API_URL,
        timeouts: Timeouts | None = None,
        retries: RetryPolicy | None = None,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._owns_http = http is None
        self._http = http or open_http_client()
        self._connection = ApiConnection(
            self._http, api_key, base_url, timeouts or Timeouts(), retries or RetryPolicy()
        )
        self.workspaces = WorkspacesApi(self._connection)
        self.users = UsersApi(self._connection)
        self.secrets = SecretsApi(self._connection)
        self.integrations = IntegrationsApi(self._connection)
        self.components = ComponentsApi(self._connection)
        self.custom_components = CustomComponentsApi(self._connection)

    def __repr__(self) -> str:
        return f"DeepsetClient({self._connection.base_url!r})"

    def workspace(self, name: str) -> WorkspaceClient:
        """Return the resources of a workspace, without a request."""
        return WorkspaceClient(self._connection, name)

    async def aclose(self) -> None:
        """Close the connection pool, if this client created it."""
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Begin to use it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.aclose()
