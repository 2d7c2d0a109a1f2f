"""The command ``coatcheck doctor`` and its help."""

from typing import Annotated

import typer

from coatcheck.cli.common_options import SettingsFlags
from coatcheck.cli.settings_options import SettingsCommand, settings_options

app = typer.Typer(rich_markup_mode=None)


@app.command(cls=SettingsCommand)
@settings_options(container=True)
def doctor(
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print the container's graph as a Mermaid diagram.")
    ] = False,
    *,
    settings: SettingsFlags,
) -> None:
    """Check settings, wiring, store and sandbox, and show the container's graph.

    The exit code is 1 when something does not work, and 2 if the settings are wrong.
    """
    from coatcheck.cli.doctor_checks import run_doctor

    raise typer.Exit(run_doctor(settings, mermaid=mermaid))
