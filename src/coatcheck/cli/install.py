"""``coatcheck install``, ``uninstall`` and ``status``: the servers that a client already has."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coatcheck.errors import CoatcheckError, SettingsError

if TYPE_CHECKING:
    from coatcheck.installer import Place, Plan, ServerState

_CLIENTS = "claude-desktop, claude-code, cursor, vscode, windsurf, codex or gemini-cli"

ClientName = Annotated[str, typer.Argument(help=f"{_CLIENTS}.", metavar="CLIENT")]
Servers = Annotated[
    list[str] | None, typer.Option("--server", help="This server only. Repeatable.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
File = Annotated[
    Path | None,
    typer.Option("--file", help="The client's file; by default the user's own.", show_default=False),
]
SharedStore = Annotated[
    bool,
    typer.Option(
        "--shared-store",
        help="Let these servers keep their objects in one file, so that a result of one goes into tools of another "
        "and outlives a restart.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def install(
    client: ClientName,
    server: Servers = None,
    shared_store: SharedStore = False,
    dry_run: DryRun = False,
    file: File = None,
    yes: Yes = False,
) -> None:
    """Put coatcheck in front of the servers that a client has.

    Only the servers' commands change; a backup is laid beside the file:

        coatcheck install claude-desktop --dry-run
    """
    from coatcheck.installer import find_client, find_launcher, place_of, plan_install

    place = place_of(find_client(client), file)
    launcher = find_launcher(shared=place.shared)
    _go_on(plan_install(place, launcher, server or [], shared_store=shared_store), dry_run=dry_run, yes=yes)


def uninstall(
    client: ClientName, server: Servers = None, dry_run: DryRun = False, file: File = None, yes: Yes = False
) -> None:
    """Take coatcheck away from the servers of a client.

    A file that nobody has changed since becomes, byte for byte, what it was; in another the changes stay.
    """
    from coatcheck.installer import find_client, place_of, plan_uninstall

    _go_on(plan_uninstall(place_of(find_client(client), file), server or []), dry_run=dry_run, yes=yes)


def _go_on(plan: "Plan", *, dry_run: bool, yes: bool) -> None:
    """Say what a plan does, ask, and do it."""
    from coatcheck.installer import carry_out

    for outcome in plan.outcomes:
        typer.echo(f"{outcome.label}: {outcome.did}{f' ({outcome.reason})' if outcome.reason else ''}")
    if not plan.changes:
        typer.echo(f"{plan.place.path}: nothing to change.")
        if not dry_run:
            carry_out(plan)
        return
    typer.echo(_difference(plan))
    if dry_run:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise SettingsError("There is nobody to ask whether this is right: add --yes, or --dry-run to only look.")
        typer.confirm(f"Change {plan.place.path}?", abort=True)
    said = carry_out(plan)
    typer.echo(f"{plan.place.path} is changed. Start {plan.place.client.title} anew for this to count.")
    for line in said:
        typer.echo(line)


def _difference(plan: "Plan") -> str:
    from coatcheck.installer.masking import show_changes

    texts = plan.before.decode(), plan.after.decode()
    return show_changes(*texts, plan.place.client, str(plan.place.path))


def status(
    client: Annotated[str | None, typer.Argument(help=f"{_CLIENTS}; by default all.", metavar="CLIENT")] = None,
    check: Annotated[bool, typer.Option("--check", help="Start each wrapped server to see whether it does.")] = False,
    file: File = None,
) -> None:
    """Tell which servers clients have, and which of them coatcheck stands in front of.

    The exit code is 1 when a file is malformed or, with --check, a server does not start.
    """
    from coatcheck.installer import CLIENTS, find_client, place_of, places_of

    if file is not None and client is None:
        raise SettingsError("--file wants to know whose file it is: name the client too.")
    works = True
    for known in [find_client(client)] if client is not None else CLIENTS.values():
        places = [place_of(known, file)] if file is not None else places_of(known)
        found = [place for place in places if place.path.is_file()]
        typer.echo(known.title + ("" if found else f": no file {places[0].path}"))
        for place in found:
            works = _tell(place, check=check) and works
    if not works:
        raise typer.Exit(1)


def _tell(place: "Place", *, check: bool) -> bool:
    """Print a file's servers; whether all is well with them."""
    from coatcheck.installer import states_of

    typer.echo(f"  {place.path}")
    try:
        states = states_of(place)
    except CoatcheckError as error:
        typer.echo(f"    cannot be read: {error}")
        return False
    if not states:
        typer.echo("    no servers")
    width = max((len(state.label) for state in states), default=0)
    results = [_tell_server(state, width, check=check) for state in states]
    return all(results)


def _tell_server(state: "ServerState", width: int, *, check: bool) -> bool:
    if state.wrapped:
        what = "wrapped, shared store" if state.shares_store else "wrapped"
    else:
        what = "not wrapped (at a URL)" if state.kind == "url" else "not wrapped"
    line = f"    {state.label:<{width}}  {what}"
    if not (check and state.wrapped):
        typer.echo(line)
        return True
    from coatcheck.installer.starting import try_start

    start = try_start(state)
    result = {True: "starts", False: "does not start", None: "was not started"}[start.works]
    typer.echo(f"{line}, {result}: {start.says}")
    return start.works is not False
