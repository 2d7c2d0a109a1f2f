"""The commands: their names and their help in one line."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from coatcheck import __version__
from coatcheck.errors import field_faults

COMMANDS = {
    "wrap": ("wrap", "Put coatcheck in front of any MCP server."),
    "install": ("install", "Wrap the servers that an MCP client has."),
    "uninstall": ("install", "Remove coatcheck from a client's configuration."),
    "status": ("install", "Show each client's servers, which of them are wrapped, and your sign-ins."),
    "add": ("add_server", "Add a server to a client, wrapped from the start."),
    "login": ("login", "Sign in at a server that requires OAuth."),
    "logout": ("login", "Forget the sign-in at a server."),
    "serve": ("serve", "Serve the object tools, and those of toolsets."),
    "stats": ("stats", "Show the savings, the store's contents, and the metrics of a running server."),
    "doctor": ("doctor", "Check settings, wiring, store and sandbox, and show the container."),
    "demo": ("demo", "Show what a model reads from a small included server, without and with coatcheck."),
    "deepset": ("deepset_simulator", "Run a simulated deepset platform."),
    "objects": ("objects", "Look at stored objects: ls, show, get, grep, query, put, rm."),
}
"""Name → the module of this folder whose ``app`` has the command, and its help in one line."""


class _Commands(TyperGroup):
    """The commands: a wrong value of any option is described without the terms of pydantic, which typer uses."""

    def invoke(self, ctx: Any) -> Any:
        """Parse the arguments of a command and run it."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if hasattr(error.__cause__, "errors"):
                error.message = field_faults(error.__cause__)[0][1].removesuffix(".") + "."
            raise


app = typer.Typer(
    name="coatcheck",
    cls=_Commands,
    help="Keep large MCP tool results out of the model's context: bounded previews and references in their place.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"coatcheck {__version__}")
        raise typer.Exit


@app.callback()
def coatcheck(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""


class _LazyCommand(TyperCommand):
    """Stands for a command until it is used: importing all commands and creating their options is slow."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Import the command and parse its arguments."""
        name = str(self.name)
        module, _ = COMMANDS[name]
        command = get_group(import_module(f"coatcheck.cli.{module}").app).commands[name]
        return command.make_context(info_name, args, parent, **extra)


for _name, (_module, _help) in COMMANDS.items():
    app.command(_name, cls=_LazyCommand, short_help=_help)(lambda: None)
