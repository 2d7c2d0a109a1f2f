"""The toolset's container, which embeds coatcheck's container.

container = DeepsetContainer(settings=DeepsetSettings(api_key=…, workspace=…))
container.coatcheck().store()
"""

from typing import Any

from dependency_injector import containers, providers
from dependency_injector.providers import Provider

from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.settings import Settings
from coatcheck.tool_factory import Registry
from coatcheck.toolsets import Installation
from coatcheck.toolsets.deepset.api_keys import key_of_request, with_key_of_request
from coatcheck.toolsets.deepset.client import DeepsetClient
from coatcheck.toolsets.deepset.client_pool import ClientPool
from coatcheck.toolsets.deepset.deepset_settings import DeepsetSettings
from coatcheck.toolsets.deepset.text_ranking import BM25Ranker, Ranker
from coatcheck.toolsets.deepset.tools.deepset_registry import deepset_registry

DOCS_TOOL = "search_docs"
"""Tools that are offered only with a share URL."""


def limited_settings(settings: DeepsetSettings, core: Settings) -> Settings:
    """Give coatcheck's settings, with a shorter lifetime of objects where keys come with requests.

    A revoked key still has access to its namespace, so its objects must expire soon.
    """
    longest = settings.shared_object_ttl
    if not settings.api_key_from_auth_header or 0 < core.object_store_ttl <= longest:
        return core
    return core.model_copy(update={"object_store_ttl": longest})


def open_clients(settings: DeepsetSettings, coatcheck: Container) -> ClientPool:
    """Create the pool of clients; it is closed with coatcheck's container."""
    clients = ClientPool(settings)
    coatcheck.exit_stack().push_async_callback(clients.aclose)
    return clients


def current_response_limit(coatcheck: Container) -> int:
    """Return the maximum characters of an answer."""
    limit: int = coatcheck.settings().response_limit
    return limit


def current_client(settings: DeepsetSettings, clients: ClientPool) -> DeepsetClient:
    """Return the client for the current call.

    Raises:
        NotAuthorized: The key is taken from each request, and this one has none.
    """
    key = settings.api_key
    return clients.client(key_of_request() if key is None else key.get_secret_value())


def open_installation(
    settings: DeepsetSettings, coatcheck: Container, registry: Registry, client: Provider[DeepsetClient]
) -> Installation:
    """Return what the toolset adds to a server.

    Raises:
        SettingsError: The lifetime of objects is too long for keys in requests.
    """
    core = coatcheck.settings()
    if limited_settings(settings, core) is not core:
        raise SettingsError(
            f"object_store_ttl is {core.object_store_ttl:g} s; with --api-key-from-auth-header objects live at most "
            f"{settings.shared_object_ttl:g} s (--shared-object-ttl): a revoked key must not read for long."
        )
    offered = registry if settings.docs_share_url is not None else {k: v for k, v in registry.items() if k != DOCS_TOOL}
    return Installation(
        registry=offered,
        client=client,
        workspace_mode=settings.mode(),
        workspace=settings.workspace,
        middleware=(with_key_of_request,) if settings.api_key_from_auth_header else (),
    )


class DeepsetContainer(containers.DeclarativeContainer):
    """All parts of the toolset.

    ``settings`` are the toolset's, ``core_settings`` coatcheck's; ``coatcheck`` may be a container of your own.
    """

    settings: Provider[DeepsetSettings] = providers.Dependency(
        instance_of=DeepsetSettings, default=providers.ThreadSafeSingleton(DeepsetSettings)
    )
    core_settings: Provider[Settings] = providers.Dependency(
        instance_of=Settings, default=providers.ThreadSafeSingleton(Settings)
    )
    # Passed as a whole below: if it is replaced by another container, `coatcheck.settings` would refer to the
    # original's.
    coatcheck = providers.Container(
        Container, settings=providers.ThreadSafeSingleton(limited_settings, settings, core_settings)
    )

    clients: Provider[ClientPool] = providers.ThreadSafeSingleton(open_clients, settings, coatcheck)
    client: Provider[DeepsetClient] = providers.Callable(current_client, settings, clients)
    docs: Provider[Any] = providers.Callable(ClientPool.docs, clients)
    ranker: Provider[Ranker] = providers.ThreadSafeSingleton(BM25Ranker)
    response_limit: Provider[int] = providers.Callable(current_response_limit, coatcheck)
    deployment: Provider[dict[str, Any]] = providers.Dict()

    registry: Provider[Registry] = providers.Callable(
        deepset_registry,
        ranker=ranker.provider,
        docs=docs.provider,
        response_limit=response_limit.provider,
        deployment=deployment,
    )
    installation: Provider[Installation] = providers.Callable(
        open_installation, settings, coatcheck, registry, client.provider
    )
