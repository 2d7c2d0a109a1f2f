"""The commands and their help."""

from typing import Annotated

import typer

from coatcheck import __version__
from coatcheck.cli.add_server import add
from coatcheck.cli.deepset_simulator import app as deepset
from coatcheck.cli.install import install, status, uninstall
from coatcheck.cli.listen_options import ListenFlags, listen_options
from coatcheck.cli.login import login, logout
from coatcheck.cli.objects import app as objects
from coatcheck.cli.options import SettingsFlags, Verbose
from coatcheck.cli.settings_options import SettingsCommand, settings_options
from coatcheck.cli.stats import stats
from coatcheck.cli.toolset_options import ServeCommand
from coatcheck.cli.wrap import wrap

app = typer.Typer(
    name="coatcheck",
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


app.command(
    cls=SettingsCommand,
    context_settings={"allow_interspersed_args": False},
    short_help="Put coatcheck in front of any MCP server.",
)(wrap)

app.command(short_help="Wrap the servers that an MCP client has.")(install)
app.command(short_help="Remove coatcheck from a client's configuration.")(uninstall)
app.command(short_help="Show each client's servers, which of them are wrapped, and your sign-ins.")(status)
app.command(short_help="Add a server to a client, wrapped from the start.")(add)
app.command(short_help="Sign in at a server that requires OAuth.")(login)
app.command(short_help="Forget the sign-in at a server.")(logout)


@app.command(
    cls=ServeCommand,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    short_help="Serve the object tools, and those of toolsets.",
)
@settings_options(container=True)
@listen_options(
    transports="stdio, streamable-http or sse.",
    stateless="Answer each request by itself, without sessions (streamable-http), for replicas behind a load balancer.",
)
def serve(
    ctx: typer.Context,
    toolset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Toolset to serve: name of an installed one, or module:attribute. Repeatable.",
            is_eager=True,  # so that a later --help can use it
        ),
    ] = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(
            "--tool", "--tools", metavar="NAMES", help="Serve only these tools: names separated by commas. Repeatable."
        ),
    ] = None,
    list_tools: Annotated[
        bool, typer.Option("--list-tools", help="Print the names of the tools, each with its first sentence, and exit.")
    ] = False,
    verbose: Verbose = False,
    *,
    listen: ListenFlags,
    settings: SettingsFlags,
) -> None:
    """Serve the object tools and the tools of toolsets over stdio, streamable HTTP or SSE.

    A toolset's settings are flags as well, such as --api-key for its field api_key. "serve --toolset NAME --help" lists
    them.
    """
    from coatcheck.cli.logs import configure_logging
    from coatcheck.cli.serve import list_tools_of, run_serve
    from coatcheck.cli.toolset_options import load_toolsets, toolset_options

    configure_logging(settings.given["log_format"], verbose=verbose)
    known = [flag for parameter in ctx.command.params for flag in parameter.opts]
    toolsets = load_toolsets(toolset or [])
    options = toolset_options(toolsets, ctx.args, known)
    names = None if tool is None else [name.strip() for given in tool for name in given.split(",") if name.strip()]
    if list_tools:
        list_tools_of(settings, toolsets, options, names)
        return
    authentication = listen.authentication(toolset.token_verifier(options.get(toolset.name)) for toolset in toolsets)
    listening = listen.listening(authenticated=authentication is not None)
    run_serve(settings, listening, toolsets, options, names, authentication=authentication, verbose=verbose)


app.add_typer(deepset, name="deepset", short_help="Run a simulated deepset platform.")
app.add_typer(objects, name="objects", short_help="Look at stored objects: ls, show, get, grep, query, put, rm.")
app.command(
    cls=SettingsCommand, short_help="Show the savings, the store's contents, and the metrics of a running server."
)(stats)


@app.command(cls=SettingsCommand, short_help="Check settings, wiring, store and sandbox, and show the container.")
@settings_options(container=True)
def doctor(
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print the container's graph as a Mermaid diagram.")
    ] = False,
    *,
    settings: SettingsFlags,
) -> None:
    """Check settings, wiring, store and sandbox, and show the container's graph.

    The exit code is 1 when something does not work.
    """
    from coatcheck.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(settings, mermaid=mermaid))


@app.command(short_help="Show what a model reads from a small included server, without and with coatcheck.")
def demo() -> None:
    """Call a small included server directly and through coatcheck, and print what a model reads of both."""
    from coatcheck.cli.demo import run_demo

    raise typer.Exit(run_demo())
