"""coatcheck's own tools on the wire: their descriptions, the validation of arguments, and results as dicts."""

import asyncio
import difflib
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from coatcheck.codec import open_json_text
from coatcheck.codec.tool_results import Result, text_result
from coatcheck.errors import ArgumentRejected, CoatcheckError, excerpt, quoted

logger = logging.getLogger(__name__)

MOST_FAULTS = 5
MOST_NAME = 100
"""Characters of an unknown name that are compared with the known ones."""

SAME_AS = {
    **dict.fromkeys(("id", "ref", "reference", "object", "obj", "objectid", "object_ref"), ("object_id",)),
    **dict.fromkeys(("jq", "expression", "expr", "program", "jq_filter", "_filter"), ("filter",)),
    **dict.fromkeys(("query", "search", "text", "q"), ("filter", "pattern")),
    **dict.fromkeys(("regex", "regexp", "needle", "find"), ("pattern",)),
    **dict.fromkeys(("max", "max_results", "max_matches", "count", "top", "n", "head_limit"), ("limit", "end")),
    **dict.fromkeys(("offset", "skip", "from", "begin", "start_line", "line"), ("start",)),
    **dict.fromkeys(("stop", "to", "until", "limit", "end_line"), ("end",)),
    **dict.fromkeys(("range", "lines"), ("start",)),
    **dict.fromkeys(("key", "keys", "field", "fields", "json_path", "pointer", "location"), ("path",)),
    **dict.fromkeys(("ignore_case", "case_insensitive", "-i", "insensitive"), ("case_sensitive",)),
    **dict.fromkeys(("before", "after", "-a", "-b", "-c", "context_lines", "around"), ("context",)),
    **dict.fromkeys(("replace", "new", "with", "substitute"), ("replacement",)),
    **dict.fromkeys(("data", "json", "content", "object_value"), ("value",)),
}
"""Names that other tools have for parameters, and what they are called here."""


@dataclass(frozen=True, slots=True)
class OwnTool:
    """A function as a tool."""

    name: str  # its name unless the server has a tool of that name
    description: str  # text for the model
    function: Callable[..., Awaitable[str] | str]  # a sync or async function that returns text
    parameters: type[BaseModel]  # its visible parameters as a model
    input_schema: Mapping[str, Any]  # and as a JSON schema, generated once: each list of tools contains it
    annotations: Mapping[str, bool] = field(default_factory=dict)  # hints for the host, such as `readOnlyHint`
    title: str | None = None  # the name that people see

    def advertise(self, name: str) -> dict[str, Any]:
        """Return the entry for ``tools/list``, under the listed name."""
        entry: dict[str, Any] = {
            "name": name,
            "description": self.description,
            "inputSchema": self.input_schema,
        }
        if self.title:
            entry["title"] = self.title
        if self.annotations:
            entry["annotations"] = dict(self.annotations)
        return entry

    async def call(self, arguments: Mapping[str, Any] | str | None) -> Result:
        """Call the tool; errors become error results."""
        fields = self._fields()
        required = [name for name, field in fields.items() if field.is_required()]
        try:
            checked = self.parameters.model_validate(_opened(normalized_arguments(arguments, fields, required), fields))
        except ArgumentRejected as error:
            return text_result(str(error), is_error=True)
        except ValidationError as error:
            return text_result(_validation_summary(error), is_error=True)
        given = {name: getattr(checked, name) for name in type(checked).model_fields}
        try:
            if inspect.iscoroutinefunction(self.function):
                text = await self.function(**given)
            else:
                text = await asyncio.to_thread(self.function, **given)
        except CoatcheckError as error:
            return text_result(str(error), is_error=True)
        except Exception:
            # Details of an unexpected error are for operators, not for the model.
            logger.exception("Tool %s failed", self.name)
            return text_result(f"Error executing tool {self.name}.", is_error=True)
        return text_result(str(text))

    def _fields(self) -> dict[str, FieldInfo]:
        """Return the parameters by the names that callers use."""
        return {field.alias or name: field for name, field in self.parameters.model_fields.items()}


def normalized_arguments(
    arguments: Any, names: Collection[str], required: Collection[str], nullable: Collection[str] = ()
) -> dict[str, Any]:
    """Return the normalized arguments of a call: JSON text is parsed, ``null`` for an optional parameter is removed.

    ``nullable`` are those for which ``null`` is a valid value.

    Raises:
        ArgumentRejected: An argument is unknown or missing, or the arguments are not an object.
    """
    meant = open_json_text(arguments) if isinstance(arguments, str) else {} if arguments is None else arguments
    usage = ", ".join(name if name in required else f"{name} (optional)" for name in names)
    if not isinstance(meant, Mapping):
        raise ArgumentRejected(f"The arguments must be an object. This tool takes {usage or 'none'}.")
    for name in meant:
        if name not in names:
            same = [each for each in SAME_AS.get(str(name)[:MOST_NAME].lower(), ()) if each in names]
            near = same or difflib.get_close_matches(str(name)[:MOST_NAME], names, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ArgumentRejected(
                f"There is no argument {quoted(str(name))}.{hint} This tool takes {usage or 'none'}."
            )
    for name in required:
        if name not in meant:
            raise ArgumentRejected(f"The argument {quoted(name)} is missing. This tool takes {usage}.")
    return {name: value for name, value in meant.items() if value is not None or name in required or name in nullable}


def _opened(arguments: dict[str, Any], fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    """Parse JSON text where an object is expected: some models write nested arguments as strings."""
    opened = {
        name: open_json_text(value)
        for name, value in arguments.items()
        if isinstance(value, str) and _accepts_only_objects(fields[name].annotation)
    }
    return {**arguments, **{name: value for name, value in opened.items() if value is not None}}


def _accepts_only_objects(annotation: Any) -> bool:
    kinds = {get_origin(kind) or kind for kind in (get_args(annotation) or (annotation,))}
    return dict in kinds and not kinds & {str, Any}


def own_tool(
    function: Callable[..., Awaitable[str] | str],
    *,
    name: str | None = None,
    annotations: Mapping[str, bool] | None = None,
    title: str | None = None,
) -> OwnTool:
    """Describe a function by its signature and docstring."""
    called = name or str(getattr(function, "__name__", "tool"))
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (annotation, Field(default=default))
    model: type[BaseModel] = create_model(f"{called}_arguments", __config__=ConfigDict(extra="ignore"), **fields)
    schema = model.model_json_schema(schema_generator=_WithoutTitles)
    return OwnTool(called, inspect.cleandoc(function.__doc__ or ""), function, model, schema, annotations or {}, title)


class _WithoutTitles(GenerateJsonSchema):
    """Generates schemas without the titles that only repeat names: every schema costs the model tokens."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def generate(self, schema: Any, mode: Any = "validation") -> dict[str, Any]:
        generated = super().generate(schema, mode)
        generated.pop("title", None)
        return generated


def _validation_summary(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False)
    lines = [
        f"Parameter {quoted('.'.join(map(str, fault['loc'])))}: {excerpt(fault['msg'], 200)}"
        for fault in faults[:MOST_FAULTS]
    ]
    if len(faults) > MOST_FAULTS:
        lines.append(f"and {len(faults) - MOST_FAULTS} more")
    return "The arguments do not fit. " + "; ".join(lines) + "."
