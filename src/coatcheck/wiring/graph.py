"""A container's graph as text and as a Mermaid drawing."""

from collections.abc import Callable

from dependency_injector import providers

from coatcheck.containers import Container
from coatcheck.wiring.traversal import Provider, callee_of, current, delegated_providers, depends_on, parts

DependencyLister = Callable[[Provider], list[Provider]]


def graph(container: Container) -> dict[str, tuple[str, list[str], list[str]]]:
    """Return each named provider's kind, its dependencies, and the providers that it looks up at each call."""
    named = {id(form): name for name, provider in parts(container) for form in (provider, current(provider))}
    drawn = {}
    for name, provider in parts(container):
        made_from = _dependency_names(provider, named, depends_on)
        looked_up = [found for found in _delegated_names(provider, named) if found not in made_from]
        drawn[name] = (_kind(provider), made_from, looked_up)
    return drawn


def text(container: Container) -> str:
    """One line for each provider: its name, kind, dependencies, and in brackets those looked up at each call."""
    rows = graph(container)
    width = max(map(len, rows), default=0)
    lines = []
    for name, (kind, made_from, looked_up) in rows.items():
        needs = ", ".join([*made_from, *(f"({found})" for found in looked_up)])
        lines.append(f"{name:<{width}}  {kind}" + (f" ← {needs}" if needs else ""))
    return "\n".join(lines)


def mermaid(container: Container) -> str:
    """The graph as a Mermaid flowchart: solid arrows for held objects, dotted ones for look-ups at each call.

    The branches of a Selector have arrows with their names.
    """
    rows = graph(container)
    lines = ["flowchart LR"]
    lines += [f'    {name}["{name}<br/><i>{kind}</i>"]' for name, (kind, _, _) in rows.items()]
    for name, provider in parts(container):
        active = current(provider)
        if isinstance(active, providers.Selector):
            for key, branch in active.providers.items():
                lines.append(f'    {name}_{key}(["<i>{_kind(branch)}</i>"])')
                lines.append(f"    {name}_{key} -- {key} --> {name}")
    for name, (_, made_from, looked_up) in rows.items():
        lines += [f"    {found} --> {name}" for found in made_from]
        lines += [f"    {found} -.-> {name}" for found in looked_up]
    return "\n".join(lines)


def _dependency_names(provider: Provider, named: dict[int, str], dependencies_of: DependencyLister) -> list[str]:
    """Names that a provider depends on, passing through the unnamed providers between."""
    found: list[str] = []
    pending = dependencies_of(provider)
    while pending:
        related = pending.pop(0)
        name = named.get(id(related))
        if name is None:
            pending.extend(dependencies_of(related))
        elif name not in found:
            found.append(name)
    return sorted(found)


def _delegated_names(provider: Provider, named: dict[int, str]) -> list[str]:
    found: list[str] = []
    pending = [provider]
    while pending:
        here = pending.pop(0)
        found += [named[id(delegated)] for delegated in delegated_providers(here) if id(delegated) in named]
        pending += [related for related in depends_on(here) if id(related) not in named]
    return sorted(set(found))


def _kind(provider: Provider) -> str:
    kind = type(provider).__name__.removeprefix("ThreadSafe")
    callee = callee_of(provider)
    if callee is None or isinstance(callee, providers.Provider):
        return kind
    return f"{kind} {getattr(callee, '__name__', type(callee).__name__)}"
