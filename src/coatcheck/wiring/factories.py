"""The functions that the container's providers call: each creates one part from the settings and other parts."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from coatcheck import __version__
from coatcheck.backends import BreakerBackend, ObjectStoreBackend, RedisBackend, SQLiteBackend, require_backend
from coatcheck.backends.object_ids import replicas_id, uuid_id
from coatcheck.backends.redis.redis_url import is_on_this_machine
from coatcheck.backends.sqlite.database_file import persistent_secret
from coatcheck.calls.built_in_tools import OwnTool, own_tool
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.limits import CHARACTERS_PER_TOKEN, DENSE_CHARACTERS_PER_TOKEN, ROUND_FACTOR, Limits
from coatcheck.codec import require_zstd
from coatcheck.errors import CoatcheckError, MissingExtra, SettingsError, WiringError, excerpt
from coatcheck.explorer import Explorer
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.explorer.tool_names import names_of_tools
from coatcheck.settings import BUILT_IN_BACKENDS, Settings, installed_backends
from coatcheck.store.events import Observation
from coatcheck.store.object_store import ObjectStore
from coatcheck.store.savings import Savings
from coatcheck.store.tenancy import Tenancy
from coatcheck.tools.object_tools import object_store_tools
from coatcheck.tools.registration import build_tool
from coatcheck.tools.tool_building import Registry, entry_of, require_registry
from coatcheck.wiring.special_providers import CachedProvider

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from coatcheck.monitoring.metrics import Metrics

COMPRESS_ABOVE = 16 * 1024
"""Bytes; docs/decisions/degradation.md has the cost and savings of compression."""


def open_redis(settings: Settings, exit_stack: AsyncExitStack) -> BreakerBackend:
    """Create the Redis backend behind a circuit breaker; it connects at first use and is closed with the exit stack."""
    if settings.redis_url is None:
        raise SettingsError("The redis backend needs a URL: --redis-url or COATCHECK_REDIS_URL=redis://host:6379.")
    if settings.object_store_max_idle:
        raise SettingsError(
            "object_store_max_idle is for memory and sqlite. Leave it out with redis, which can drop what was not used "
            "for longest by itself: give it a maxmemory and maxmemory-policy allkeys-lru."
        )
    sentinel_password = settings.redis_sentinel_password
    backend = RedisBackend(
        settings.redis_url.get_secret_value(),
        prefix=settings.redis_prefix,
        max_connections=settings.redis_max_connections,
        timeout=settings.redis_timeout,
        sentinel_username=settings.redis_sentinel_username,
        sentinel_password=None if sentinel_password is None else sentinel_password.get_secret_value(),
        ca_file=settings.redis_ca_file,
        client_certificate=settings.redis_client_certificate,
        client_key=settings.redis_client_key,
    )
    exit_stack.push_async_callback(backend.aclose)
    guarded = BreakerBackend(backend)
    exit_stack.callback(guarded.stop)
    return guarded


def open_sqlite(settings: Settings, exit_stack: AsyncExitStack) -> SQLiteBackend:
    """Create the SQLite backend; it opens its file at first use and closes it with the exit stack."""
    backend = SQLiteBackend(
        settings.sqlite_file(),
        max_bytes=settings.max_total_bytes,
        max_namespace_objects=settings.max_namespace_objects,
        max_namespace_bytes=settings.max_namespace_bytes,
        max_idle=settings.object_store_max_idle,
    )
    exit_stack.callback(backend.close)
    return backend


INSTALLED_BRANCH = "installed"
"""The branch for backends from other packages."""


def backend_branch(name: str) -> str:
    """The branch of the Selector for a backend; a host may add one under any name that no package uses."""
    return INSTALLED_BRANCH if name not in BUILT_IN_BACKENDS and name in installed_backends() else name


def open_installed(settings: Settings, exit_stack: AsyncExitStack) -> ObjectStoreBackend:
    """Open the backend of an installed package by name.

    The entry point names a function ``open(settings, exit_stack) -> backend``, which registers everything to close with
    the exit stack.

    Raises:
        SettingsError: It cannot be loaded, or does not return a backend.
    """
    name = settings.object_store_backend
    point = installed_backends().get(name)
    if point is None:
        raise SettingsError(f"There is no backend {excerpt(name)}; its package is not installed in this environment.")
    try:
        opener = point.load()
    except Exception as error:
        raise SettingsError(
            f"The backend {name} cannot be loaded from {point.value}: {type(error).__name__}: "
            f"{excerpt(str(error), 200)}. Check that its package is installed in this environment."
        ) from error
    try:
        backend = opener(settings, exit_stack)
    except CoatcheckError:
        raise
    except Exception as error:
        raise SettingsError(
            f"The backend {name} ({point.value}) cannot be opened: {type(error).__name__}: {excerpt(str(error), 200)}. "
            'Its options are set in object_store_options, as JSON in a variable: {"folder": "/data"}.'
        ) from error
    try:
        return require_backend(backend)
    except WiringError as error:
        raise SettingsError(f"The backend {name} ({point.value}) gives no backend: {error}") from None


def open_sandbox(settings: Settings, exit_stack: AsyncExitStack) -> Sandbox:
    """Create the sandbox; its workers start when they are first needed and end with the exit stack."""
    sandbox = Sandbox(
        workers=settings.sandbox_workers,
        timeout=settings.sandbox_timeout,
        memory_bytes=settings.sandbox_memory,
        cache_bytes=settings.sandbox_cache,
    )
    exit_stack.callback(sandbox.close)
    return sandbox


def make_explorer(
    store: Callable[[], ObjectStore],
    settings: Settings,
    *,
    sandbox: Callable[[], Sandbox],
    preview_limit: int | None = None,
    response_limit: int | None = None,
) -> Explorer:
    """Create an explorer with the limits of the settings, or with others; in characters.

    An explorer is created for each tool call, so its limits are read here: a provider for each attribute costs twice as
    much.
    """
    return Explorer(
        store,
        sandbox=sandbox,
        preview_limit=settings.preview_limit if preview_limit is None else preview_limit,
        response_limit=settings.response_limit if response_limit is None else response_limit,
        tool_names=names_of_tools(settings.tool_prefix, settings.object_tools),
    )


def open_tenancy(settings: Settings) -> Tenancy:
    """Create the tenancy; all processes that share a store derive the same namespaces from a common secret."""
    secret = settings.namespace_secret or settings.redis_url
    if secret is None and settings.object_store_backend == "sqlite":
        return Tenancy(persistent_secret(settings.sqlite_file()))
    return Tenancy(None if secret is None else secret.get_secret_value())


def id_generator(scopes: Tenancy, settings: Settings) -> Callable[[], str]:
    """Ids as the caller's tenancy requires; long enough to be unique if processes share a store."""
    if settings.object_store_backend in {"memory", "sqlite"}:
        return scopes.generate_id
    uuids = settings.object_store_backend == "redis" and settings.redis_ids == "uuid"
    return partial(scopes.generate_id, uuid_id if uuids else replicas_id)


def compression_threshold(settings: Settings) -> int:
    """Bytes above which objects are compressed: by default only if the backend is reached over a network.

    Raises:
        MissingExtra: Compression was requested and zstd is missing; without a request, objects stay uncompressed.
    """
    if settings.object_store_backend != "redis" or settings.redis_url is None:
        return 0
    asked = settings.redis_compress_above
    try:
        if asked != 0:
            require_zstd()
    except MissingExtra:
        if asked is not None:
            raise
        return 0
    if asked is not None:
        return asked
    return 0 if is_on_this_machine(settings.redis_url.get_secret_value()) else COMPRESS_ABOVE


def open_limits(settings: Settings) -> Limits:
    """Create the limits of the settings; in limits in tokens, one counts as four characters."""
    factor = CHARACTERS_PER_TOKEN if settings.limits_in_tokens else 1
    inline = settings.inline_limit * (factor if "inline_limit" in settings.model_fields_set else 1)
    return Limits(
        inline,
        tuple((pattern, limit * factor) for pattern, limit in settings.tool_limits),
        settings.never_keep,
        settings.always_keep,
        ROUND_FACTOR * inline if settings.round_limit is None else settings.round_limit * factor,
        adapts_to_host="inline_limit" not in settings.model_fields_set,
        characters_per_token=CHARACTERS_PER_TOKEN if settings.limits_in_tokens else DENSE_CHARACTERS_PER_TOKEN,
    )


def merge_registries(registries: list[Registry]) -> dict[str, Any]:
    """Merge registries of tools; raises ``SettingsError`` if one is malformed, or two have a tool of the same name."""
    merged: dict[str, Any] = {}
    for registry in registries:
        clashes = sorted(merged.keys() & require_registry(registry).keys())
        if clashes:
            raise SettingsError(f"Two registries have tools of the same name: {', '.join(clashes)}.")
        merged.update({name: entry_of(registry, name) for name in registry})
    return merged


def make_object_tools(
    store: Callable[[], ObjectStore], explorer: Callable[[], Explorer], settings: Settings
) -> Registry:
    """Create the registry of the object tools, with the names and the selection of the settings."""
    return object_store_tools(
        store,
        explorer,
        prefix=settings.tool_prefix,
        offered=settings.object_tools,
        ttl=settings.object_store_ttl,
    )


def build_own_tools(registry: Registry, store: Any, explorer: Any) -> Mapping[str, OwnTool]:
    """Create the tools that coatcheck answers itself in front of another server."""
    return {
        name: own_tool(
            build_tool(function, config, object_store=store, explorer=explorer),
            name=name,
            annotations=config.annotations,
            title=config.title,
        )
        for name, (function, config) in registry.items()
    }


def open_server(
    registry: Registry,
    object_tools: Registry,
    tenancy: Callable[[], Tenancy],
    interceptor: Callable[[], Interceptor],
    store: Callable[[], ObjectStore],
    explorer: Callable[[], Explorer],
) -> "MCPServer[Any]":
    """Make an ``MCPServer`` with the container's tools; the SDK is imported only here."""
    from mcp.server import MCPServer

    from coatcheck.mcp_server.attach import attach_interceptor

    server: MCPServer[Any] = MCPServer("coatcheck", version=__version__)
    attach_interceptor(server, registry, object_tools, tenancy, CachedProvider(interceptor), store, explorer)
    return server


def open_observation(
    settings: Settings, backend: Callable[[], ObjectStoreBackend], exit_stack: Callable[[], AsyncExitStack]
) -> Observation:
    """Create the dispatcher of events; if objects outlive the process, so do the statistics of savings."""
    if settings.object_store_backend == "memory":
        return Observation()
    return Observation(Savings(backend, lambda close: exit_stack().callback(close)))


def open_metrics(observation: Observation, backend: Callable[[], ObjectStoreBackend]) -> "Metrics":
    """Start counting events of the store; the package of Prometheus is imported only here.

    Raises:
        MissingExtra: It is not installed.
    """
    from coatcheck.monitoring.metrics import Metrics

    metrics = Metrics(backend)
    observation.observer = metrics
    return metrics
