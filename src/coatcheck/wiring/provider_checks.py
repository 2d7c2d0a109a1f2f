"""Checks of the providers themselves: inputs, cycles, branches, and replacements of coatcheck's parts."""

import inspect
from collections.abc import Iterator
from typing import Any

from dependency_injector import providers

from coatcheck.backends import ObjectStoreBackend
from coatcheck.containers import Container
from coatcheck.store.object_store import ObjectStore
from coatcheck.store.payload_codec import Codec
from coatcheck.wiring.argument_checks import return_type
from coatcheck.wiring.factories import backend_branch
from coatcheck.wiring.faults import Fault
from coatcheck.wiring.ownership import is_coatcheck
from coatcheck.wiring.traversal import (
    Provider,
    arguments_of,
    callee_of,
    containers_in,
    current,
    delegated_providers,
    depends_on,
    label,
    name_of,
    named_providers,
    parts,
    reachable,
)

UNKNOWN = object()
_SEVERAL = (providers.Factory, providers.ThreadLocalSingleton, providers.ContextLocalSingleton)


def missing_inputs(container: Any) -> Iterator[Fault]:
    """Finds missing inputs."""
    for path, provider in reachable(container):
        if isinstance(provider, providers.Dependency) and not provider.is_defined:
            kind = getattr(provider.instance_of, "__name__", "a value")
            name = path.rpartition(".")[2]
            yield Fault(
                "missing-input",
                path,
                f"{path} is missing: "
                f"pass it when the container is created, Container({name}=…), an instance of {kind}.",
            )


def cycles(container: Any) -> Iterator[Fault]:
    """Finds the first cycle of providers that depend on themselves."""
    names = {id(provider): path for path, provider in reachable(container)}
    done: set[int] = set()

    def visit(provider: Provider, trail: list[Provider]) -> list[Provider] | None:
        if provider in trail:
            return [*trail[trail.index(provider) :], provider]
        if id(provider) in done:
            return None
        for dependency in _needs(provider):
            found = visit(dependency, [*trail, provider])
            if found:
                return found
        done.add(id(provider))
        return None

    for name, provider in parts(container):
        cycle = visit(current(provider), [])
        if cycle:
            way = " → ".join(names.get(id(step), label(step)) for step in cycle)
            yield Fault("cycle", name, f"a cycle: {way}. Pass one of them on as a provider (.provider).")
            return


def _needs(provider: Provider) -> list[Provider]:
    needed = depends_on(provider)
    if callee_of(provider) is ObjectStore:  # calls its backend provider on creation, and again after an override
        needed += [current(dependency) for dependency in delegated_providers(provider)]
    return needed


def branches(container: Any) -> Iterator[Fault]:
    """Finds Selectors without the branch that the settings select, if the settings are known."""
    for path, provider in reachable(container):
        if isinstance(provider, providers.Selector):
            key = visible(provider.selector)
            if key is not UNKNOWN and key not in provider.providers:
                known = ", ".join(sorted(provider.providers)) or "none"
                yield Fault(
                    "unknown-branch",
                    path,
                    f"the settings ask for {key!r}, and the Selector has: {known}. Add a branch.",
                )


def visible(provider: Any) -> Any:
    """The value of a provider if it is known without creating anything, else `UNKNOWN`."""
    if not isinstance(provider, providers.Provider):
        return UNKNOWN
    active = current(provider)
    if isinstance(active, providers.Object):
        return active.provides
    if isinstance(active, providers.ProvidedInstance):
        return visible(active.provides)
    if isinstance(active, providers.AttributeGetter):
        source = visible(active.provides)
        return UNKNOWN if source is UNKNOWN else getattr(source, active.name or "", UNKNOWN)
    if callee_of(active) is backend_branch:
        key = visible(arguments_of(active)[0][0])
        return UNKNOWN if key is UNKNOWN else backend_branch(key)
    return UNKNOWN


def asynchronous(container: Any) -> Iterator[Fault]:
    """Finds coroutines in the graph, which is synchronous: every part that depends on one would become a future."""
    for path, provider in _inside(container):
        callee = callee_of(provider)
        if isinstance(provider, (providers.Coroutine, providers.BaseResource)) or _is_async(callee):
            if isinstance(provider, providers.BaseResource) and not _is_async(callee):
                continue
            yield Fault(
                "asynchronous-provider",
                path,
                f"{label(provider)} gives a coroutine, and what depends on it would get a future in its place: make "
                "the object in a plain function, which opens connections at first use, and close it with exit_stack.",
            )


def _is_async(callee: Any) -> bool:
    return inspect.iscoroutinefunction(callee) or inspect.isasyncgenfunction(callee)


def _inside(container: Any) -> Iterator[tuple[str, Provider]]:
    """The providers that coatcheck's parts depend on, with their overrides, each once."""
    seen: set[int] = set()
    pending = [(path, current(slot)) for path, _, slot in slots(container)]
    while pending:
        path, provider = pending.pop(0)
        if id(provider) not in seen:
            seen.add(id(provider))
            yield path, provider
            pending += [(f"{path} > {label(dependency)}", dependency) for dependency in depends_on(provider)]


def slots(container: Any) -> Iterator[tuple[str, str, Provider]]:
    """The parts of each coatcheck container: path, name, provider."""
    for prefix, found in containers_in(container):
        if is_coatcheck(found):
            for name in named_providers(Container):
                yield f"{prefix}{name}", name, found.providers[name]


def replaced_parts(container: Any) -> Iterator[Fault]:
    """Finds parts that are replaced by something incompatible."""
    for path, name, slot in slots(container):
        active = current(slot)
        if active is slot:
            continue
        declared = Container.providers[name]
        expected = _expected(name, declared)
        if expected is not None:
            yield from _wrong_type(path, expected, active)
        if isinstance(declared, providers.Factory) and isinstance(active, (providers.Object, providers.BaseSingleton)):
            yield Fault(
                "shared-factory",
                path,
                f"{label(active)} gives one object to all, and ignores the arguments that a caller passes: "
                "use providers.Factory, or providers.Callable with a function that takes them.",
            )
        if isinstance(active, _SEVERAL) and (name == "backend" or isinstance(declared, providers.BaseSingleton)):
            yield Fault(
                "not-shared",
                path,
                f"{label(active)} creates a new object at each call, or for each thread, where all must share the "
                "same one: use providers.ThreadSafeSingleton.",
            )
        if name == "namespace" and isinstance(active, providers.Object) and not callable(active.provides):
            yield Fault(
                "wrong-type",
                path,
                f"{type(active.provides).__name__} was passed where a function that gives the namespace is expected: "
                'namespace=lambda: "…".',
            )
        if isinstance(declared, providers.ThreadSafeSingleton) and type(active) is providers.Singleton:
            yield Fault(
                "not-thread-safe",
                path,
                f"{label(active)} may create several objects in concurrent threads: use providers.ThreadSafeSingleton.",
            )


def _expected(name: str, declared: Provider) -> Any:
    if name == "backend":
        return ObjectStoreBackend
    if name == "codec":
        return Codec
    if isinstance(declared, providers.Dependency):
        return declared.instance_of
    callee = callee_of(declared)
    kind = callee if inspect.isclass(callee) else return_type(callee)
    return None if kind in {None, dict, list} else kind


def _wrong_type(path: str, expected: Any, active: Provider) -> Iterator[Fault]:
    if isinstance(active, providers.Object):
        value = active.provides
        if inspect.isclass(value):
            yield Fault(
                "class-not-instance",
                path,
                f"the class {name_of(value)} was passed: pass an instance, {name_of(value)}(…), or a provider, "
                f"providers.ThreadSafeSingleton({name_of(value)}, …).",
            )
            return
        if value is None and expected is Codec:
            return
        if isinstance(value, expected) or not (missing := _missing(expected, value)):
            if expected is ObjectStoreBackend:
                yield from _asynchronous_methods(path, value)
            return
        kind = type(value)
    else:
        callee = callee_of(active)
        kind = callee if inspect.isclass(callee) else return_type(callee)
        if not inspect.isclass(kind) or not (missing := _missing(expected, kind)):
            if expected is ObjectStoreBackend and kind is not None:
                yield from _asynchronous_methods(path, kind)
            return
    lacks = f": it lacks {', '.join(missing[:5])}"
    yield Fault("wrong-type", path, f"{name_of(kind)} was passed where {name_of(expected)} is expected{lacks}.")


def _missing(expected: Any, value: Any) -> list[str]:
    """Public methods of a class that a value lacks; for a pydantic class it must be an instance."""
    if inspect.isclass(value) and expected in value.__mro__:
        return []
    if hasattr(expected, "model_fields"):
        return ["its fields"]
    method_names = [name for name in dir(expected) if not name.startswith("_") and callable(getattr(expected, name))]
    return [name for name in method_names if not hasattr(value, name)]


def _asynchronous_methods(path: str, backend: Any) -> Iterator[Fault]:
    names = [name for name in ("generate_id", "set", "get", "delete") if _is_async(getattr(backend, name, None))]
    if names:
        twins = ", ".join(f"a{name}" for name in names)
        yield Fault(
            "asynchronous-backend",
            path,
            f"{', '.join(names)} of the backend are coroutines: they must be plain methods; their asynchronous forms "
            f"are called {twins}.",
        )
