"""What a model reads to answer questions about large results: directly, through coatcheck, and through ctxtual.

    make worth                                           # beside the last recorded run
    .venv/bin/python bench/tokens/run.py --record        # and save the figures in bench/tokens/last.json
    .venv/bin/python bench/tokens/run.py --show          # and print every text

It is a benchmark and not a test: a question whose answer is not found is reported but is not a failure.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from corpus import names, text, tool_lists  # noqa: E402
from peers import PeerMissing, programs_of  # noqa: E402
from question_client import Reading, read_previews, read_questions, tokens  # noqa: E402
from questions_records import QUESTIONS as RECORDS  # noqa: E402
from questions_texts import QUESTIONS as TEXTS  # noqa: E402

from coatcheck.arguments.input_schemas import advertise_references  # noqa: E402

LAST = HERE / "last.json"
BIN = Path(sys.executable).parent
REPLAY = [sys.executable, str(HERE / "replay_server.py")]
# The client calls without pauses, which counts as one round of parallel calls with a shared limit; a model pauses.
COATCHECK = [str(BIN / "coatcheck"), "wrap", "--round-limit", "0", "--", *REPLAY]
QUESTIONS = [*RECORDS, *TEXTS]


def main() -> None:
    """Measure all questions and print the tables."""
    options = _options()
    figures = asyncio.run(_measure(show=options.show, peer=not options.no_peer))
    last = json.loads(LAST.read_text()) if LAST.exists() else {}
    _print(figures, last)
    if options.record:
        if "ctxtual" in last:
            figures.setdefault("ctxtual", last["ctxtual"])
        LAST.write_text(json.dumps(figures, indent=1) + "\n")


async def _measure(*, show: bool, peer: bool) -> dict[str, Any]:
    direct = {name: tokens(text(name)) for name in names()}
    readings, fixed = await read_questions(COATCHECK, REPLAY, QUESTIONS)
    previews = {reading.question.result: reading.first for reading in readings}
    previews |= await read_previews(COATCHECK, [name for name in names() if name not in previews])
    if show:
        _show(readings)
    figures: dict[str, Any] = {
        "fixed": asdict(fixed),
        "questions": {reading.question.text: _figures(reading, direct) for reading in readings},
        "previews": {name: tokens(preview) for name, preview in sorted(previews.items())},
        "direct": direct,
    }
    if peer:
        try:
            command = [str(programs_of("ctxtual") / "ctxtual"), "wrap", "--log-level", "error", "--", *REPLAY]
        except PeerMissing as missing:
            print(f"{missing}\nContinuing without it.", file=sys.stderr)
        else:
            readings, fixed = await read_questions(command, REPLAY, QUESTIONS, peer=True)
            figures["ctxtual"] = {
                "fixed": asdict(fixed),
                "questions": {reading.question.text: _figures(reading, direct) for reading in readings},
            }
    return figures


def _figures(reading: Reading, direct: dict[str, int]) -> dict[str, Any]:
    return {
        "result": reading.question.result,
        "direct": direct[reading.question.result],
        "tokens": reading.tokens,
        "calls": len(reading.texts),
        "answered": reading.is_answered,
    }


def _show(readings: list[Reading]) -> None:
    for reading in readings:
        mark = "" if reading.is_answered else "NOT ANSWERED "
        print(f"\n=== {mark}{reading.question.result}: {reading.question.text}  ({reading.tokens} tokens)")
        for answer in reading.texts:
            print(f"--- {tokens(answer)} tokens\n{answer}")


def _print(figures: dict[str, Any], last: dict[str, Any]) -> None:
    """Print sums of the questions about each result, then of all."""
    peer = figures.get("ctxtual") or last.get("ctxtual") or {}
    print("| result | questions | direct | coatcheck | before | calls | before | ctxtual |")
    print("|---|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(question["result"] for question in figures["questions"].values()):
        now, before, theirs = (_questions_about(of, name) for of in (figures, last, peer))
        cells = [name, str(len(now)), f"{sum(question['direct'] for question in now):,}", _tokens(now), _tokens(before)]
        print("|", " | ".join([*cells, _calls(now), _calls(before), _tokens(theirs)]), "|")
    print("\n| | coatcheck | before | ctxtual |\n|---|---|---|---|")
    for name, total in TOTALS.items():
        print("|", name, "|", " | ".join(total(column) if column else "-" for column in (figures, last, peer)), "|")
    print(f"\nDirect, each question by itself: {sum(q['direct'] for q in figures['questions'].values()):,} tokens.")
    _print_schemas()
    for asked, question in figures["questions"].items():
        if not question["answered"]:
            print(f"Not answered: {question['result']}: {asked}")


def _print_schemas() -> None:
    """Print how much the input schemas of real servers grow, in characters of compact JSON."""
    print("\n| server | tools | input schemas | with references | of schemas | of entries |\n|---|---|---|---|---|---|")
    sums = [0, 0, 0, 0]
    for server, tools in tool_lists().items():
        before = sum(_size(tool["inputSchema"]) for tool in tools)
        after = sum(_size(advertise_references(tool["inputSchema"])) for tool in tools)
        row = [len(tools), before, after, sum(map(_size, tools))]
        sums = [total + each for total, each in zip(sums, row, strict=True)]
        print(_schema_row(server, *row))
    print(_schema_row("together", *sums))


def _schema_row(server: str, tools: int, before: int, after: int, entries: int) -> str:
    grown = after - before
    return f"| {server} | {tools} | {before:,} | {after:,} | {grown / before:+.1%} | {grown / entries:+.1%} |"


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _questions_about(figures: dict[str, Any], result: str) -> list[dict[str, Any]]:
    return [question for question in figures.get("questions", {}).values() if question["result"] == result]


def _tokens(questions: list[dict[str, Any]]) -> str:
    if not questions:
        return "-"
    missed = sum(not question["answered"] for question in questions)
    return f"{sum(question['tokens'] for question in questions):,}" + (f" ({missed} not answered)" if missed else "")


def _calls(questions: list[dict[str, Any]]) -> str:
    return str(sum(question["calls"] for question in questions)) if questions else "-"


def _each(figures: dict[str, Any], what: str, digits: int) -> str:
    return f"{sum(question[what] for question in figures['questions'].values()) / len(figures['questions']):.{digits}f}"


TOTALS = {
    "questions": lambda of: str(len(of["questions"])),
    "not answered": lambda of: str(sum(not question["answered"] for question in of["questions"].values())),
    "calls": lambda of: str(sum(question["calls"] for question in of["questions"].values())),
    "tokens read": lambda of: f"{sum(question['tokens'] for question in of['questions'].values()):,}",
    "calls a question": lambda of: _each(of, "calls", 1),
    "tokens a question": lambda of: _each(of, "tokens", 0),
    "tools and instructions, tokens": lambda of: f"{of['fixed']['own']:,}",
    "added to schemas of the server's tools, tokens": lambda of: f"{of['fixed']['schemas']:,}",
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="save these figures as the last recorded run")
    parser.add_argument("--show", action="store_true", help="print every answer")
    parser.add_argument("--no-peer", action="store_true", help="leave ctxtual out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
