"""The command ``coatcheck wrap`` and its help."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coatcheck.cli.common_options import SettingsFlags, Verbose, WrongUsage
from coatcheck.cli.listen_options import ListenFlags, listen_options
from coatcheck.cli.settings_options import SettingsCommand, settings_options
from coatcheck.errors import SettingsError, excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

    from coatcheck.cli.upstream_options import OAuthUse
    from coatcheck.proxy.upstreams.base import UpstreamConnection

app = typer.Typer(rich_markup_mode=None)

_upstream_option = partial(typer.Option, rich_help_panel="Server to wrap")


@app.command(cls=SettingsCommand, context_settings={"allow_interspersed_args": False})
@settings_options(container=True)
@listen_options(
    transports="How clients connect: stdio or streamable-http.",
    stateless="Answer each request by itself, without sessions, as replicas behind a load balancer must: all clients "
    "share one wrapped server, which cannot send requests to them.",
)
def wrap(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(help="The server's command and its arguments.", metavar="COMMAND")
    ] = None,
    env: Annotated[
        list[str] | None,
        _upstream_option(
            metavar="NAME=VALUE",
            help="Environment variable of the command: NAME=VALUE, or NAME to pass on your own. Repeatable.",
        ),
    ] = None,
    cwd: Annotated[Path | None, _upstream_option(metavar="FOLDER", help="Working directory of the command.")] = None,
    url: Annotated[str | None, _upstream_option(metavar="URL", help="Wrap the server at this URL.")] = None,
    sse: Annotated[bool, _upstream_option("--sse", help="The URL uses the older HTTP+SSE transport.")] = False,
    header: Annotated[
        list[str] | None,
        _upstream_option(
            metavar="'NAME: VALUE'",
            help="HTTP header to send to the URL, such as 'X-Api-Key: $MY_KEY'. Repeatable.",
        ),
    ] = None,
    token_variable: Annotated[
        str | None,
        _upstream_option(metavar="NAME", help="Environment variable that holds a bearer token for the URL."),
    ] = None,
    ca_file: Annotated[
        Path | None,
        _upstream_option(metavar="FILE", help="Certificates to trust for the URL (PEM)."),
    ] = None,
    oauth: Annotated[
        bool | None,
        _upstream_option(
            "--oauth/--no-oauth",
            help="Sign in to the URL in the browser. The default over stdio, if the server offers it.",
            show_default=False,
        ),
    ] = None,
    servers: Annotated[
        list[Path] | None,
        _upstream_option(
            metavar="FILE",
            help="File with servers to wrap together, in the format of MCP clients: JSON with mcpServers. Repeatable.",
        ),
    ] = None,
    resource_links: Annotated[
        bool,
        typer.Option("--resource-links", help="Also give kept results as resource links, for hosts that read them."),
    ] = False,
    verbose: Verbose = False,
    *,
    listen: ListenFlags,
    settings: SettingsFlags,
) -> None:
    """Run MCP servers with coatcheck in front of them.

    Their tools pass through; large results are kept, and references to them work as arguments of their tools:

        coatcheck wrap -- npx -y @modelcontextprotocol/server-filesystem /data

        coatcheck wrap --url https://example.com/mcp --token-variable TOKEN

        coatcheck wrap --servers mcp.json
    """
    from coatcheck.cli.logs import configure_logging
    from coatcheck.cli.upstream_options import UpstreamFlags
    from coatcheck.proxy.upstreams.targets import make_connection

    configure_logging(settings.given["log_format"], verbose=verbose)
    over_stdio = listen.transport == "stdio"
    if listen.transport not in {"stdio", "streamable-http"}:
        raise SettingsError(
            f'wrap serves its clients over stdio or streamable-http, not "{excerpt(listen.transport)}".'
        )
    if settings.config is not None and settings.config.suffix.lower() in {".json", ".jsonc"}:
        raise SettingsError(f"--config is the settings file (TOML). A file of servers: --servers {settings.config}")
    sign_in: OAuthUse = "required" if oauth else "offered" if oauth is None and over_stdio else "never"
    target = UpstreamFlags(
        command or [], env or [], cwd, url, sse, header or [], token_variable, ca_file, sign_in
    ).target()
    if (target is None) == (not servers):
        raise WrongUsage(
            "Name one thing to wrap: a command after --, a --url, or --servers with a file of several servers."
        )
    listening = listen.listening(authenticated=listen.authenticates)
    open_upstream: Callable[[], UpstreamConnection]
    if target is not None:
        open_upstream = partial(make_connection, target, started=ctx.obj, verbose=verbose)
    else:
        from coatcheck.cli.servers_file import read_servers
        from coatcheck.proxy.gateway import Gateway

        open_upstream = partial(Gateway, read_servers(servers or [], sign_in))
    if over_stdio:
        from coatcheck.cli.wrap_runner import run_wrap

        raise typer.Exit(run_wrap(open_upstream, settings, resource_links=resource_links))
    from coatcheck.cli.wrap_http import run_wrap_http

    authentication = listen.authentication()
    raise typer.Exit(
        run_wrap_http(
            open_upstream, settings, listening, authentication, resource_links=resource_links, verbose=verbose
        )
    )
