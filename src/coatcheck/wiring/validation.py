"""Checking how a container is wired before anything runs, without making anything."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from dependency_injector import providers

from coatcheck.containers import Container
from coatcheck.errors import WiringError
from coatcheck.wiring.traversal import current, depends_on, label, name_of, parts, reachable

SINGLETONS = (providers.BaseSingleton,)
PER_CALL = (providers.Factory,)


def validate(container: Container) -> None:
    """Check how a container is wired without making anything.

    Found are inputs that nobody gave, cycles, misspelt or missing arguments, and a singleton that would hold on to a
    value that is made anew at each call.

    Raises:
        WiringError: With every fault that was found, each with the provider's name.
    """
    faults = [*_missing(container), *_cycles(container)]
    if not faults:  # a cycle would make the walks below endless, a missing input makes them pointless
        faults = [*_arguments(container), *_captured(container)]
    if faults:
        raise WiringError("The container cannot work as it is wired:\n" + "\n".join(f"- {fault}" for fault in faults))


def _missing(container: Container) -> Iterator[str]:
    for name, provider in reachable(container):
        if isinstance(provider, providers.Dependency) and not provider.is_defined:
            wanted = provider.instance_of
            kind = getattr(wanted, "__name__", "a value")
            yield f"{name} is missing: give it when the container is made, Container({name}=…), an instance of {kind}."


def _cycles(container: Container) -> Iterator[str]:
    names = {id(provider): name for name, provider in reachable(container)}
    done: set[int] = set()

    def visit(provider: providers.Provider[Any], trail: list[providers.Provider[Any]]) -> list[Any] | None:
        if provider in trail:
            return [*trail[trail.index(provider) :], provider]
        if id(provider) in done:
            return None
        for related in depends_on(provider):
            found = visit(related, [*trail, provider])
            if found:
                return found
        done.add(id(provider))
        return None

    for _, provider in parts(container):
        cycle = visit(current(provider), [])
        if cycle:
            yield "a cycle: " + " → ".join(names.get(id(step), label(step)) for step in cycle)
            return


def _arguments(container: Container) -> Iterator[str]:
    for name, provider in reachable(container):
        if not isinstance(provider, (providers.Factory, providers.BaseSingleton, providers.Callable)):
            continue
        made = provider.provides
        if not callable(made) or isinstance(made, providers.Provider):
            continue
        try:
            inspect.signature(made).bind_partial(*provider.args, **provider.kwargs)
            missing = _unfilled(made, provider)
        except TypeError as error:
            yield f"{name}: {name_of(made)}() does not take what it is given: {error}."
        except ValueError:  # a class of C code without a signature
            continue
        else:
            if missing and isinstance(provider, providers.BaseSingleton):
                yield f"{name}: {name_of(made)}() is not given {', '.join(missing)}."


def _unfilled(made: Callable[..., Any], provider: Any) -> list[str]:
    bound = inspect.signature(made).bind_partial(*provider.args, **provider.kwargs)
    return [
        parameter.name
        for parameter in bound.signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        and parameter.name not in bound.arguments
    ]


def _captured(container: Container) -> Iterator[str]:
    for name, provider in reachable(container):
        if not isinstance(provider, SINGLETONS):
            continue
        for related in depends_on(provider):
            if isinstance(related, PER_CALL):
                yield (
                    f"{name} is shared but holds {label(related)}, which is made anew at each call: "
                    "hand the provider on (.provider) and call it when it is needed."
                )
