"""Validation of configurations, as far as the simulator supports it."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import yaml

from coatcheck.toolsets.deepset.simulator.api_replies import ApiFault
from coatcheck.toolsets.deepset.simulator.component_catalog import component_types

MAX_YAML_CHARACTERS = 1_000_000
_TOP_LEVEL = {"components", "connections", "inputs", "outputs", "max_runs_per_component", "metadata", "async_enabled"}

Kind = Literal["query", "indexing"]
Fault = dict[str, Any]


def check_configuration(text: str, kind: Kind) -> Mapping[str, Any]:
    """Parse the YAML of a query pipeline or an index.

    Raises:
        ApiFault: 422 if it is not YAML, 400 if it is not a valid configuration; ``details`` lists every fault.
    """
    if len(text) > MAX_YAML_CHARACTERS:
        raise ApiFault(422, f"The YAML has more than {MAX_YAML_CHARACTERS:,} characters.")
    try:
        parsed = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ApiFault(422, f"The YAML cannot be parsed: {error.problem}{where}.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ApiFault(422, "The YAML cannot be parsed.") from None
    if not isinstance(parsed, dict):
        raise ApiFault(400, "The configuration is not valid.", [_fault("schema", "It is not a mapping.", "")])
    faults = [*_faults(parsed, kind)]
    if faults:
        raise ApiFault(400, "The configuration is not valid.", faults)
    return parsed


def _faults(parsed: Mapping[str, Any], kind: Kind) -> Iterator[Fault]:
    for key in parsed.keys() - _TOP_LEVEL:
        yield _fault("unknown_key", f"There is no top-level key '{key}'.", f"/{key}")
    components = parsed.get("components")
    if not isinstance(components, Mapping) or not components:
        yield _fault("missing_components", "There are no components.", "/components")
        return
    for name, component in components.items():
        yield from _component_faults(str(name), component)
    connections = parsed.get("connections") or []
    if not isinstance(connections, list):
        yield _fault("schema", "Connections are a list.", "/connections")
        connections = []
    for place, connection in enumerate(connections):
        yield from _connection_faults(place, connection, components)
    inputs = parsed.get("inputs")
    wanted = "query" if kind == "query" else "files"
    if not isinstance(inputs, Mapping) or not inputs.get(wanted):
        yield _fault("missing_input", f"inputs.{wanted} names no component.", f"/inputs/{wanted}")
    if kind == "query" and not isinstance(parsed.get("outputs"), Mapping):
        yield _fault("missing_output", "There are no outputs.", "/outputs")


def _component_faults(name: str, component: Any) -> Iterator[Fault]:
    pointer = f"/components/{name}"
    found = component.get("type") if isinstance(component, Mapping) else None
    if not isinstance(found, str):
        yield _fault("schema", f"Component '{name}' has no type.", f"{pointer}/type")
    elif found not in component_types():
        yield _fault("unknown_component", f"There is no component of the type '{found}'.", f"{pointer}/type")
    if isinstance(component, Mapping) and not isinstance(component.get("init_parameters", {}), Mapping):
        yield _fault("schema", "init_parameters is a mapping.", f"{pointer}/init_parameters")


def _connection_faults(place: int, connection: Any, components: Mapping[str, Any]) -> Iterator[Fault]:
    for end in ("sender", "receiver"):
        pointer = f"/connections/{place}/{end}"
        text = connection.get(end) if isinstance(connection, Mapping) else None
        if not isinstance(text, str) or "." not in text:
            yield _fault("schema", f"A connection wants {end}: component.socket.", pointer)
        elif text.partition(".")[0] not in components:
            name = text.partition(".")[0]
            yield _fault("unknown_sender_or_receiver", f"There is no component '{name}'.", pointer)


def _fault(code: str, message: str, pointer: str) -> Fault:
    return {"code": code, "message": message, "category": "configuration", "json_pointer": pointer}


def secrets_named_in(parsed: Any) -> set[str]:
    """Return the names of the secrets that a configuration refers to: ``env_vars`` anywhere in it."""
    found: set[str] = set()
    if isinstance(parsed, Mapping):
        names = parsed.get("env_vars")
        if isinstance(names, list):
            found |= {str(name) for name in names}
        for value in parsed.values():
            found |= secrets_named_in(value)
    elif isinstance(parsed, list):
        for value in parsed:
            found |= secrets_named_in(value)
    return found
