"""Records with many, deep or long fields: all names that fit are listed, and no ellipsis is longer than what it replaces."""

import re
from typing import Any

from coatcheck.explorer.previews import Subject, render


def preview(value: Any, limit: int = 4000) -> str:
    return render(value, Subject("@obj_1", 90_000), limit).text


def test_a_text_is_not_cut_if_the_ellipsis_would_be_as_long_as_the_rest() -> None:
    record = {f"a_name_of_23_letters_{n:03}": "2025-03-01T00:00:00" for n in range(60)}
    text = preview([record] * 50)
    assert not re.search(r"\(\+[0-9] characters\)", text)
    assert '"a_name_of_23_letters_000":"2025-03-01T00:00:00"' in text


def test_the_fields_of_a_nested_object_are_named_if_their_types_do_not_fit() -> None:
    fields = {"summary": "x", "nothing_1": None, "status": {"name": "a"}} | {f"custom_{n}": None for n in range(50)}
    fields |= {f"other_field_of_an_issue_{n}": {"value": n, "text": "x"} for n in range(20)}
    text = preview({"issues": [{"id": n, "fields": {**fields, "points": n}} for n in range(60)]})
    assert "other_field_of_an_issue_0" in text


def test_of_many_fields_non_empty_ones_come_first_and_few_others_are_named() -> None:
    row = {"id": 1} | {f"custom_{n}": None for n in range(60)} | {"name": "x"}
    text = preview([{**row, "id": n} for n in range(50)])
    assert "{id: integer, name: string, custom_0: null, custom_1: null, custom_2: null, …" in text
    assert '[0]: {"id":0,"name":"x","custom_0":null' in text
    assert 'filter="map({id, name})' in text


def test_objects_around_a_list_do_not_hide_the_fields_of_its_items() -> None:
    edge = {"node": {"name": "a", "issues": {"total": 1, "edges": [{"node": {"number": 1}}]}}}
    text = preview({"data": {"organization": {"repositories": {"total": 30, "edges": [edge] * 30}}}})
    assert "issues: {total: integer, edges: [" in text


def test_many_sections_are_named_on_one_line_and_the_first_is_shown() -> None:
    text = preview({f"service_{n}": {f"port_{n}": n, f"host_{n}": "h" * 20} for n in range(60)})
    assert "Shape: {service_0, service_1, service_2, " in text
    assert '.service_0: {"port_0":0,"host_0":"hhhhhhhhhhhhhhhhhhhh"}' in text
    assert "Top level" not in text


def test_many_optional_fields_share_lines() -> None:
    rows = [{"id": n} | {f"field_{k}": "x" for k in range(12) if (n + k) % 3} for n in range(60)]
    assert "field_1?, field_2?, field_4?, field_5?, field_7?, " in preview(rows)


def test_the_last_of_many_long_records_is_abbreviated() -> None:
    rows = [{"id": n, "name": f"name {n}", "body": "word " * 60, "more": "word " * 60} for n in range(90)]
    last = next(line for line in preview(rows).splitlines() if line.startswith("[89]: "))
    assert '"id":89,"name":"name 89"' in last
    assert len(last) < 200


def test_the_first_items_of_long_lists_of_numbers_are_shown() -> None:
    text = preview([[n / 7 for n in range(60)] for _ in range(90)])
    assert "…+48 items]" in text


def test_fields_with_long_opaque_values_are_not_suggested() -> None:
    rows = [{"Id": f"{n:064x}", "Name": f"n{n}", "Count": n, "Size": -n} for n in range(40)]
    assert 'filter="map({Name, Count, Size}) | .[:20]"' in preview(rows)
