"""The commands: their names and their help in one line."""

from collections.abc import Callable
from functools import partial
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

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options before the command."""
        return _converting_what_is_given(super().get_params, ctx)


def _converting_what_is_given(get_params: Callable[[Any], list[Any]], ctx: Any) -> list[Any]:
    """Let the parameters of a command leave defaults and texts as they are.

    To convert a value, typer loads pydantic and builds a validator for each option, while the client waits.
    """
    parameters = get_params(ctx)
    for parameter in parameters:
        if not isinstance(parameter.process_value, partial):
            parameter.process_value = partial(_process_value, parameter, parameter.process_value)
    return parameters


def _process_value(parameter: Any, process: Any, ctx: Any, value: Any) -> Any:
    is_multiple = getattr(parameter, "multiple", False) or parameter.nargs == -1
    source = ctx.get_parameter_source(parameter.name)
    if source is not None and source.name == "DEFAULT" and not parameter.required:
        value = () if value is None and is_multiple else value
    elif getattr(getattr(parameter, "type_descriptor", None), "annotation", None) in (str, list[str]) and value:
        value = list(value) if is_multiple else value
    else:
        return process(ctx, value)
    return value if parameter.callback is None else parameter.callback(ctx, parameter, value)


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
        command: Any = get_group(import_module(f"coatcheck.cli.{module}").app).commands[name]
        command.get_params = partial(_converting_what_is_given, command.get_params)
        return command.make_context(info_name, args, parent, **extra)


for _name, (_module, _help) in COMMANDS.items():
    app.command(_name, cls=_LazyCommand, short_help=_help)(lambda: None)
