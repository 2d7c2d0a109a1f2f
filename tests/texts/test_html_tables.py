"""The tables of HTML are lists of objects if they make up most of the page."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.explorer.texts import is_for_the_sandbox, may_be_opened, open_text

CITIES = """<!DOCTYPE html>
<html><head><style>td { color: red }</style></head><body>
<h1>Cities</h1>
<table class="wide"><caption>The largest <b>cities</b></caption>
<thead><tr><th rowspan="2">City</th><th rowspan="2">Country</th><th colspan="2">People</th></tr>
<tr><th>2010</th><th>2020</th></tr></thead>
<tbody>
<tr><td><a href="/a">Aal&amp;o</a></td><td rowspan="2">Aland</td><td>7</td><td>1,100</td></tr>
<tr><td>Bo<br>town</td><td></td><td>1,200</td></tr>
<tr><td>C<script>x < 1</script></td><td>Celand</td><td>9</td><td>-</td></tr>
</tbody></table>
<p>End</p></body></html>
"""
WITHOUT_END_TAGS = (
    "<table border=1><tr><td>name<td>qty\n" + "".join(f"<tr><td>item {n}<td>{n}\n" for n in range(3)) + "</table>"
)
ROWS = "".join(f"<tr><td>{n}</td><td>{'abc'[n]}</td></tr>" for n in range(3))
TWO = "".join(f"<h2>{n}</h2><table><tr><th>id</th><th>s</th></tr>{ROWS}</table>" for n in ("A", "A", "B"))


def opened(text: str) -> tuple[str, Any]:
    found = open_text(text, in_sandbox=True)
    return ("", None) if found is None else (found.format, found.value)


def test_cells_that_span_rows_are_repeated_and_headings_joined() -> None:
    assert opened(CITIES) == (
        "an HTML table (lines 3 to 10)",
        [
            {"City": "Aal&o", "Country": "Aland", "People 2010": 7, "People 2020": "1,100"},
            {"City": "Bo town", "Country": "Aland", "People 2010": None, "People 2020": "1,200"},
            {"City": "C", "Country": "Celand", "People 2010": 9, "People 2020": "-"},
        ],
    )


def test_end_tags_and_headings_may_be_left_out() -> None:
    assert opened(WITHOUT_END_TAGS) == ("an HTML table", [{"name": f"item {n}", "qty": n} for n in range(3)])


def test_several_tables_are_named_by_their_headings() -> None:
    form, value = opened(f"<html><body>{TWO}</body></html>")
    assert form == "3 HTML tables"
    assert list(value) == ["A", "A_2", "B"]
    assert value["B"][2] == {"id": 2, "s": "c"}


@pytest.mark.parametrize(
    "text",
    [
        CITIES.replace("End", "Much more text than table. " * 60),
        f"<html><body><table><tr><td>{'menu ' * 99}</td><td>{TWO[:100]}</table><p>words</p></td></tr></table></body></html>",
        "<html><body><h1>No table</h1></body></html>",
        "<table><tr><td>only<tr><td>one<tr><td>column<tr><td>is here</table>",
        "<table>" + "<tr><td>a</td><td colspan=1000>b</td></tr>" * 2_000 + "</table>",
        "<table><tr><td>" * 100,
    ],
    ids=["mostly words", "layout", "no table", "one column", "too many cells", "nested"],
)
def test_other_pages_stay_texts(text: str) -> None:
    assert opened(text) == ("", None)


def test_html_is_parsed_in_the_sandbox() -> None:
    assert is_for_the_sandbox(CITIES)
    assert may_be_opened(CITIES[:100])
    assert open_text(CITIES, in_sandbox=False) is None


@given(
    st.lists(
        st.sampled_from(
            [
                "<table>",
                "<tr>",
                "<td>",
                "<th rowspan=3>",
                "<td colspan=2>",
                "</table>",
                "</tr>",
                "x",
                "<!--",
                "<h2>",
                "</h2>",
                "<caption>",
                "</caption>",
                "<script>",
                "&#1",
            ]
        )
    )
)
def test_no_order_of_tags_makes_the_reader_fail(parts: list[str]) -> None:
    open_text("<table>" + "".join(parts), in_sandbox=True)
