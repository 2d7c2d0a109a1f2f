"""The parameters of a function, and validation of values like the MCP SDK."""

import inspect
import json
import re
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Union

from pydantic import ConfigDict, Field, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

from coatcheck.arguments.declared_types import ANY, DeclaredTypes, Place, Types
from coatcheck.errors import ArgumentRejected, ReferenceSyntaxError, counted, excerpt, quoted
from coatcheck.references import parse_target

_EMPTY = inspect.Parameter.empty
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_PLAIN_DEFAULTS = (type(None), bool, int, float, str, list, dict)
_FIELD_FACTS = ("title", "description", "examples", "deprecated", "json_schema_extra", "discriminator")
_SHOWN_ERRORS = 3
_EXPECTED_LIMIT = 120
_LARGE = 10**40


@dataclass(frozen=True)  # no slots: the types are cached
class FunctionParameter:
    """A parameter and the values that it accepts."""

    name: str
    annotation: Any  # its type, with the constraints of a pydantic `Field`; `Any` if none is declared
    default: Any  # its default, or `inspect.Parameter.empty`
    is_text: bool  # whether it accepts only text, and perhaps `None`
    declared: bool  # whether the type is declared to callers: false for `*args`, `**kwargs` and bare parameters
    adapter: TypeAdapter[Any] | None  # validates values; None if every value is valid
    field: FieldInfo | None = None  # the pydantic `Field` with the default, if there is one

    def is_default(self, value: Any) -> bool:
        """Whether ``value`` is the parameter's default, which passes unvalidated: the SDK passes defaults on."""
        if value is self.default:
            return True
        return type(value) is type(self.default) and type(value) in _PLAIN_DEFAULTS and bool(value == self.default)

    @cached_property
    def types(self) -> DeclaredTypes:
        """The types of its JSON schema; every type without one."""
        if self.adapter is None:
            return DeclaredTypes(True)
        try:
            return DeclaredTypes(self.adapter.json_schema(schema_generator=_WithoutWarnings))
        except (PydanticUserError, RecursionError):
            return DeclaredTypes(True)

    def validate(self, value: Any, sources: Sequence[str] = ()) -> Any:
        """Return ``value`` as the parameter's type; JSON text is parsed if the parameter does not accept text.

        ``sources`` are the references that it was resolved from, for the message.

        Raises:
            ArgumentRejected: It is invalid; the message names parameter, type and value.
        """
        if self.adapter is None:
            return value
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            if isinstance(value, str) and not self.is_text:
                try:
                    return self.adapter.validate_python(json.loads(value))
                except (ValueError, RecursionError):
                    pass
            raise ArgumentRejected(self._refusal(value, sources, error)) from error

    def _refusal(self, value: Any, sources: Sequence[str], error: ValidationError) -> str:
        details = error.errors(include_url=False, include_context=False)
        shown = "; ".join(_explained(detail) for detail in details[:_SHOWN_ERRORS])
        more = f"; and {len(details) - _SHOWN_ERRORS} more" if len(details) > _SHOWN_ERRORS else ""
        origin = f" It came from {', '.join(excerpt(source) for source in sources[:_SHOWN_ERRORS])}." if sources else ""
        hint = _malformed(value) if not sources else ""
        return (
            f"Argument {quoted(self.name)} does not fit {_type_name(self.annotation)}: {shown}{more}.{origin}{hint}"
            " Pass a value of that type, or a reference to one."
        )


class _WithoutWarnings(GenerateJsonSchema):
    """Suppresses warnings about defaults without a JSON form."""

    def emit_warning(self, kind: Any, detail: str) -> None:
        pass


def types_at(parameters: Mapping[str, FunctionParameter], place: Place) -> Types:
    """Return the types that are allowed at a place of a function's arguments."""
    parameter = parameters.get(str(place[0])) if place else None
    return ANY if parameter is None else parameter.types.at(place[1:])


def parameters_of(signature: inspect.Signature, literal: Collection[str] = ()) -> dict[str, FunctionParameter]:
    """The parameters by name, except those in ``literal`` and those that the MCP SDK fills."""
    found: dict[str, FunctionParameter] = {}
    for parameter in signature.parameters.values():
        if parameter.name not in literal and not filled_by_sdk(parameter.annotation):
            found[parameter.name] = _parameter(parameter)
    return found


def filled_by_sdk(annotation: Any) -> bool:
    """Whether the MCP SDK fills a parameter of this type: its ``Context``, or one marked by ``Resolve``."""
    if typing.get_origin(annotation) is Annotated and any(
        _is_sdk_class(type(m), "Resolve") for m in annotation.__metadata__
    ):
        return True
    parts = (annotation, typing.get_origin(annotation), *typing.get_args(annotation))
    return any(_is_sdk_class(part, "Context") for part in parts)


def _is_sdk_class(candidate: Any, name: str) -> bool:
    # By name, so that the SDK is not imported for this check.
    bases = candidate.__mro__ if isinstance(candidate, type) else ()
    return any(base.__name__.split("[")[0] == name and base.__module__.startswith("mcp.server.") for base in bases)


def _parameter(parameter: inspect.Parameter) -> FunctionParameter:
    annotation, default = parameter.annotation, parameter.default
    declared = annotation is not _EMPTY and parameter.kind not in _VARIADIC and not isinstance(annotation, str)
    if not declared:
        # The SDK passes *args and **kwargs as one argument each, so their element type does not apply to it.
        return FunctionParameter(parameter.name, Any, default, is_text=False, declared=False, adapter=None)
    annotation, field = _without_default(annotation)
    if isinstance(default, FieldInfo):
        annotation = _with_field(annotation, default)
        field = default
    if field is not None and (isinstance(default, FieldInfo) or default is _EMPTY):
        default = field.get_default()
    adapter = None if annotation is Any or annotation is object else _adapter(annotation)
    return FunctionParameter(
        parameter.name, annotation, default, _is_text(annotation), declared=True, adapter=adapter, field=field
    )


def _without_default(annotation: Any) -> tuple[Any, FieldInfo | None]:
    """The type without the defaults of the ``Field(...)`` in its metadata, and the field that had one."""
    if typing.get_origin(annotation) is not Annotated:
        return annotation, None
    plain, *metadata = typing.get_args(annotation)
    field = None
    for fact in metadata:
        if isinstance(fact, FieldInfo):
            plain = _with_field(plain, fact)
            field = field if fact.is_required() else fact
        else:
            plain = Annotated[plain, fact]
    return plain, field


def _with_field(annotation: Any, declared: FieldInfo) -> Any:
    """The type with the constraints of a ``Field(...)``, without the default."""
    constraints = {name: getattr(declared, name) for name in _FIELD_FACTS if getattr(declared, name) is not None}
    return Annotated[(annotation, *declared.metadata, Field(**constraints))]


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUndefinedAnnotation:
        return None
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        # Models, dataclasses and typed dicts have their own configuration.
        return TypeAdapter(annotation)


def _is_text(annotation: Any) -> bool:
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in {Union, types.UnionType}:
        arms = [arm for arm in typing.get_args(annotation) if arm is not type(None)]
        return all(_is_text(arm) for arm in arms)
    return annotation is str


def _type_name(annotation: Any) -> str:
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return excerpt(re.sub(r"\b(?:\w+\.)+(?=\w)", "", repr(annotation)), _EXPECTED_LIMIT)


def _explained(detail: ErrorDetails) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{excerpt(step, 40)}" for step in detail["loc"])
    where = f"at {excerpt(steps)}, " if steps else ""
    message = excerpt(detail["msg"], 160)
    return f"{where}{message[:1].lower()}{message[1:]} (got {_shown(detail['input'])})"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, dict):
        return f"an object with {counted(len(value), 'key')}"
    if isinstance(value, list | tuple):
        return f"a list of {counted(len(value), 'item')}"
    if isinstance(value, int | float):
        # Python refuses to convert an integer of thousands of digits.
        return excerpt(
            f"{value:.17g}" if isinstance(value, float) else hex(value) if abs(value) > _LARGE else str(value)
        )
    return f"a {type(value).__name__}"


def _malformed(value: Any) -> str:
    """A hint about text that was probably meant as a reference."""
    if not isinstance(value, str) or not value.startswith("@obj_"):
        return ""
    try:
        parse_target(value)
    except ReferenceSyntaxError as error:
        return f" As a reference: {error}"
    return ""
