"""The declarative container: coatcheck's parts, how they are created, and their dependencies.

It contains only containers and providers. Customise it through its constructor, ``Container(settings=…, backend=…)``,
or on an instance, ``with overridden(container, backend=…): …``; see ``containers.md``. Two instances share nothing.

A provider as an argument is called: the server receives a registry. With ``.provider`` the provider itself is passed,
to be called at each use: decorators receive a function that returns the store, so that later overrides take effect.
"""

from contextlib import AsyncExitStack

from dependency_injector import providers
from dependency_injector.providers import Provider

from coatcheck.backends import InMemoryBackend, ObjectStoreBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.monitoring import Health
from coatcheck.settings import Settings
from coatcheck.store.object_store import ObjectStore
from coatcheck.store.payload_codec import Codec
from coatcheck.tools.explorable import explorable, explorable_and_referenceable
from coatcheck.tools.referenceable import referenceable
from coatcheck.wiring import factories
from coatcheck.wiring.part_names import CheckedContainer
from coatcheck.wiring.special_providers import SettingsInput

__all__ = ["Container"]


class Container(CheckedContainer):
    """All parts of coatcheck; pass ``settings``, or let it read them from the environment."""

    settings: Provider[Settings] = SettingsInput(instance_of=Settings, default=providers.ThreadSafeSingleton(Settings))
    # Closes, in reverse order, what other parts opened; `coatcheck.lifecycle.running` enters and exits it.
    exit_stack: Provider[AsyncExitStack] = providers.ThreadSafeSingleton(AsyncExitStack)

    # The backend. Only the selected branch is created.
    backend: Provider[ObjectStoreBackend] = providers.Selector(
        providers.Callable(factories.backend_branch, settings.provided.object_store_backend),
        memory=providers.ThreadSafeSingleton(
            InMemoryBackend,
            max_bytes=settings.provided.max_total_bytes,
            max_namespace_objects=settings.provided.max_namespace_objects,
            max_namespace_bytes=settings.provided.max_namespace_bytes,
            max_idle=settings.provided.object_store_max_idle,
        ),
        sqlite=providers.ThreadSafeSingleton(factories.open_sqlite, settings, exit_stack),
        redis=providers.ThreadSafeSingleton(factories.open_redis, settings, exit_stack),
        installed=providers.ThreadSafeSingleton(factories.open_installed, settings, exit_stack),
    )
    # The caller: the namespace of its objects, the form of ids, and whether it may list.
    tenancy = providers.ThreadSafeSingleton(factories.open_tenancy, settings)
    namespace = tenancy.provided.namespace
    # Forwards the events of the store to metrics and tracing.
    observation = providers.ThreadSafeSingleton(
        factories.open_observation, settings, backend.provider, exit_stack.provider
    )
    # Transforms the stored bytes, for example to encrypt them.
    codec: Provider[Codec | None] = providers.Object(None)

    store = providers.ThreadSafeSingleton(
        ObjectStore,
        backend.provider,
        ttl=settings.provided.object_store_ttl,
        namespace=namespace,
        generate_id=providers.Callable(factories.id_generator, tenancy, settings),
        may_list=tenancy.provided.may_list,
        max_object_bytes=settings.provided.max_object_bytes,
        compress_above=providers.Callable(factories.compression_threshold, settings),
        codec=codec,
        observation=observation,
    )
    # Worker processes for patterns, filters and large objects.
    sandbox = providers.ThreadSafeSingleton(factories.open_sandbox, settings, exit_stack)
    explorer = providers.Factory(factories.make_explorer, store.provider, settings, sandbox=sandbox.provider)

    # The decorators: @container.explorable() and so on.
    explorable = providers.Factory(explorable, object_store=store.provider, explorer=explorer.provider)
    referenceable = providers.Factory(referenceable, object_store=store.provider, explorer=explorer.provider)
    explorable_and_referenceable = providers.Factory(
        explorable_and_referenceable, object_store=store.provider, explorer=explorer.provider
    )

    # Tools by name; container.tools.add_args(provider) adds a registry.
    object_tools = providers.Callable(factories.make_object_tools, store.provider, explorer.provider, settings)
    tools = providers.List(object_tools)
    registry = providers.Callable(factories.merge_registries, tools)

    # Resolve references in calls and store large results: for `attach`, and for servers behind `coatcheck wrap`.
    limits = providers.Callable(factories.open_limits, settings)
    interceptor = providers.Factory(
        Interceptor,
        explorer.provider,
        limits=limits,
        filter_argument=settings.provided.filter_argument,
        object_tools=object_tools,
        structured_content=settings.provided.structured_content,
        host_profile=settings.provided.host_profile,
        preview_limit=settings.provided.preview_limit,
        response_limit=settings.provided.response_limit,
    )
    proxy_interceptor = providers.Factory(
        interceptor,
        own_tools=providers.Callable(factories.build_own_tools, registry, store.provider, explorer.provider),
    )

    server = providers.ThreadSafeSingleton(
        factories.open_server,
        registry,
        object_tools,
        tenancy.provider,
        interceptor.provider,
        store.provider,
        explorer.provider,
    )
    health = providers.ThreadSafeSingleton(Health, store.provider)
    metrics = providers.ThreadSafeSingleton(factories.open_metrics, observation, backend.provider)
