"""``coatcheck stats``: the savings of previews, the contents of a store, and the metrics of a running server."""

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from coatcheck.cli.common_options import SettingsFlags, make_settings, store_location
from coatcheck.cli.objects import opened
from coatcheck.cli.printing import print_data, print_message, print_table
from coatcheck.cli.settings_options import SettingsCommand, settings_options
from coatcheck.errors import counted, quoted_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coatcheck.store.inventory import HeldObject
    from coatcheck.store.savings import Saving

app = typer.Typer(rich_markup_mode=None)

METRICS = "/metrics"
MOST_DAYS_SHOWN, MOST_TOOLS_SHOWN = 14, 20
BAR = 20
"""Maximum characters of a bar."""

CHARACTERS_PER_TOKEN = 4
GATEWAY, BETWEEN = "coatcheck", "__"
"""The name of a gateway, and the separator of server and tool in the names of its tools."""

Figures = dict[str, Any]


@app.command(cls=SettingsCommand)
@settings_options("object_store_backend", "redis_url", "sqlite_path", "redis_prefix")
def stats(
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A running server, such as http://127.0.0.1:8000: show what it has counted since its start.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    *,
    settings: SettingsFlags,
) -> None:
    """Show how much text previews saved, what the store holds, and what a running server has counted.

    The figures cover all servers, processes and namespaces that share the store; those of previews go back 90 days. A
    store in memory is visible only to its own server: give that server's --url. With --url, an error of the
    store does not hide the server's figures.
    """
    from coatcheck.errors import ObjectStoreUnavailable

    found: Figures = {}
    if url is None or make_settings(settings).object_store_backend != "memory":
        try:
            found |= _of_store(settings)
        except ObjectStoreUnavailable as error:
            if url is None:
                raise
            print_message(str(error))
    if url is not None:
        found["server"] = _counted(url)
    if as_json:
        print_data(json.dumps(found, indent=2) + "\n")
        return
    if "store" in found:
        print_saved(found["saved"])
        _print_holdings(found["store"])
    if "server" in found:
        _print_counted(found["server"])


def _of_store(flags: SettingsFlags) -> Figures:
    from coatcheck.store.inventory import inventory
    from coatcheck.store.savings import savings

    with opened(flags) as container:
        backend = container.backend()
        return {
            "saved": saved_figures(savings(backend)),
            "store": {"place": store_location(container.settings()), **_holdings(list(inventory(backend)))},
        }


def saved_figures(found: "Iterable[Saving]") -> Figures:
    """Sum the counts of all processes by day and by server and tool."""
    days: dict[str, Counter[str]] = {}
    tools: dict[tuple[str, str], Counter[str]] = {}
    for each in found:
        server, tool = each.server, each.tool
        if server == GATEWAY and BETWEEN in tool:  # a gateway's
            server, _, tool = tool.partition(BETWEEN)
        counts = {"results": each.results, "characters": each.characters, "shown": each.shown}
        days.setdefault(each.day, Counter()).update(counts)
        tools.setdefault((server, tool), Counter()).update(counts)
    most_first = sorted(tools.items(), key=lambda item: item[1]["shown"] - item[1]["characters"])
    return {
        "days": {day: dict(days[day]) for day in sorted(days)},
        "tools": [{"server": server, "tool": tool, **counts} for (server, tool), counts in most_first],
    }


def print_saved(found: Figures) -> None:
    """Print the result of `saved_figures`."""
    from coatcheck.store.savings import OTHER

    days, tools = found["days"], found["tools"]
    if not days:
        print_data("No result was replaced by a preview yet.\n\n")
        return
    results, saved = sum(each["results"] for each in tools), sum(map(_difference, tools))
    print_data(
        f"Kept out of contexts: {saved:,} characters, ~{saved // CHARACTERS_PER_TOKEN:,} tokens "
        f"({CHARACTERS_PER_TOKEN} characters each), of {counted(results, 'result')} on {counted(len(days), 'day')}.\n"
    )
    shown = list(days.items())[-MOST_DAYS_SHOWN:]
    most = max(_difference(each) for _, each in shown)
    _print_right(
        [[f"  {day}", f"{each['results']:,}", f"{_difference(each):,}", _bar(each, most)] for day, each in shown],
        ["  day", "results", "characters", ""],
    )
    most = max(map(_difference, tools))
    _print_right(
        [
            [
                f"  {quoted_name(each['server']) if each['server'] else '-'}",
                each["tool"] if each["tool"] == OTHER else quoted_name(each["tool"]),
                f"{each['results']:,}",
                f"{each['characters']:,} → {each['shown']:,}",
                _bar(each, most),
            ]
            for each in tools[:MOST_TOOLS_SHOWN]
        ],
        ["  server", "tool", "results", "characters", ""],
    )
    if len(tools) > MOST_TOOLS_SHOWN:
        print_data(f"  and {counted(len(tools) - MOST_TOOLS_SHOWN, 'more tool')}\n")
    print_data("\n")


def _print_right(rows: list[list[str]], head: list[str]) -> None:
    """Print a table with right-aligned numbers, from "results" to the last column but one."""
    table, first = [head, *rows], head.index("results")
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print_table(
        [[*row[:first], *(row[n].rjust(widths[n]) for n in range(first, len(row) - 1)), row[-1]] for row in table]
    )


def _difference(counts: Figures) -> int:
    return int(counts["characters"] - counts["shown"])


def _bar(counts: Figures, most: int) -> str:
    return "█" * max(round(BAR * _difference(counts) / max(most, 1)), 1)


def _holdings(held: "list[HeldObject]") -> Figures:
    created = [each.metadata.created for each in held]
    return {
        "objects": len(held),
        "bytes": sum(each.metadata.size for each in held),
        "namespaces": len({each.namespace for each in held}),
        "oldest": min(created, default=None),
        "newest": max(created, default=None),
        "tools": _by_tool(held),
    }


def _by_tool(held: "list[HeldObject]") -> dict[str, dict[str, int]]:
    objects: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for each in held:
        tool = each.metadata.tool or ""
        objects[tool] += 1
        sizes[tool] += each.metadata.size
    return {tool: {"objects": objects[tool], "bytes": size} for tool, size in sizes.most_common()}


def _counted(url: str) -> Figures:
    """Read a server's metrics; unknown ones are ``None``."""
    samples = _scrape(url)

    def total(name: str, **labels: str) -> float | None:
        found = [value for key, own, value in samples if key == name and labels.items() <= own.items()]
        return sum(found) if found else None

    tools = {own["tool"] for _, own, _ in samples if "tool" in own}
    saved, tokens = "coatcheck_context_saved_characters_total", "coatcheck_context_saved_tokens_total"
    operations = {own["operation"] for key, own, _ in samples if key == "coatcheck_store_operations_total"}
    is_open = total("coatcheck_store_breaker_open")
    return {
        "saved_characters": total(saved) or 0,
        "saved_tokens": total(tokens) or 0,
        "tools": {
            tool: {
                "kept": total("coatcheck_results_total", tool=tool, outcome="kept") or 0,
                "not_kept": total("coatcheck_results_total", tool=tool, outcome="not_kept") or 0,
                "saved_characters": total(saved, tool=tool) or 0,
                "saved_tokens": total(tokens, tool=tool) or 0,
            }
            for tool in sorted(tools, key=lambda tool: -(total(saved, tool=tool) or 0))
        },
        "operations": {
            operation: total("coatcheck_store_operations_total", operation=operation)
            for operation in sorted(operations)
        },
        "hits": total("coatcheck_store_hits_total"),
        "misses": total("coatcheck_store_misses_total"),
        "objects": total("coatcheck_store_objects"),
        "bytes": total("coatcheck_store_bytes"),
        "evictions": total("coatcheck_store_evictions_total"),
        "breaker_open": None if is_open is None else bool(is_open),
        "sandbox_stopped": total("coatcheck_sandbox_stopped_total") or 0,
    }


def _scrape(url: str) -> list[tuple[str, dict[str, str], float]]:
    import httpx2

    from coatcheck.backends import redact_url
    from coatcheck.errors import CoatcheckError, MissingExtra, SettingsError, quoted

    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        raise MissingExtra("Reading metrics needs prometheus-client: pip install 'coatcheck[metrics]'.") from None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (reading it is the check)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError("--url takes the address of a server, such as http://127.0.0.1:8000.")
    address = f"{parts.scheme}://{parts.netloc}{METRICS}"
    try:
        answer = httpx2.get(address, timeout=10.0)
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
        raise CoatcheckError(
            f"{redact_url(address)} cannot be reached ({type(error).__name__}). Check the URL and the server."
        ) from None
    if answer.status_code != httpx2.codes.OK:
        in_words = answer.headers.get("content-type", "").startswith("text/plain")
        words = quoted(answer.text.strip(), 200) if in_words else ""
        raise CoatcheckError(f"{redact_url(address)} answers with HTTP {answer.status_code}. {words}".rstrip())
    try:
        families = list(text_string_to_metric_families(answer.text))
    except ValueError:
        raise CoatcheckError(f"{redact_url(address)} gives no metrics that can be read.") from None
    samples = [(each.name, dict(each.labels), float(each.value)) for family in families for each in family.samples]
    if not any(name.startswith("coatcheck_") for name, _, _ in samples):
        raise CoatcheckError(f"{redact_url(address)} gives metrics, but none of coatcheck.")
    return samples


def _print_holdings(found: Figures) -> None:
    from coatcheck.explorer.listing import ago

    objects, namespaces = counted(found["objects"], "object"), counted(found["namespaces"], "namespace")
    print_data(f"The store ({found['place']}) holds {objects}, {found['bytes']:,} bytes, in {namespaces}.\n")
    if found["objects"]:
        now = time.time()
        oldest, newest = (ago(max(now - found[name], 0)) for name in ("oldest", "newest"))
        print_data(f"The newest is from {newest}, the oldest from {oldest}.\n")
    rows = [
        [
            f"  {quoted_name(tool) if tool else '(no tool)'}",
            counted(each["objects"], "object"),
            f"{each['bytes']:,} bytes",
        ]
        for tool, each in found["tools"].items()
    ]
    print_table(rows[:MOST_TOOLS_SHOWN])
    if len(rows) > MOST_TOOLS_SHOWN:
        print_data(f"  and {counted(len(rows) - MOST_TOOLS_SHOWN, 'more tool')}\n")


def _print_counted(found: Figures) -> None:
    print_data(
        f"Kept out of the context: {found['saved_characters']:,.0f} characters, "
        f"~{found['saved_tokens']:,.0f} tokens (4 characters each), since the server started.\n"
    )
    print_table(
        [
            [
                f"  {quoted_name(tool)}",
                f"{each['kept']:,.0f} kept, {each['not_kept']:,.0f} not kept",
                f"{each['saved_characters']:,.0f} characters",
                f"~{each['saved_tokens']:,.0f} tokens",
            ]
            for tool, each in list(found["tools"].items())[:MOST_TOOLS_SHOWN]
        ]
    )
    hits, misses = found["hits"] or 0, found["misses"] or 0
    share = f" ({hits / (hits + misses):.0%} hits)" if hits + misses else ""
    lines = [f"Reads: {hits:,.0f} hits, {misses:,.0f} misses{share}."]
    operations = ", ".join(f"{count:,.0f} {name}" for name, count in found["operations"].items())
    lines.append(f"Operations: {operations or 'none yet'}.")
    if found["objects"] is not None:
        lines.append(
            f"Held: {counted(int(found['objects']), 'object')}, {found['bytes']:,.0f} bytes; "
            f"{found['evictions']:,.0f} evicted."
        )
    if found["breaker_open"] is not None:
        words = (
            "open: the store does not answer, calls fail at once" if found["breaker_open"] else "closed: all is well"
        )
        lines.append(f"Circuit breaker: {words}.")
    if found["sandbox_stopped"]:
        lines.append(f"Sandbox: {found['sandbox_stopped']:,.0f} operations broke a limit and were stopped.")
    print_data("\n".join(lines) + "\n")
