"""``coatcheck objects``: read stored objects, store a file, delete objects."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from coatcheck.cli.common_options import SettingsFlags, WrongUsage, make_settings, store_location
from coatcheck.cli.logs import warnings_as_messages
from coatcheck.cli.printing import print_data, print_message, print_table
from coatcheck.cli.settings_options import SettingsCommand, settings_options
from coatcheck.errors import quoted_name
from coatcheck.user_folders import read_user_file

MAX_PUT_BYTES = 1 << 30
"""Longest file that is read, in bytes."""

NOT_FOUND, USAGE = 1, 2

_over_a_store = settings_options("object_store_backend", "redis_url", "sqlite_path", "redis_prefix")

_objects = typer.Typer(
    help="Look at stored objects, in the file or the Redis where servers keep them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app = typer.Typer(rich_markup_mode=None)
app.add_typer(_objects, name="objects")

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        metavar="NAME",
        help="Namespace of the objects, as `ls --all-namespaces` shows it. "
        "[default: those of servers over stdio, and of scripts]",
        show_default=False,
    ),
]
Target = Annotated[
    str, typer.Argument(help="An id, with or without @, and a path if wanted: obj_1.items[3].", metavar="ID")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@_objects.command(cls=SettingsCommand, short_help="List objects, newest first.")
@_over_a_store
def ls(
    namespace: Namespace = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", help="List the objects of all namespaces.")
    ] = False,
    as_json: AsJson = False,
    *,
    settings: SettingsFlags,
) -> None:
    """List objects, newest first: id, type, size, tool, age."""
    if all_namespaces and namespace is not None:
        raise WrongUsage("--namespace and --all-namespaces exclude each other.")
    from coatcheck.explorer.listing import ago
    from coatcheck.store.inventory import inventory

    with opened(settings) as container:
        wanted = None if all_namespaces else namespace or ""
        found = sorted(inventory(container.backend(), wanted), key=lambda held: -held.metadata.created)
        place = store_location(container.settings())
        is_file = container.settings().object_store_backend == "sqlite"
    now = time.time()
    if as_json:
        rows = [
            {
                "id": held.object_id,
                "namespace": held.namespace,
                "type": held.metadata.type,
                "length": held.metadata.length,
                "bytes": held.metadata.size,
                "tool": held.metadata.tool,
                "created": held.metadata.created,
            }
            for held in found
        ]
        print_data(json.dumps(rows, indent=2) + "\n")
        return
    if not found:
        here = f"in the namespace {namespace}" if namespace else "here" if all_namespaces else "in your namespace"
        more = [
            *([] if all_namespaces else ["--all-namespaces lists those of all callers"]),
            "--object-store-backend, --sqlite-path and --redis-url select another store",
            *(["the cache folder depends on XDG_CACHE_HOME and HOME"] if is_file else []),
        ]
        print_message(f"no objects are stored {here}, in {place}. {'; '.join(more)}")
    print_table(
        [
            [
                f"@{held.object_id}",
                *([quoted_name(held.namespace) if held.namespace else "-"] if all_namespaces else []),
                held.metadata.type + ("" if held.metadata.length is None else f" of {held.metadata.length:,}"),
                f"{held.metadata.size:,} bytes",
                quoted_name(held.metadata.tool) if held.metadata.tool else "-",
                ago(max(now - held.metadata.created, 0)),
            ]
            for held in found
        ]
    )


@_objects.command(cls=SettingsCommand, short_help="Show what an object is: its structure and samples.")
@_over_a_store
def show(
    target: Target,
    namespace: Namespace = None,
    *,
    settings: SettingsFlags,
) -> None:
    """Show what an object or a part of it is: all of it where it is small, else its structure and samples."""
    with _exploring(settings, namespace) as explorer:
        print_data(explorer.preview(target) + "\n")


@_objects.command(cls=SettingsCommand, short_help="Print a value, raw and whole.")
@_over_a_store
def get(
    target: Target,
    as_json: AsJson = False,
    namespace: Namespace = None,
    *,
    settings: SettingsFlags,
) -> None:
    """Print an object or a part of it, raw and whole: a text unchanged, bytes in base64, anything else as JSON."""
    from coatcheck.codec import dump_json

    with _exploring(settings, namespace) as explorer:
        if as_json:
            print_data(dump_json(explorer.resolve(target)))
        else:
            print_data(explorer.resolve(target, as_text=True))


@_objects.command(cls=SettingsCommand, short_help="Find a regular expression in an object.")
@_over_a_store
def grep(
    pattern: Annotated[str, typer.Argument(help="A regular expression.", metavar="PATTERN")],
    target: Target,
    ignore_case: Annotated[bool, typer.Option("--ignore-case", "-i", help="Ignore case.")] = False,
    context: Annotated[
        int, typer.Option("--context", "-C", min=0, metavar="NUMBER", help="Lines to show around each match.")
    ] = 0,
    limit: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Maximum number of matches to show.")] = 1000,
    namespace: Namespace = None,
    *,
    settings: SettingsFlags,
) -> None:
    """Find a regular expression in a text's lines, or in the keys and values of a structure.

    The exit code is 1 when nothing matches.
    """
    _check_order("grep PATTERN ID", pattern, target)
    with _exploring(settings, namespace) as explorer:
        wanted = {"pattern": pattern, "case_sensitive": not ignore_case, "context": context, "most": limit}
        answer = explorer.run("search", target, **wanted)
    if not answer.facts.get("matches"):
        print_message(answer.text)
        raise typer.Exit(NOT_FOUND)
    print_data(answer.text + "\n")


@_objects.command(cls=SettingsCommand, short_help="Run a jq filter on an object.")
@_over_a_store
def query(
    filter: Annotated[str, typer.Argument(help="A jq filter.", metavar="FILTER")],  # noqa: A002
    target: Target,
    namespace: Namespace = None,
    *,
    settings: SettingsFlags,
) -> None:
    """Run a jq filter on an object or a part of it and print its whole result; a text without quotes."""
    _check_order("query FILTER ID", filter, target)
    with _exploring(settings, namespace) as explorer:
        answer = explorer.run("query", target, filter=filter)
    for note in answer.facts.get("notes", []):
        print_message(note)
    print_data((answer.payload or b"") + b"\n")


@_objects.command(cls=SettingsCommand, short_help="Store a file.")
@_over_a_store
def put(
    file: Annotated[Path, typer.Argument(help="The file; - for standard input.", metavar="FILE")],
    namespace: Namespace = None,
    *,
    settings: SettingsFlags,
) -> None:
    """Store a file and print its reference, to be given to any tool in place of the file's content.

    UTF-8 is stored as text, anything else as bytes in base64.
    """
    with _exploring(settings, namespace) as explorer:
        try:
            is_input = str(file) == "-"
            content = sys.stdin.buffer.read(MAX_PUT_BYTES + 1) if is_input else read_user_file(file, MAX_PUT_BYTES)
        except OSError as error:
            raise WrongUsage(f"{file} cannot be read: {error.strerror}.") from None
        if len(content) > MAX_PUT_BYTES:
            raise WrongUsage(f"Standard input has more than {MAX_PUT_BYTES:,} bytes.")
        try:
            value: str | bytes = content.decode()
        except UnicodeDecodeError:
            value = content
        print_data(f"@{explorer.store.put(value, tool='coatcheck objects put')}\n")


@_objects.command(cls=SettingsCommand, short_help="Remove objects.")
@_over_a_store
def rm(
    targets: Annotated[list[str], typer.Argument(help="Ids, with or without @.", metavar="ID")],
    namespace: Namespace = None,
    *,
    settings: SettingsFlags,
) -> None:
    """Remove objects. The exit code is 1 if one of them does not exist; the others are still removed."""
    missing = 0
    with _exploring(settings, namespace) as explorer:
        from coatcheck.references import parse_target

        references = [parse_target(target) for target in targets]
        for reference in references:
            if reference.path:
                raise WrongUsage(f"{reference} is a part; objects are removed as a whole.")
        for reference in references:
            if explorer.store.delete(reference.object_id):
                print_message(f"removed {reference}")
            else:
                missing += 1
                print_message(f"{reference} not found")
    if missing:
        raise typer.Exit(NOT_FOUND)


@contextmanager
def opened(flags: SettingsFlags) -> Iterator[Any]:
    """Open a container over the servers' store, and close it at the end."""
    import anyio

    from coatcheck.containers import Container
    from coatcheck.errors import FilterError, PatternError, ReferenceSyntaxError, SettingsError

    settings = make_settings(flags)
    if settings.object_store_backend == "memory":
        raise SettingsError(
            "Objects in memory can be seen only by the process that keeps them. Run the server with "
            "--object-store-backend sqlite or redis, and repeat the option here (or COATCHECK_OBJECT_STORE_BACKEND). "
            "`coatcheck stats --url` shows what a server over HTTP has counted."
        )
    with warnings_as_messages():
        container = Container(settings=settings)
        try:
            yield container
        except (ReferenceSyntaxError, PatternError, FilterError) as error:
            _refuse(str(error))
        finally:
            anyio.run(container.exit_stack().aclose)


@contextmanager
def _exploring(flags: SettingsFlags, namespace: str | None) -> Iterator[Any]:
    """Open an explorer of a namespace with unlimited answers."""
    from coatcheck.errors import CoatcheckError, ObjectNotFound
    from coatcheck.store.object_store import ObjectStore

    with opened(flags) as container:
        settings = container.settings()
        store = ObjectStore(
            container.backend(),
            settings.object_store_ttl,
            namespace=lambda: namespace or "",
            max_object_bytes=settings.max_object_bytes,
        )
        with container.store.override(store):
            try:
                yield container.explorer(response_limit=sys.maxsize)
            except ObjectNotFound as error:
                where = f" in the namespace {namespace}" if namespace else ""
                raise CoatcheckError(
                    f"@{error.object_id} not found{where} in {store_location(settings)}: "
                    "`coatcheck objects ls` lists what is there."
                ) from None


def _check_order(usage: str, first: str, target: str) -> None:
    """Refuse arguments in the wrong order."""
    if _is_reference(first) and not _is_reference(target):
        raise WrongUsage(f"The id comes last: coatcheck objects {usage}.")


def _is_reference(text: str) -> bool:
    from coatcheck.errors import ReferenceSyntaxError
    from coatcheck.references import parse_target

    try:
        parse_target(text)
    except ReferenceSyntaxError:
        return False
    return True


def _refuse(text: str) -> NoReturn:
    print_message(text)
    raise typer.Exit(USAGE)
