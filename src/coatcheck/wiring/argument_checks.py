"""Checks of what providers pass: arguments, per-call objects that a shared object would hold, attributes."""

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Any

from dependency_injector import providers
from pydantic import BaseModel

from coatcheck.references import close_names
from coatcheck.wiring.faults import Fault
from coatcheck.wiring.traversal import (
    Provider,
    arguments_of,
    callee_of,
    current,
    delegated_providers,
    depends_on,
    label,
    name_of,
    reachable,
)


def arguments(container: Any) -> Iterator[Fault]:
    """Finds arguments that a class or function does not accept, and missing ones."""
    called = _called_without_arguments(container)
    for path, provider in reachable(container):
        callee = callee_of(provider)
        if not callable(callee) or isinstance(callee, providers.Provider):
            continue
        try:
            signature = inspect.signature(callee)
        except (TypeError, ValueError):  # a class implemented in C, without a signature
            continue
        positional, named = arguments_of(provider)
        try:
            bound = signature.bind_partial(*positional, **named)
        except TypeError as error:
            taken = ", ".join(signature.parameters) or "none"
            yield Fault(
                "unknown-argument",
                path,
                f"{name_of(callee)}() does not accept its arguments: {error}. Its parameters are: {taken}.",
            )
            continue
        missing = _missing(bound)
        # A host may pass the missing arguments when it calls a factory; providers that others depend on are called
        # without.
        if missing and (isinstance(provider, providers.BaseSingleton) or id(provider) in called):
            yield Fault(
                "missing-argument",
                path,
                f"{name_of(callee)}() is not given {', '.join(missing)}: pass it to {type(provider).__name__}(…).",
            )


def _missing(bound: inspect.BoundArguments) -> list[str]:
    return [
        parameter.name
        for parameter in bound.signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        and parameter.name not in bound.arguments
    ]


def _called_without_arguments(container: Any) -> set[int]:
    """Providers that are inputs of others or are looked up by them at each call."""
    called: set[int] = set()
    for _, provider in reachable(container):
        called |= {id(dependency) for dependency in depends_on(provider) if not _extends(provider, dependency)}
        called |= {id(current(dependency)) for dependency in delegated_providers(provider)}
    return called


def _extends(provider: Provider, dependency: Provider) -> bool:
    callee = callee_of(provider)
    return isinstance(callee, providers.Provider) and current(callee) is dependency


def captive_dependencies(container: Any) -> Iterator[Fault]:
    """Finds shared objects that would hold an object which is created for each call."""
    for path, provider in reachable(container):
        if isinstance(provider, providers.BaseSingleton):
            for dependency in depends_on(provider):
                held = _per_call_provider(dependency, set())
                if held is not None:
                    yield Fault(
                        "captive-dependency",
                        path,
                        f"it is shared but holds {label(held)}, which is created at each call: pass the provider on "
                        "(.provider) and call it where it is needed, or share the part too (ThreadSafeSingleton).",
                    )


def _per_call_provider(provider: Provider, seen: set[int]) -> Provider | None:
    """The provider that creates a new object at each call: this one, or one that it calls through a function."""
    if id(provider) in seen:
        return None
    seen.add(id(provider))
    if isinstance(provider, providers.Factory):
        return provider
    if isinstance(provider, providers.Callable) and (callee := callee_of(provider)) is not None:
        if inspect.isclass(callee) and not _is_value(callee):
            return provider
        return next((held for each in depends_on(provider) if (held := _per_call_provider(each, seen))), None)
    return None


def _is_value(callee: Any) -> bool:
    """Whether instances of a class are plain values, of which equal ones are interchangeable: text, numbers, models."""
    return callee.__module__.partition(".")[0] in sys.stdlib_module_names or issubclass(callee, BaseModel)


def attributes(container: Any) -> Iterator[Fault]:
    """Finds attributes that are read from a part (``settings.provided.…``) and do not exist."""
    for path, provider in reachable(container):
        if not isinstance(provider, providers.AttributeGetter):
            continue
        source = provider.provides
        if not isinstance(source, providers.ProvidedInstance) or source.provides is None:
            continue
        name, known = provider.name or "", _attributes_of(source.provides)
        if known is not None and name not in known:
            near = close_names(name, sorted(each for each in known if not each.startswith("_")))
            hint = f" Did you mean {near[0]}?" if near else ""
            yield Fault("unknown-attribute", path, f"there is no attribute {name!r}.{hint}")


def _attributes_of(provider: Provider) -> set[str] | None:
    """The declared attributes of a provider's object; ``None`` if they are unknown."""
    active = current(provider)
    if isinstance(active, providers.Object):
        return set(dir(active.provides))
    kind: Any = callee_of(active)
    if isinstance(provider, providers.Dependency) and not inspect.isclass(kind):
        kind = provider.instance_of
    if not inspect.isclass(kind):
        kind = return_type(kind)
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return {*kind.model_fields, *dir(kind)}
    if inspect.isclass(kind) and is_dataclass(kind):
        return {*kind.__dataclass_fields__, *dir(kind)}
    return None


def return_type(function: Callable[..., Any] | None) -> Any:
    """The class in a function's return annotation; ``None`` without one."""
    if function is None:
        return None
    returns = getattr(function, "__annotations__", {}).get("return")
    return returns if inspect.isclass(returns) else None
