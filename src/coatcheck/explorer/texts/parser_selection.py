"""Selects the parser of a text."""

import re

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.csv_tables import looks_like_table, open_table
from coatcheck.explorer.texts.field_blocks import looks_like_blocks, looks_like_calendar, open_blocks, open_calendar
from coatcheck.explorer.texts.html_tables import looks_like_html_tables, may_have_tables, open_html_tables
from coatcheck.explorer.texts.json_documents import open_cut_json, open_json, open_json_inside
from coatcheck.explorer.texts.line_records import looks_like_records, open_records
from coatcheck.explorer.texts.mail_text import looks_like_mailbox, open_mailbox
from coatcheck.explorer.texts.opened_text import BYTE_ORDER_MARK, Opened
from coatcheck.explorer.texts.outlines import SUMMARISED
from coatcheck.explorer.texts.printed_tables import looks_printed, open_printed_table
from coatcheck.explorer.texts.python_literals import looks_like_python, open_python_literal
from coatcheck.explorer.texts.text_formats import recognise
from coatcheck.explorer.texts.toml_and_ini import (
    looks_like_assignments,
    looks_like_toml_or_ini,
    open_assignments,
    open_toml_or_ini,
)
from coatcheck.explorer.texts.xml_text import looks_like_xml, open_xml
from coatcheck.explorer.texts.yaml_text import MOST_CHARACTERS, looks_like_yaml, open_yaml_text

SMALL = 64 * 1024
"""Characters up to which a text with a harmless parser is parsed in this process."""
HEAD = 4000
"""Characters of the start of a text by which its format is recognised."""
MOST_OF_LINES = 2_000_000
"""Characters of records, blocks and printed tables that are read, half a second at the most; longer ones stay text."""
LIKE_BLOCKS = {"", "indented sections"}
"""What a text of blocks of named values looks like otherwise."""
_PYTHON_START = late_pattern(r"\s*[\[({]{1,3}'")
_JSON_BLOCK = late_pattern(r"^\s*\"?[\[{]", re.MULTILINE)


def open_text(text: str, *, in_sandbox: bool) -> Opened | None:
    """Return the list or dict that a text represents; ``None`` if it is plain text.

    ``in_sandbox``: use the parsers that a hostile text can make slow or memory-hungry (Python, YAML).

    Raises:
        ArgumentRejected: It is a document that expands to too much.
    """
    text = text.removeprefix(BYTE_ORDER_MARK)
    found = open_json(text)
    if found is None and in_sandbox and looks_like_python(text):
        found = open_python_literal(text)
    if found is None and len(text) <= MOST_OF_LINES and looks_like_records(text[:HEAD]):
        found = open_records(text)  # before tables: a position has a comma too
    if found is None and looks_like_table(text[:HEAD]):
        found = open_table(text)
    if found is None and in_sandbox and looks_like_yaml(text):
        value = open_yaml_text(text)
        found = None if value is None else Opened(value, "YAML")
    if found is None:
        found = _by_lines(text, in_sandbox=in_sandbox) or open_cut_json(text) or open_json_inside(text)
    return found


def _by_lines(text: str, *, in_sandbox: bool) -> Opened | None:
    """Parse the formats that the form of the first lines identifies."""
    head = text[:HEAD]
    if len(text) > MOST_OF_LINES:
        return None
    if in_sandbox and (found := open_html_tables(text)) is not None:
        return found
    if in_sandbox and looks_like_mailbox(head):
        return open_mailbox(text)
    if in_sandbox and looks_like_xml(text):
        return open_xml(text)
    if in_sandbox and looks_like_toml_or_ini(head):
        return open_toml_or_ini(text)
    if looks_like_assignments(head) and (found := open_assignments(text)) is not None:
        return found
    if looks_printed(head) and (found := open_printed_table(text)) is not None:
        return found
    if looks_like_calendar(head):
        return open_calendar(text)
    return open_blocks(text) if looks_like_blocks(head) and recognise(text) in LIKE_BLOCKS else None


def name_format(start: str) -> str:
    """Name a text's format by its start; ``""`` if it is unknown."""
    start = start.removeprefix(BYTE_ORDER_MARK)
    lines = start[: start.rfind("\n") + 1]  # the rest may be cut off
    found = (open_json(lines) or (open_table(lines) if looks_like_table(start) else None)) if lines else None
    if found is not None:
        return found.format
    if _PYTHON_START.match(start):
        return "Python repr"
    if start.lstrip()[:1] in {"{", "["} and not recognise(start):
        return "JSON"
    return "YAML" if looks_like_yaml(lines) else recognise(f"{start}>")  # as if a tag ended where it is cut


def why_unopened(text: str) -> str:
    """Explain why a text that looks like a document stays plain text; ``""`` for all other text."""
    if len(text) > MOST_CHARACTERS and looks_like_yaml(text[:HEAD]):
        return f"Longer than the {MOST_CHARACTERS:,} characters of YAML that are read, so it is worked on as plain text"
    return ""


def is_for_the_sandbox(text: str) -> bool:
    """Whether parsing a text could take long, so that it is done in the sandbox."""
    head = text[:HEAD].removeprefix(BYTE_ORDER_MARK)
    if looks_like_python(text) or looks_like_yaml(head) or looks_like_toml_or_ini(head):
        return True
    if looks_like_xml(text) or looks_like_html_tables(text) or looks_like_mailbox(head):
        return True
    if len(text) <= SMALL:
        return False
    return _JSON_BLOCK.search(head) is not None or _are_records(head) or recognise(text) in SUMMARISED


def _are_records(head: str) -> bool:
    return (
        looks_like_table(head)
        or looks_like_assignments(head)
        or looks_printed(head)
        or looks_like_records(head)
        or looks_like_blocks(head)
        or looks_like_calendar(head)
    )


def may_be_opened(head: str) -> bool:
    """Whether a text with this start may be a document or a table."""
    head = head.removeprefix(BYTE_ORDER_MARK)
    return (
        _JSON_BLOCK.search(head) is not None
        or looks_like_yaml(head)
        or looks_like_toml_or_ini(head)
        or looks_like_xml(f"{head}>")  # as if a tag ended where it is cut
        or may_have_tables(head)
        or looks_like_mailbox(head)
        or _are_records(head)
    )
