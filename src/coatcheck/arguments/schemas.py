"""Tool schemas with references in view: input schemas that welcome them, output schemas that stay true."""

from collections.abc import Iterable, Iterator
from typing import Any

from coatcheck.references import REFERENCE_PATTERN

Schema = dict[str, Any]
Pointer = tuple[str, ...]

STORED = "$stored"
MAX_DEPTH = 12
MAX_SCHEMAS = 5_000
"""Subschemas that are looked at in one tool; what lies beyond stays as it is."""

_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_NAMED = frozenset({*_MAPS, "dependentSchemas", "dependencies"})
_DATA = frozenset({"const", "enum", "default", "examples"})
"""Keywords whose values are no schemas, whatever they look like."""

_SINGLE = ("items", "additionalProperties")
_LISTS = ("prefixItems", "anyOf", "oneOf", "allOf")
_PLACES_OF_VALUES = frozenset({"properties", "patternProperties", "items", "additionalProperties", "prefixItems"})
_IN_HEADER = "x-mcp-header"
_DEFINITIONS = ("$defs", "definitions")
_KEPT_OUTSIDE = ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")
_NARROWS_STRINGS = frozenset({"enum", "const", "pattern", "format", "maxLength", "minLength", "not", "if"})


def welcome_references(input_schema: Schema) -> Schema:
    """Say of every parameter, nested ones too, that a reference may stand in its place.

    A schema that takes any string stays as it is; every other becomes ``{"anyOf": [<itself>, <a reference>]}`` with
    title, description and default left outside. Applying it twice changes nothing more. The original is not touched.
    """
    welcomed: Schema = _Welcome(input_schema).schema(input_schema, (), value=False)
    return welcomed


def reference_schema() -> Schema:
    """Give the schema of a reference."""
    return {"type": "string", "pattern": REFERENCE_PATTERN}


def widen_output(output_schema: Schema) -> Schema:
    """Let an output schema also allow ``{"$stored": {…}}``, which stands for a result that was kept.

    Definitions move to the new root, so that local ``$ref`` still lead where they led.
    """
    if _is_widened(output_schema):
        return output_schema
    original = {key: value for key, value in output_schema.items() if key not in (*_DEFINITIONS, "$schema", "$id")}
    widened: Schema = {key: output_schema[key] for key in ("$schema", "$id") if key in output_schema}
    if output_schema.get("type") == "object":
        widened["type"] = "object"
    definitions = {key: output_schema[key] for key in _DEFINITIONS if key in output_schema}
    if any(_is_inner(target) for target in _local_targets(output_schema)):
        # Something points at the root or through it, so the original needs a pointer of its own.
        name = _free_name(definitions.get("$defs", {}))
        prefix = f"#/$defs/{name}"
        definitions = {key: _repointed(value, prefix, named=True) for key, value in definitions.items()}
        definitions["$defs"] = {**definitions.get("$defs", {}), name: _repointed(original, prefix)}
        original = {"$ref": prefix}
    widened["anyOf"] = [original, _stored_schema()]
    return widened | definitions


def _stored_schema() -> Schema:
    return {"type": "object", "properties": {STORED: {"type": "object"}}, "required": [STORED]}


def _is_widened(schema: Schema) -> bool:
    branches = schema.get("anyOf")
    return isinstance(branches, list) and len(branches) > 1 and branches[-1] == _stored_schema()


class _Welcome:
    """One pass over one input schema."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.seen = 0
        # A pointer into the schema must still lead there: what it passes through is not wrapped.
        self.passed_through = {
            target[:length] for target in _local_targets(root) if _is_inner(target) for length in range(len(target))
        }

    def schema(self, schema: Any, pointer: Pointer, *, value: bool) -> Any:
        """Rebuild a schema; ``value`` says that it describes a value, so that it may be wrapped."""
        self.seen += 1
        if not isinstance(schema, dict) or self.seen > MAX_SCHEMAS or len(pointer) > 2 * MAX_DEPTH:
            return schema
        if any(branch == reference_schema() for branch in _branches(schema)):
            return schema
        inner = {key: self._keyword(key, content, (*pointer, key)) for key, content in schema.items()}
        # A parameter that travels in a header must stay a plain one, or strict clients drop the whole tool.
        if not value or _IN_HEADER in schema or pointer in self.passed_through or self.admits_text(schema):
            return inner
        outside = {key: inner.pop(key) for key in _KEPT_OUTSIDE if key in inner}
        return {**outside, "anyOf": [inner, reference_schema()]}

    def _keyword(self, key: str, content: Any, pointer: Pointer) -> Any:
        value = key in _PLACES_OF_VALUES
        if key in _MAPS and isinstance(content, dict):
            return {name: self.schema(part, (*pointer, name), value=value) for name, part in content.items()}
        if key in _SINGLE:
            return self.schema(content, pointer, value=value)
        if key in _LISTS and isinstance(content, list):
            return [self.schema(part, (*pointer, str(at)), value=value) for at, part in enumerate(content)]
        return content

    def admits_text(self, schema: Any, depth: int = 0) -> bool:
        """Whether any string at all fits the schema."""
        if not isinstance(schema, dict):
            return schema is not False
        if depth > MAX_DEPTH or _NARROWS_STRINGS & schema.keys():
            return False
        kinds = schema.get("type", "string")
        if "string" not in (kinds if isinstance(kinds, list) else [kinds]):
            return False
        if "$ref" in schema and not self.admits_text(follow(self.root, schema["$ref"]), depth + 1):
            return False
        if not all(self.admits_text(part, depth + 1) for part in schema.get("allOf", ())):
            return False
        return all(
            any(self.admits_text(part, depth + 1) for part in schema[key])
            for key in ("anyOf", "oneOf")
            if key in schema
        )


def _branches(schema: Schema) -> Iterable[Any]:
    branches = schema.get("anyOf")
    return branches if isinstance(branches, list) else ()


def follow(root: Schema, reference: Any) -> Any:
    """Give the subschema a local ``$ref`` leads to; ``False``, the schema of nothing, where it leads nowhere."""
    target = _parse_pointer(reference)
    found: Any = root
    for step in target if target is not None else ("",):
        if isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            return False
    return found


def _parse_pointer(reference: Any) -> Pointer | None:
    if not isinstance(reference, str) or (reference != "#" and not reference.startswith("#/")):
        return None
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in reference.split("/")[1:])


def _is_inner(target: Pointer) -> bool:
    """Whether a pointer leads elsewhere than to a definition as a whole."""
    return len(target) != 2 or target[0] not in _DEFINITIONS  # noqa: PLR2004


def _local_targets(schema: Any) -> Iterator[Pointer]:
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            target = _parse_pointer(part.get("$ref"))
            if target is not None:
                yield target
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _repointed(part: Any, prefix: str, *, named: bool = False) -> Any:
    """Copy a part of a schema, with pointers to the old root leading to where it went.

    Args:
        part: The part.
        prefix: Where the root went.
        named: Whether the part is no schema itself but holds some by name, whatever the names are.
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
    target = _parse_pointer(copy.get("$ref"))
    if target is not None and not (target and target[0] in _DEFINITIONS):
        copy["$ref"] = prefix + copy["$ref"][1:]
    return copy


def _free_name(definitions: Schema) -> str:
    name = "Original"
    while name in definitions:
        name += "_"
    return name
