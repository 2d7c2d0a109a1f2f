"""The options of ``coatcheck serve`` and its help, including the flags of the selected toolsets."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coatcheck.cli.options import WrongUsage
from coatcheck.cli.settings_options import SettingsCommand

if TYPE_CHECKING:
    from coatcheck.tools.toolset import Toolset


@dataclass(frozen=True, slots=True)
class ExtraFlags:
    """Unknown words on the command line.

    Attributes:
        words: Flags and their values.
        known: The command's own flags, for suggestions.
    """

    words: Sequence[str]
    known: Sequence[str]


def load_toolsets(names: Sequence[str]) -> "list[Toolset]":
    """Load toolsets by their installed names, or by ``module:attribute``.

    Raises:
        SettingsError: One of them does not exist or cannot be loaded.
    """
    from coatcheck.tools.toolset import load_toolset

    if any(":" in name for name in names):
        sys.path.insert(0, "")  # modules are searched in the current folder first
    return [load_toolset(name) for name in names]


def flag_of(field: str) -> str:
    """Return the flag for a field of a toolset's settings."""
    return "--" + field.replace("_", "-")


def toolset_options(toolsets: "Sequence[Toolset]", extra: ExtraFlags) -> dict[str, dict[str, Any]]:
    """Assign unknown flags to the settings of the toolsets, by the toolsets' names.

    Raises:
        WrongUsage: A flag belongs to no toolset, or has no value.
    """
    from coatcheck.references import close_names

    owners = {
        flag_of(field): (toolset.name, field)
        for toolset in toolsets
        for field in (toolset.settings.model_fields if toolset.settings else ())
    }
    switches = {
        (toolset.name, name)
        for toolset in toolsets
        for name, field in (toolset.settings.model_fields if toolset.settings else {}).items()
        if field.annotation is bool
    }
    options: dict[str, dict[str, Any]] = {}
    rest = list(extra.words)
    while rest:
        flag, _, value = rest.pop(0).partition("=")
        if flag not in owners:
            near = close_names(flag, [*owners, *extra.known])
            hint = f" Did you mean {near[0]}?" if near else ""
            if owners and not near:
                hint = f" The flags of the toolsets are: {', '.join(owners)}."
            raise WrongUsage(f"No such option: {flag}.{hint}")
        toolset, field = owners[flag]
        if not value and (toolset, field) in switches:
            value = "true"
        if not value:
            if not rest or rest[0].startswith("--"):
                raise WrongUsage(f"Option {flag} requires a value.")
            value = rest.pop(0)
        options.setdefault(toolset, {})[field] = value
    return options


class ServeCommand(SettingsCommand):
    """A command whose help includes the options of ``--toolset``, which is parsed first."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, and those of each toolset under its name.

        Raises:
            SettingsError: One of them does not exist or cannot be loaded.
        """
        super().format_options(ctx, formatter)
        names = ctx.params.get("toolset") or []
        if not names:
            return

        for toolset in load_toolsets(names):
            fields = toolset.settings.model_fields if toolset.settings else {}
            rows = [
                (flag_of(name) + ("" if field.annotation is bool else " VALUE"), field.description or "")
                for name, field in fields.items()
            ]
            with formatter.section(f"Toolset {toolset.name}"):
                formatter.write_dl(rows) if rows else formatter.write_text("It has no flags of its own.")
