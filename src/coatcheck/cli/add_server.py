"""``coatcheck add``: a new server in a client's file, wrapped from the start."""

from typing import Annotated

import typer

from coatcheck.cli.install import (
    DryRun,
    File,
    InlineLimit,
    ObjectTools,
    Ttl,
    Yes,
    apply_plan,
    complete_client,
    wrap_options,
)
from coatcheck.cli.logs import announce
from coatcheck.cli.printing import print_data, print_line
from coatcheck.cli.settings_options import PlainCommand
from coatcheck.errors import SettingsError

app = typer.Typer(rich_markup_mode=None)

_HEADER_VARIABLE = "COATCHECK_HEADER_"


@app.command(cls=PlainCommand)
def add(
    client: Annotated[
        str,
        typer.Argument(
            help="Client to add it to, by its name as in coatcheck install.",
            metavar="CLIENT",
            autocompletion=complete_client,
        ),
    ],
    name: Annotated[str, typer.Argument(help="Name of the new server.", metavar="NAME")],
    command: Annotated[
        list[str] | None, typer.Argument(help="The server's command and its arguments.", metavar="COMMAND")
    ] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="URL of the new server.", show_default=False)] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Environment variable of the command: NAME=VALUE, or NAME to pass on your own. Repeatable.",
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME: VALUE'", help="HTTP header to send to the URL, such as 'X-Api-Key: $MY_KEY'. Repeatable."
        ),
    ] = None,
    separate_stores: Annotated[
        bool, typer.Option("--separate-stores", help="Give this server a store of its own, in memory.")
    ] = False,
    inline_limit: InlineLimit = None,
    object_store_ttl: Ttl = None,
    object_tools: ObjectTools = None,
    print_only: Annotated[
        bool, typer.Option("--print", help="Only print the entry to paste, and the install link.")
    ] = False,
    dry_run: DryRun = False,
    file: File = None,
    yes: Yes = False,
) -> None:
    """Add a server to a client, wrapped from the start.

    coatcheck add cursor git -- uvx mcp-server-git

    coatcheck add vscode docs --url https://mcp.example.com/mcp --print
    """
    from coatcheck.cli.upstream_options import read_header, read_variable
    from coatcheck.installer import find_client, find_config_file, find_launcher
    from coatcheck.installer.new_entries import install_link, new_entry, snippet
    from coatcheck.installer.planning import plan_add
    from coatcheck.installer.server_entries import SHARED_STORE
    from coatcheck.proxy.upstreams.targets import UrlTarget

    known = find_client(client)
    if not name.strip() or bool(command) == (url is not None):
        raise SettingsError("Give the new server's command after --, or its --url, but not both.")
    if (env and url) or (header and not url):
        raise SettingsError("--env goes with a command, and --header with --url.")
    place = find_config_file(known, file, must_exist=False)
    words = [*find_launcher(in_project=place.in_project), "wrap", *(() if separate_stores else SHARED_STORE)]
    words += wrap_options(inline_limit=inline_limit, object_store_ttl=object_store_ttl, object_tools=object_tools)
    variables = dict(map(read_variable, env or []))
    if url is None:
        words += ["--", *(command or [])]
    else:
        words += ["--url", UrlTarget(url).url]  # refuses what is not a URL
        if any(sign in url for sign in "?@"):
            announce("user, password and query of the URL can be read in the process list; --header hides a secret.")
        for given in header or []:
            title, value = read_header(given)
            variable = _HEADER_VARIABLE + "".join(c if c.isalnum() else "_" for c in title).upper()
            variables[variable] = value
            words += ["--header", f"{title}: ${variable}"]
    entry = new_entry(known, words, variables)
    if print_only:
        print_data(snippet(known, name, entry))
        if link := install_link(known, name, entry):
            print_line(f"\n{link}")
        return
    apply_plan(plan_add(place, name, entry), dry_run=dry_run, yes=yes)
