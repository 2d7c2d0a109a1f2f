"""The command ``coatcheck demo`` and its help."""

import typer

app = typer.Typer(rich_markup_mode=None)


@app.command()
def demo() -> None:
    """Call a small included server directly and through coatcheck, and print what a model reads of both."""
    from coatcheck.cli.demo_client import run_demo

    raise typer.Exit(run_demo())
