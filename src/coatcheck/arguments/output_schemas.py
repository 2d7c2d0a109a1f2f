"""Widens output schemas to allow ``{"$stored": {…}}``, which replaces a stored result."""

from typing import Any

from coatcheck.arguments.json_pointers import DEFINITIONS, Pointer, Schema, is_definition, local_targets, parse_pointer

STORED = "$stored"
MOST_LEVELS = 100
"""Maximum levels of a schema that is rewritten; a deeper one is replaced by any object."""

_COMBINED = frozenset({
    "$ref", "$dynamicRef", "$recursiveRef", "anyOf", "oneOf", "allOf", "if", "not", "const", "enum", "minProperties",
    "maxProperties", "patternProperties", "propertyNames", "unevaluatedProperties", "dependentRequired",
    "dependentSchemas", "dependencies",
})  # fmt: skip
_ANNOTATIONS = frozenset({
    "$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
    *DEFINITIONS,
})  # fmt: skip
_MARKER: Schema = {"type": "object", "properties": {"reference": {"type": "string"}, "preview": {"type": "string"}}}
"""The value of ``$stored`` beside typed members. It names its properties, because FastMCP's client would otherwise read
every member as a plain ``dict``."""
_ANYTHING: Schema = {}
"""The schema of ``$stored`` beside properties. FastMCP 2 reads an object without properties as one without members."""
_WRAPPED_BY_FASTMCP = "x-fastmcp-wrap-result"
_NAMED = frozenset({"properties", "patternProperties", *DEFINITIONS, "dependentSchemas", "dependencies"})
_DATA = frozenset({"const", "enum", "default", "examples"})
"""Keywords whose values are not schemas."""


def allow_stored(output_schema: Schema) -> Schema:
    """Let an output schema also allow ``{"$stored": {…}}``; the original is not changed.

    Clients generate classes from these schemas, so as little as possible is rewritten: an object with properties gets
    one more, a mapping allows one more member, and any other root becomes one of two alternatives. Valid values stay
    valid, and every ``$ref`` keeps its target.
    """
    properties = output_schema.get("properties")
    if isinstance(properties, dict) and STORED in properties:
        return output_schema
    if output_schema.get("type") == "object" and _COMBINED.isdisjoint(output_schema):
        if isinstance(properties, dict):
            changed = _with_property(output_schema)
        elif set(output_schema) <= _ANNOTATIONS | {"type", "additionalProperties"}:
            changed = _with_member(output_schema)
        else:
            changed = None
        if changed is not None:
            return changed
    return _with_alternative(output_schema)


def _with_property(schema: Schema) -> Schema | None:
    properties = schema["properties"]
    changed = {**schema, "properties": {**properties, STORED: _ANYTHING}}
    if schema.get(_WRAPPED_BY_FASTMCP) and "result" in properties and not _leads_into(schema, "properties"):
        # Its client expects `result` in every response and warns without it.
        changed["properties"]["result"] = {"anyOf": [properties["result"], {"type": "null"}]}
    if "required" in schema:
        if not isinstance(schema["required"], list):
            return None
        del changed["required"]
        changed["anyOf"] = [{"required": schema["required"]}, {"required": [STORED]}]
    return changed


def _with_member(schema: Schema) -> Schema | None:
    members = schema.get("additionalProperties", True)
    if members is True or members == {}:
        return schema
    if members is False:
        return {**schema, "properties": {STORED: _ANYTHING}}
    if not isinstance(members, dict) or _leads_into(schema, "additionalProperties"):
        return None
    arms = members.get("anyOf")
    if isinstance(arms, list) and len(members) == 1 and len(arms) > 1 and arms[-1] == _MARKER:
        return schema
    return {**schema, "additionalProperties": {"anyOf": [members, _MARKER]}}


def _with_alternative(schema: Schema) -> Schema:
    """Turn the root into one of two alternatives; definitions move to the new root."""
    if _is_alternative(schema):
        return schema
    widened: Schema = {key: schema[key] for key in ("$schema", "$id") if key in schema}
    if schema.get("type") == "object":
        widened["type"] = "object"
    targets = local_targets(schema)
    if targets is None or _levels(schema) > MOST_LEVELS:
        return widened | {"type": "object"}
    original = {key: value for key, value in schema.items() if key not in (*DEFINITIONS, "$schema", "$id")}
    definitions = {key: schema[key] for key in DEFINITIONS if isinstance(schema.get(key), dict)}
    if not all(map(is_definition, targets)):
        # A pointer addresses the root or passes through it, so the original needs its own pointer.
        name = _free_name(definitions.get("$defs", {}))
        prefix = f"#/$defs/{name}"
        definitions = {key: _repointed(value, prefix, named=True) for key, value in definitions.items()}
        definitions["$defs"] = {**definitions.get("$defs", {}), name: _repointed(original, prefix)}
        original = {"$ref": prefix}
    widened["anyOf"] = [original, _stored_schema()]
    return widened | definitions


def _stored_schema() -> Schema:
    return {"type": "object", "properties": {STORED: {"type": "object"}}, "required": [STORED]}


def _is_alternative(schema: Schema) -> bool:
    branches = schema.get("anyOf")
    return isinstance(branches, list) and len(branches) > 1 and branches[-1] == _stored_schema()


def _leads_into(schema: Schema, key: str) -> bool:
    """Whether a ``$ref`` may pass through a keyword of the root; true for schemas that are too large to check."""
    targets = local_targets(schema)
    return targets is None or any(target[:1] == (key,) for target in targets)


def _levels(schema: Any) -> int:
    """Count the levels of a schema, up to one more than ``MOST_LEVELS``."""
    levels, parts = 0, [schema]
    while parts and levels <= MOST_LEVELS:
        levels += 1
        containers = [part for part in parts if isinstance(part, (dict, list))]
        parts = [inner for part in containers for inner in (part.values() if isinstance(part, dict) else part)]
    return levels


def _repointed(part: Any, prefix: str, *, named: bool = False) -> Any:
    """Copy a part of a schema, with pointers to the old root adjusted.

    ``prefix`` is the new location of the root; ``named``: the part maps names to schemas.
    """
    if isinstance(part, list):
        return [_repointed(item, prefix) for item in part]
    if not isinstance(part, dict):
        return part
    if named:
        return {name: _repointed(schema, prefix) for name, schema in part.items()}
    copy = {
        key: value if key in _DATA else _repointed(value, prefix, named=key in _NAMED) for key, value in part.items()
    }
    target: Pointer | None = parse_pointer(copy.get("$ref"))
    if target is not None and not (target and target[0] in DEFINITIONS):
        copy["$ref"] = prefix + copy["$ref"][1:]
    return copy


def _free_name(definitions: Schema) -> str:
    name = "Original"
    while name in definitions:
        name += "_"
    return name
