"""Parameters of a function as callers see them: annotations, and the JSON schema that pydantic generates."""

import inspect
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from coatcheck.arguments.declared_types import DeclaredTypes
from coatcheck.arguments.function_parameters import FunctionParameter
from coatcheck.arguments.input_schemas import advertised_parameter


class ReferenceOr:
    """Annotation metadata: a value of ``annotation``, or references in place of it or inside it.

    Pydantic accepts any value for it, because the decorated function validates after references are resolved. The JSON
    schema is that of the type, with references advertised.
    """

    def __init__(self, annotation: Any) -> None:
        self.annotation = annotation

    def __repr__(self) -> str:
        return "ReferenceOr()"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Use the type's schema for the JSON schema, and accept every value."""
        return core_schema.no_info_wrap_validator_function(
            lambda value, _: value, handler.generate_schema(self.annotation)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The type's JSON schema, with references advertised."""
        plain = handler(schema)
        types = DeclaredTypes(plain, lambda reference: _definition(reference, handler))
        shown: JsonSchemaValue = advertised_parameter(plain, types.at())
        if shown is not plain:
            shown.pop("default", None)  # Pydantic adds it itself.
        return shown


def _definition(reference: str, handler: GetJsonSchemaHandler) -> Any:
    try:
        return handler.resolve_ref_schema({"$ref": reference})
    except LookupError:
        return None


def shown_parameter(parameter: inspect.Parameter, known: FunctionParameter | None) -> inspect.Parameter:
    """The parameter as callers see it."""
    if known is None or not known.declared:
        return parameter
    # The SDK parses text as JSON before it validates, unless the parameter is a plain `str`: text for `str | None` that
    # happens to be JSON must arrive as it was sent.
    shown = str if known.is_text else known.annotation | str if _can_unite(known.annotation) else Any
    annotation: Any = Annotated[shown, ReferenceOr(known.annotation)]
    if known.field is None:
        return parameter.replace(annotation=annotation)
    # The field's constraints apply to the resolved value and are in `known.annotation`; only the default is left.
    if isinstance(parameter.default, FieldInfo):
        return parameter.replace(annotation=annotation, default=_bare_field(known.field))
    return parameter.replace(annotation=Annotated[annotation, _bare_field(known.field)])


def _can_unite(annotation: Any) -> bool:
    if annotation is Any:
        return False
    try:
        annotation | str
    except TypeError:
        return False
    return True


def _bare_field(field: FieldInfo) -> Any:
    if field.default_factory is not None:
        return Field(default_factory=field.default_factory)
    return Field() if field.is_required() else Field(default=field.default)
