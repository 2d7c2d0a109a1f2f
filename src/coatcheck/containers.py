"""The declarative container: what coatcheck consists of, how each part is made, and from what.

It holds containers and providers only. Customise it through its constructor, ``Container(settings=…, backend=…)``, or
on an instance, ``with overridden(container, backend=…): …``; see ``containers.md``. Two instances share nothing.

A provider given as an argument is called first: the server receives a registry. With ``.provider`` it is passed on as
it is, to be called at each use: decorators receive a function that returns the store, so that an override reaches them
after they were made.
"""

from contextlib import AsyncExitStack

from dependency_injector import containers, providers
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
from coatcheck.wiring.settings_input import SettingsInput

__all__ = ["Container"]


class Container(containers.DeclarativeContainer):
    """Everything that coatcheck consists of; give it ``settings``, or let it read them from the environment."""

    settings: Provider[Settings] = SettingsInput(instance_of=Settings, default=providers.ThreadSafeSingleton(Settings))
    # Closes, in reverse order, what other parts opened; `coatcheck.lifecycle.running` enters and leaves it.
    exit_stack: Provider[AsyncExitStack] = providers.ThreadSafeSingleton(factories.open_exit_stack)

    # Where objects are kept. Only the selected branch is ever made.
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
    # Who is calling: the namespace of their objects, how ids look, and whether they may list.
    tenancy = providers.ThreadSafeSingleton(factories.open_tenancy, settings)
    namespace = tenancy.provided.namespace
    # Passes on what happens in the store, to metrics and tracing.
    observation = providers.ThreadSafeSingleton(
        factories.open_observation, settings, backend.provider, exit_stack.provider
    )
    # Changes what the backend keeps, for example to encrypt it.
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

    # What resolves references in calls and keeps large results: for `attach`, and for servers behind `coatcheck wrap`.
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
