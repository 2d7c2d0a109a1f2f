"""Widens input schemas to advertise references in place of values.

Every parameter accepts references. They are advertised only where they save tokens: on arrays, objects and untyped
parameters at the top level. A schema costs the model tokens in every conversation, and the branch of a reference is any
text, which would weaken the schemas of numbers, booleans and enums.
"""

from typing import Any

from coatcheck.arguments.declared_types import ANY, DeclaredTypes, Types
from coatcheck.arguments.json_pointers import Schema, local_targets, objects_in

REFERENCE: Schema = {"type": "string", "description": "@obj_1"}
"""The schema branch of a reference, without ``pattern``, which hosts drop and some model servers refuse."""

REFERENCES_NOTE = "Any argument, or a part of it, may be a reference such as @obj_001.items[0]; @@obj_001 is literal."
"""What the description of a function that resolves references itself says of them."""

MOST_PARAMETERS = 1_000
"""Maximum parameters of a tool that are read; further ones stay unchanged."""

OUTSIDE = ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")
"""Keywords that describe a value without constraining it, which are placed next to ``anyOf``, not within it."""

_DRAFT_7 = "http://json-schema.org/draft-07/schema"
_NOT_AS_IN_DRAFT_7 = frozenset({
    "$ref", "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary", "additionalItems",
    "dependencies", "dependentRequired", "dependentSchemas", "minContains", "maxContains", "prefixItems",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
"""Keywords that JSON Schema 2020-12, the default of MCP, reads in another way than draft 7 or that draft 7 ignores."""

_IN_HEADER = "x-mcp-header"
_OPTIONS = frozenset({"enum", "const"})


def resolves_references_itself(tool: Any) -> bool:
    """Whether a listed tool is a decorated function, which resolves references in its own store."""
    description = tool.get("description")
    return isinstance(description, str) and REFERENCES_NOTE in description


def advertise_references(input_schema: Schema) -> Schema:
    """Advertise references for parameters that are arrays, objects or untyped.

    ``$schema`` is removed where it says draft 7 and the schema means the same without it: servers of the TypeScript SDK
    repeat it in each tool, in more characters than an advertised reference has.

    The original is not modified; it is returned if nothing changes. The function is idempotent.
    """
    input_schema = _without_draft(input_schema)
    properties = input_schema.get("properties")
    if not isinstance(properties, dict) or len(properties) > MOST_PARAMETERS:
        return input_schema
    targets = local_targets(input_schema)
    if targets is None:
        return input_schema
    # A pointer into the schema must stay valid: schemas on its path are not wrapped.
    fixed = {target[1] for target in targets if len(target) > 1 and target[0] == "properties"}
    types = DeclaredTypes(input_schema)
    changed = {
        name: schema if name in fixed else advertised_parameter(schema, types.at((name,)))
        for name, schema in properties.items()
        if isinstance(name, str)
    }
    if all(changed[name] is schema for name, schema in properties.items()):
        return input_schema
    return {**input_schema, "properties": changed}


def _without_draft(schema: Schema) -> Schema:
    draft = schema.get("$schema")
    if not isinstance(draft, str) or draft.rstrip("#") != _DRAFT_7:
        return schema
    parts = objects_in(schema)
    if parts is None or not all(map(_means_the_same_in_draft_7, parts)):
        return schema
    return {key: value for key, value in schema.items() if key != "$schema"}


def _means_the_same_in_draft_7(part: Schema) -> bool:
    return _NOT_AS_IN_DRAFT_7.isdisjoint(part) and not isinstance(part.get("items"), list)


def advertised_parameter(schema: Any, types: Types) -> Any:
    """Return the schema of a parameter with a reference as alternative, or the same schema if that saves nothing."""
    if schema is True:
        schema = {}
    if not isinstance(schema, dict) or not _profits(schema, types):
        return schema
    inner = dict(schema)
    outside = {key: inner.pop(key) for key in OUTSIDE if key in inner}
    arms = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    return {**outside, "anyOf": [*arms, dict(REFERENCE)]}


def _profits(schema: Schema, types: Types) -> bool:
    # A parameter in a header must keep its plain schema, or strict clients drop the whole tool.
    if _IN_HEADER in schema or not _OPTIONS.isdisjoint(schema):
        return False
    if "@obj_" in str(schema.get("description", "")):
        return False  # It mentions references already.
    arms = schema.get("anyOf", [])
    if not isinstance(arms, list) or REFERENCE in arms:
        return False
    return types == ANY or ("string" not in types and not types.isdisjoint({"array", "object"}))
