"""``coatcheck install``, ``uninstall`` and ``status``: the servers that a client already has."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coatcheck.cli.login import print_sign_ins
from coatcheck.cli.logs import announce
from coatcheck.cli.printing import print_line
from coatcheck.cli.settings_options import PlainCommand
from coatcheck.errors import CoatcheckError, SettingsError, excerpt

if TYPE_CHECKING:
    from coatcheck.installer import ConfigFile, Plan, ServerState

app = typer.Typer(rich_markup_mode=None)

_CLIENTS = "claude-desktop, claude-code, cursor, vscode, windsurf, codex or gemini-cli"


def complete_client(incomplete: str) -> list[tuple[str, str]]:
    """Return the clients whose names begin so, for the shell's completion."""
    from coatcheck.installer import CLIENTS

    return [(name, client.title) for name, client in CLIENTS.items() if name.startswith(incomplete)]


ClientName = Annotated[
    str | None,
    typer.Argument(help=f"{_CLIENTS}.", metavar="CLIENT", autocompletion=complete_client, show_default=False),
]
All = Annotated[bool, typer.Option("--all", help="All clients on this machine.")]
Servers = Annotated[
    list[str] | None, typer.Option("--server", metavar="NAME", help="This server only. Repeatable.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
File = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="The client's file; by default the user's own.", show_default=False),
]
InlineLimit = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER", help="Results up to this many characters pass unchanged.", show_default=False, min=0
    ),
]
Ttl = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Seconds an object is kept; 0 or less: no expiry.", show_default=False),
]
ObjectTools = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Object tools to offer, with commas: get,slice,grep,query. All by default.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


@app.command(cls=PlainCommand)
def install(
    client: ClientName = None,
    every: All = False,
    server: Servers = None,
    separate_stores: Annotated[
        bool,
        typer.Option(
            "--separate-stores",
            help="Give each server a store of its own, in memory. By default they share one file, so that a "
            "result of one goes into tools of another and outlives a restart.",
        ),
    ] = False,
    gateway: Annotated[
        bool,
        typer.Option(
            "--gateway",
            help="Move the servers behind one entry that wraps them together, so that the object tools appear once.",
        ),
    ] = False,
    add_tools: Annotated[
        bool | None,
        typer.Option(
            "--add-tools/--no-add-tools",
            help="Add the object tools to lists of visible and approved tools in the servers' entries.",
            show_default="ask",
        ),
    ] = None,
    inline_limit: InlineLimit = None,
    object_store_ttl: Ttl = None,
    object_tools: ObjectTools = None,
    dry_run: DryRun = False,
    file: File = None,
    yes: Yes = False,
) -> None:
    """Wrap the servers that a client has.

    Only the servers' commands change; a backup is put beside the file:

        coatcheck install claude-desktop --dry-run
    """
    from coatcheck.installer import find_launcher, plan_gateway, plan_install

    if gateway and (separate_stores or add_tools):
        raise SettingsError("--separate-stores and --add-tools do not go with --gateway, which is one server.")
    options = wrap_options(inline_limit=inline_limit, object_store_ttl=object_store_ttl, object_tools=object_tools)

    def plan(found: "ConfigFile", *, tools: bool) -> "Plan":
        launcher = find_launcher(in_project=found.in_project)
        if gateway:
            return plan_gateway(found, launcher, server or [], options=options)
        shared = not separate_stores
        return plan_install(found, launcher, server or [], shared_store=shared, options=options, add_tools=tools)

    def change(found: "ConfigFile") -> None:
        planned = plan(found, tools=bool(add_tools))
        if (
            add_tools is None
            and not dry_run
            and not yes
            and sys.stdin.isatty()
            and any(outcome.hidden_tools for outcome in planned.outcomes)
        ):
            _print_outcomes(planned, dry_run=dry_run, yes=yes)
            if typer.confirm("Add the object tools to these lists?", default=True):
                planned = plan(found, tools=True)
        apply_plan(planned, dry_run=dry_run, yes=yes)

    _for_each_file(_files(client, file, every=every), change)


def wrap_options(*, object_tools: str | None, **given: float | None) -> list[str]:
    """Write settings as options of ``wrap``.

    Raises:
        SettingsError: An object tool is unknown; a client would only report that its server does not start.
    """
    if object_tools is not None:
        from coatcheck.explorer.tool_names import names_of_tools

        names_of_tools(offered=tuple(name.strip() for name in object_tools.split(",")))
    words: list[str] = []
    for name, value in {**given, "object_tools": object_tools}.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    return words


@app.command(cls=PlainCommand)
def uninstall(
    client: ClientName = None,
    every: All = False,
    server: Servers = None,
    dry_run: DryRun = False,
    file: File = None,
    yes: Yes = False,
) -> None:
    """Unwrap the servers of a client.

    A file that has not been changed since becomes byte for byte what it was; in another the changes stay.
    """
    from coatcheck.installer import plan_uninstall

    def change(found: "ConfigFile") -> None:
        plan = plan_uninstall(found, server or [])
        apply_plan(plan, dry_run=dry_run, yes=yes)
        if not dry_run and not server and any(outcome.action == "moved back" for outcome in plan.outcomes):
            others = plan_uninstall(found)  # servers outside the gateway
            if others.changes:
                apply_plan(others, dry_run=dry_run, yes=yes)

    _for_each_file(_files(client, file, every=every), change)


def _for_each_file(files: "Sequence[ConfigFile]", change: "Callable[[ConfigFile], None]") -> None:
    """Change files; a failure does not stop the others."""
    if len(files) == 1:
        change(files[0])
        return
    failed = False
    for file in files:
        try:
            change(file)
        except CoatcheckError as error:
            announce(str(error))
            failed = True
    if failed:
        raise typer.Exit(1)


def _files(client: str | None, file: Path | None, *, every: bool) -> list["ConfigFile"]:
    """Return the selected files; raises ``CoatcheckError`` if none is selected, or there is none."""
    from coatcheck.installer import CLIENTS, config_files_of, find_client, find_config_file

    if client is not None and not every:
        return [find_config_file(find_client(client), file)]
    if client is not None or file is not None:
        raise SettingsError("Name a client, or --all for the user's files of all clients; --file goes with a client.")
    here = [found for known in CLIENTS.values() if (found := config_files_of(known)[0]).path.is_file()]
    if every:
        if not here:
            raise CoatcheckError(f"There is no file of a client on this machine. Known clients: {', '.join(CLIENTS)}.")
        return here
    names = {found.client.name for found in here}
    lines = [
        f"  {name:<16}{known.title}{' (on this machine)' if name in names else ''}" for name, known in CLIENTS.items()
    ]
    raise SettingsError("Name a client, or --all:\n" + "\n".join(lines))


def _print_outcomes(plan: "Plan", *, dry_run: bool, yes: bool) -> None:
    tense = "would be " if dry_run else "" if yes else "will be "
    for outcome in plan.outcomes:
        changes = outcome.action not in {"unchanged", "left alone"}
        action = f"{tense}{outcome.action}" if changes else outcome.action
        print_line(f"{outcome.label}: {action}{f' ({outcome.reason})' if outcome.reason else ''}")
        if outcome.hidden_tools:
            print_line(f"  note: {outcome.hidden_tools}; --add-tools adds them")
        if outcome.note:
            print_line(f"  note: {outcome.note}")


def apply_plan(plan: "Plan", *, dry_run: bool, yes: bool) -> None:
    """Print the changes of a plan, ask for confirmation, and carry it out."""
    from coatcheck.installer import carry_out

    _print_outcomes(plan, dry_run=dry_run, yes=yes)
    if not plan.changes:
        none = "" if plan.outcomes else f"; it has no servers under {'.'.join(plan.file.client.servers[0])}"
        print_line(f"{plan.file.path}: nothing to change{none}.")
        if not dry_run:
            carry_out(plan)
        return
    print_line(_difference(plan))
    if dry_run:
        print_line(f"{plan.file.path} was not changed: this was a dry run.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise SettingsError(
                "Nothing was changed: stdin is not a terminal, so this cannot be confirmed; add --yes, or --dry-run to "
                "look."
            )
        typer.confirm(f"Change {plan.file.path}?", abort=True)
    notes = carry_out(plan)
    print_line(f"{plan.file.path} is changed. Restart {plan.file.client.title} to apply it.")
    for note in notes:
        print_line(note)


def _difference(plan: "Plan") -> str:
    from coatcheck.installer.change_preview import show_changes

    return show_changes(plan.trees, plan.edits, plan.file.client, str(plan.file.path))


@app.command(cls=PlainCommand)
def status(
    client: Annotated[
        str | None,
        typer.Argument(help=f"{_CLIENTS}; by default all.", metavar="CLIENT", autocompletion=complete_client),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Test whether each wrapped server that is not disabled starts, also those behind a gateway.",
        ),
    ] = False,
    file: File = None,
) -> None:
    """Show which servers clients have, which of them are wrapped, and where you are signed in.

    The exit code is 1 when a file is malformed or, with --check, a server does not start.
    """
    from coatcheck.installer import CLIENTS, config_files_of, find_client, find_config_file

    if file is not None and client is None:
        raise SettingsError("--file needs the client whose file it is: name the client too.")
    works = True
    for known in [find_client(client)] if client is not None else CLIENTS.values():
        files = [find_config_file(known, file)] if file is not None else config_files_of(known)
        found = [each for each in files if each.path.is_file()]
        print_line(known.title + ("" if found else f": no file {files[0].path}"))
        for each in found:
            works = _print_file(each, check=check) and works
    if client is None:
        print_sign_ins()
    if not works:
        raise typer.Exit(1)


def _print_file(file: "ConfigFile", *, check: bool) -> bool:
    """Print a file's servers; return whether there was no problem."""
    from coatcheck.installer import states_of
    from coatcheck.installer.gateway_entry import gateway_file, read_moved

    print_line(f"  {file.path}")
    try:
        states = states_of(file)
    except CoatcheckError as error:
        print_line(f"    {error}")
        return False
    if not states:
        print_line("    no servers")
    width = max((len(state.label) for state in states), default=0)
    results = [_print_server(state, width, check=check) for state in states]
    _hint_at_stores(states)
    moved = read_moved(gateway_file(file))
    if moved and not check:
        print_line(f"    behind the gateway: {', '.join(map(excerpt, moved))}")
    elif moved:
        print_line("    behind the gateway:")
        width = max(len(excerpt(name)) for name in moved)
        results += [_print_start(f"      {excerpt(name):<{width}}  ", entry) for name, entry in moved.items()]
    return all(results)


def _hint_at_stores(states: "Sequence[ServerState]") -> None:
    separate = [state.label for state in states if state.wrapped and not state.shares_store]
    if separate and len([state for state in states if state.wrapped]) > 1:
        print_line(
            f"    {', '.join(separate)} {'has' if len(separate) == 1 else 'have'} a store of their own: "
            "references of other servers do not work there. uninstall and install gives all of them one store."
        )


def _print_server(state: "ServerState", width: int, *, check: bool) -> bool:
    if state.wrapped:
        what = "wrapped, shared store" if state.shares_store else "wrapped"
    else:
        what = "not wrapped (at a URL)" if state.kind == "url" else "not wrapped"
    line = f"    {state.label:<{width}}  {what}{', disabled' if state.disabled else ''}"
    if not check or not state.wrapped or state.disabled:
        print_line(line)
        return True
    return _print_start(f"{line}, ", state.entry)


def _print_start(line: str, entry: Any) -> bool:
    """Start a server and print whether it does behind ``line``; whether nothing is wrong with it."""
    from coatcheck.installer.server_start import try_start

    start = try_start(entry)
    result = {True: "starts", False: "does not start", None: "was not started"}[start.works]
    print_line(f"{line}{result}: {start.says}")
    return start.works is not False
