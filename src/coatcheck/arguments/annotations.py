"""Saying in a parameter's annotation, and in the JSON schema made of it, that references are welcome."""

import inspect
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from coatcheck.arguments.expected_values import Expected
from coatcheck.references import REFERENCE_PATTERN

_REFERENCE: JsonSchemaValue = {"type": "string", "pattern": REFERENCE_PATTERN}
_DESCRIPTION = "reference to a stored object or a part of it"
# What describes a value without limiting it: stands beside `anyOf`, not within it.
_ANNOTATIONS = ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")
# A header that mirrors an argument is allowed on plain types only.
_HEADER = "x-mcp-header"


class ReferenceOr:
    """Annotation metadata: a value of ``annotation``, or references in its place or inside it.

    Pydantic takes any value for it (the decorated function validates after references are resolved) and makes a JSON
    schema that is the type's own, with a reference as alternative.
    """

    def __init__(self, annotation: Any) -> None:
        self.annotation = annotation

    def __repr__(self) -> str:
        return "ReferenceOr()"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take the type's schema, so that its JSON schema is known, and let every value through."""
        return core_schema.no_info_wrap_validator_function(
            lambda value, _: value, handler.generate_schema(self.annotation)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The type's JSON schema, widened."""
        return widened(handler(schema), handler)


def advertised(parameter: inspect.Parameter, expected: Expected | None) -> inspect.Parameter:
    """The parameter as callers shall see it."""
    if expected is None or not expected.declared or expected.annotation is Any:
        return parameter
    # The SDK opens text as JSON before it validates, unless the parameter says plain `str`: text for `str | None` that
    # happens to be JSON must arrive as it was sent.
    shown = str if expected.is_text else expected.annotation | str if _can_unite(expected.annotation) else Any
    annotation: Any = Annotated[shown, ReferenceOr(expected.annotation)]
    if expected.field is None:
        return parameter.replace(annotation=annotation)
    # The field's constraints are for the resolved value and stand in `expected.annotation`; only the default is left.
    if isinstance(parameter.default, FieldInfo):
        return parameter.replace(annotation=annotation, default=_bare_field(expected.field))
    return parameter.replace(annotation=Annotated[annotation, _bare_field(expected.field)])


def _can_unite(annotation: Any) -> bool:
    try:
        annotation | str
    except TypeError:
        return False
    return True


def _bare_field(field: FieldInfo) -> Any:
    if field.default_factory is not None:
        return Field(default_factory=field.default_factory)
    return Field() if field.is_required() else Field(default=field.default)


def widened(schema: JsonSchemaValue, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
    """``schema`` with a reference as alternative to the value, and to each value inside it."""
    if _HEADER in schema:
        return schema
    inner = dict(_with_wide_parts(schema, handler, set()))
    if _takes_every_string(schema):
        return inner
    beside = {key: inner.pop(key) for key in _ANNOTATIONS if key in inner}
    beside.pop("default", None)
    arms = inner.pop("anyOf") if set(inner) == {"anyOf"} else [inner]
    return {"anyOf": [*arms, _REFERENCE | {"description": _DESCRIPTION}], **beside}


def _takes_every_string(schema: JsonSchemaValue) -> bool:
    limits = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
    if not limits or limits == {"type": "string"}:
        return True
    arms = limits.get("anyOf")
    return isinstance(arms, list) and len(limits) == 1 and any(_takes_every_string(arm) for arm in arms)


def _with_wide_parts(schema: JsonSchemaValue, handler: GetJsonSchemaHandler, seen: set[str]) -> JsonSchemaValue:
    """A copy whose parts (items, properties, arms) take references; shared definitions are widened where they are."""
    target = schema.get("$ref")
    if isinstance(target, str):
        if target not in seen:
            seen.add(target)
            _widen_definition(schema, handler, seen)
        return schema
    wide = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(wide.get(key), dict):
            wide[key] = _wide_part(wide[key], handler, seen)
    if isinstance(wide.get("properties"), dict):
        wide["properties"] = {name: _wide_part(part, handler, seen) for name, part in wide["properties"].items()}
    if isinstance(wide.get("prefixItems"), list):
        wide["prefixItems"] = [_wide_part(part, handler, seen) for part in wide["prefixItems"]]
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(wide.get(key), list):
            wide[key] = [_with_wide_parts(arm, handler, seen) for arm in wide[key]]
    return wide


def _widen_definition(schema: JsonSchemaValue, handler: GetJsonSchemaHandler, seen: set[str]) -> None:
    try:
        definition = handler.resolve_ref_schema(schema)
    except LookupError:
        return
    definition.update(_with_wide_parts(definition, handler, seen))


def _wide_part(schema: JsonSchemaValue, handler: GetJsonSchemaHandler, seen: set[str]) -> JsonSchemaValue:
    if _takes_every_string(schema) or _REFERENCE in schema.get("anyOf", ()):
        return schema
    inner = dict(_with_wide_parts(schema, handler, seen))
    beside = {key: inner.pop(key) for key in _ANNOTATIONS if key in inner}
    arms = inner.pop("anyOf") if set(inner) == {"anyOf"} else [inner]
    return {"anyOf": [*arms, dict(_REFERENCE)], **beside}
