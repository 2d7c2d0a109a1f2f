"""The help of ``coatcheck serve`` with the flags of the toolsets that are asked for before it."""

from typing import Any

from typer.core import TyperCommand


class ServeCommand(TyperCommand):
    """A command whose help lists what ``--toolset``, which is read first, adds to it."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, and those of each toolset under its name.

        Raises:
            SettingsError: One of them does not exist or cannot be loaded.
        """
        super().format_options(ctx, formatter)
        names = ctx.params.get("toolset") or []
        if not names:
            return
        from coatcheck.cli.toolset_flags import flag_of, load_toolsets

        for toolset in load_toolsets(names):
            fields = toolset.settings.model_fields if toolset.settings else {}
            rows = [(f"{flag_of(name)} VALUE", field.description or "") for name, field in fields.items()]
            with formatter.section(f"Toolset {toolset.name}"):
                formatter.write_dl(rows) if rows else formatter.write_text("It has no flags of its own.")
