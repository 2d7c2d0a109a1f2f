"""The command ``coatcheck serve`` and its help."""

from typing import Annotated

import typer

from coatcheck.cli.common_options import SettingsFlags, Verbose, WrongUsage
from coatcheck.cli.listen_options import ListenFlags, listen_options
from coatcheck.cli.logs import configure_logging
from coatcheck.cli.settings_options import settings_options
from coatcheck.cli.toolset_options import ServeCommand, load_toolsets, toolset_options

app = typer.Typer(rich_markup_mode=None)


@app.command(cls=ServeCommand, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
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
    from coatcheck.cli.serve_runner import list_tools_of, run_serve

    configure_logging(settings.given["log_format"], verbose=verbose)
    known = [flag for parameter in ctx.command.params for flag in parameter.opts]
    toolsets = load_toolsets(toolset or [])
    options = toolset_options(toolsets, ctx.args, known)
    names = None if tool is None else [name.strip() for given in tool for name in given.split(",") if name.strip()]
    if names == []:
        raise WrongUsage("--tools names no tool. --list-tools without it prints the names.")
    if list_tools:
        list_tools_of(settings, toolsets, options, names)
        return
    authentication = listen.authentication(toolset.token_verifier(options.get(toolset.name)) for toolset in toolsets)
    listening = listen.listening(authenticated=authentication is not None)
    run_serve(settings, listening, toolsets, options, names, authentication=authentication, verbose=verbose)
