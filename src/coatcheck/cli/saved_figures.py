"""The savings of previews by day, server and tool, as numbers and as tables with bars."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from coatcheck.cli.printing import print_data, print_table
from coatcheck.errors import counted, quoted_name
from coatcheck.store.savings import OTHER, Saving

MOST_DAYS_SHOWN, MOST_TOOLS_SHOWN = 14, 20
BAR = 20
"""Maximum characters of a bar."""

CHARACTERS_PER_TOKEN = 4
GATEWAY, BETWEEN = "coatcheck", "__"
"""The name of a gateway, and the separator of server and tool in the names of its tools."""

Figures = dict[str, Any]


def saved_figures(found: Iterable[Saving]) -> Figures:
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
        print_data(f"  and {len(tools) - MOST_TOOLS_SHOWN:,} more tools\n")
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
