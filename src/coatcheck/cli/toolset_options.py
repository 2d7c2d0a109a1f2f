"""The options of ``coatcheck serve`` and its help, including the flags of the selected toolsets."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from coatcheck.cli.common_options import WrongUsage
from coatcheck.cli.settings_options import SettingsCommand, flag_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from coatcheck.tools.toolset import Toolset


def load_toolsets(names: Sequence[str]) -> "list[Toolset]":
    """Load toolsets by their installed names, or by ``module:attribute``.

    Raises:
        SettingsError: One of them does not exist or cannot be loaded.
    """
    from coatcheck.tools.toolset import load_toolset

    if any(":" in name for name in names):
        sys.path.insert(0, "")  # modules are searched in the current folder first
    return [load_toolset(name) for name in names]


def toolset_options(
    toolsets: "Sequence[Toolset]", words: Sequence[str], known: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Assign unknown words on the command line to the settings of the toolsets, by the toolsets' names.

    Raises:
        WrongUsage: A flag belongs to no toolset, or has no value.
    """
    from coatcheck.references import close_names

    owners = {flag_of(name): (toolset, name) for toolset in toolsets for name in _fields(toolset)}
    switches = {flag_of(name) for each in toolsets for name, field in _fields(each).items() if field.annotation is bool}
    options: dict[str, dict[str, Any]] = {}
    rest = list(words)
    while rest:
        flag, _, value = rest.pop(0).partition("=")
        if flag not in owners and not flag.startswith("-"):
            raise WrongUsage(f"{flag} belongs to no option. The values of one are separated by commas: --tools a,b.")
        if flag not in owners:
            near = close_names(flag, [*owners, *known])
            hint = f" Did you mean {near[0]}?" if near else ""
            if owners and not near:
                hint = f" The flags of the toolsets are: {', '.join(owners)}."
            raise WrongUsage(f"No such option: {flag}.{hint}")
        if not value and flag in switches:
            value = "true"
        if not value:
            if not rest or rest[0].startswith("--"):
                raise WrongUsage(f"Option {flag} requires a value.")
            value = rest.pop(0)
        toolset, field = owners[flag]
        options.setdefault(toolset.name, {})[field] = _value(value, _fields(toolset)[field])
    return options


def _value(text: str, field: "FieldInfo") -> Any:
    """Read lists and tables as JSON, as they are written in a variable; every other value is a text."""
    if not text.startswith(("[", "{")):
        return text
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter[Any](field.annotation or Any).validate_python(text)
    except ValidationError:
        with suppress(ValueError):
            return json.loads(text)
    return text


def _fields(toolset: "Toolset") -> "Mapping[str, FieldInfo]":
    return toolset.settings.model_fields if toolset.settings else {}


class ServeCommand(SettingsCommand):
    """A command whose help includes the options of ``--toolset``, which is parsed first."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, and those of each toolset under its name.

        Raises:
            SettingsError: One of them does not exist or cannot be loaded.
        """
        super().format_options(ctx, formatter)
        for toolset in load_toolsets(ctx.params.get("toolset") or []):
            rows = [
                (flag_of(name) + ("" if field.annotation is bool else " VALUE"), field.description or "")
                for name, field in _fields(toolset).items()
            ]
            with formatter.section(f"Toolset {toolset.name}"):
                formatter.write_dl(rows) if rows else formatter.write_text("It has no flags of its own.")
