"""Insertions into any file can be removed again."""

import json
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from coatcheck.installer import CLIENTS
from coatcheck.installer.change_preview import show_changes
from coatcheck.installer.client_registry import parse_config
from coatcheck.installer.json_spans import parse_json
from coatcheck.installer.text_spans import Edit, apply, quoted, reverse
from coatcheck.installer.toml_spans import parse_toml
from tests.installer.conftest import is_same_config, unwrap_text, wrap_text

SPACE = st.sampled_from(["", " ", "\n", "\r\n\t", "  ", "\n    "])
GAP = st.one_of(SPACE, st.sampled_from([' /* , ] } " */ ', '// it\'s "one"\n', "\n// two\r\n  "]))
WORDS = st.one_of(st.text(max_size=8), st.sampled_from(["wrap", "--", "coatcheck", "--url", "-y"])).filter(
    lambda text: text.isprintable() or text.isascii()
)
NAMES = st.sampled_from(["a", "b c", "é", "wrap", "x.y", '"'])


@st.composite
def json_texts(draw, value):
    """Writes a value with unusual whitespace, comments and trailing commas."""

    def write(inner):
        if isinstance(inner, dict):
            parts = [
                f"{draw(GAP)}{write(key)}{draw(GAP)}:{draw(GAP)}{write(item)}{draw(GAP)}" for key, item in inner.items()
            ]
            return "{" + ",".join(parts) + (draw(st.sampled_from(["", ","])) if parts else "") + draw(GAP) + "}"
        if isinstance(inner, list):
            parts = [f"{draw(GAP)}{write(item)}{draw(GAP)}" for item in inner]
            return "[" + ",".join(parts) + (draw(st.sampled_from(["", ","])) if parts else "") + draw(GAP) + "]"
        return json.dumps(inner, ensure_ascii=draw(st.booleans()))

    return draw(GAP) + write(draw(value)) + draw(GAP)


SERVERS = st.dictionaries(
    NAMES,
    st.one_of(
        st.fixed_dictionaries(
            {"command": WORDS},
            optional={"args": st.lists(WORDS, max_size=3), "env": st.dictionaries(NAMES, WORDS), "x": st.none()},
        ),
        st.fixed_dictionaries(
            {"url": st.sampled_from(["https://example.com/mcp", "http://localhost/sse", "http://h/?key=1"])},
            optional={
                "headers": st.dictionaries(st.sampled_from(["A", "X-Key", "x-key"]), WORDS),
                "type": st.just("http"),
            },
        ),
    ),
    max_size=4,
)
FILES = st.fixed_dictionaries(
    {"mcpServers": SERVERS}, optional={"other": st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none())}
)


@given(json_texts(FILES))
def test_insertions_into_any_json_can_be_removed_again(text):
    client = CLIENTS["cursor"]
    wrapped = wrap_text(text, client)
    assert is_same_config(text, wrapped.text, client)
    assert unwrap_text(wrapped.text, client, text) == text
    assert wrap_text(wrapped.text, client).text == wrapped.text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).flatmap(lambda value: st.tuples(st.just(value), json_texts(st.just(value))))
)
def test_json_is_read_like_the_standard_library(pair):
    value, text = pair
    assert parse_json(text).root.value() == value


def toml_key(name):
    return name if name.isascii() and name.isalnum() else quoted(name)


@st.composite
def toml_texts(draw):
    """Writes servers as tables, inline tables and dotted keys."""
    lines, tables, end = ["# head", "[mcp_servers]"], [], draw(st.sampled_from(["\n", "\r\n"]))
    for name in draw(st.lists(NAMES, unique=True, max_size=4)):
        pairs = {"command": draw(WORDS), "enabled": True}
        if draw(st.booleans()):
            pairs["args"] = draw(st.lists(WORDS, max_size=3))
        written = {key: toml_value(draw, value) for key, value in draw(st.permutations(list(pairs.items())))}
        match draw(st.sampled_from(["table", "inline", "dotted"])):
            case "table":
                tables.append(f"[mcp_servers . {toml_key(name)}] # t")
                tables += [f"{draw(st.sampled_from(['', '  ']))}{key} = {value} # c" for key, value in written.items()]
            case "inline":
                lines.append(
                    f"{toml_key(name)} = {{ {', '.join(f'{key} = {value}' for key, value in written.items())} }}"
                )
            case _:
                lines += [f"{toml_key(name)}.{quoted(key)}={value}" for key, value in written.items()]
    return end.join([*lines, *tables, ""])


def toml_value(draw, value):
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(draw, item) for item in value) + draw(st.sampled_from(["", " "])) + "]"
    if isinstance(value, str) and value.isascii() and value.isprintable() and "'" not in value and draw(st.booleans()):
        return f"'{value}'"
    return quoted(value) if isinstance(value, str) else "true"


@given(toml_texts())
def test_insertions_into_any_toml_can_be_removed_again(text):
    client = CLIENTS["codex"]
    assert parse_toml(text).root.value() == tomllib.loads(text)
    wrapped = wrap_text(text, client)
    assert is_same_config(text, wrapped.text, client)
    assert unwrap_text(wrapped.text, client, text) == text


SECRETS = st.from_regex(r"[A-Z]{9}", fullmatch=True)
GUARDED = st.fixed_dictionaries(
    {"command": WORDS, "env": st.dictionaries(NAMES, SECRETS, min_size=1)}, optional={"args": st.lists(WORDS | SECRETS)}
) | st.fixed_dictionaries(
    {"url": st.just("https://u:hidden@example.com/mcp"), "headers": st.dictionaries(st.sampled_from("ABC"), SECRETS)}
)


@given(json_texts(st.fixed_dictionaries({"mcpServers": st.dictionaries(NAMES, GUARDED, min_size=1)})))
def test_the_shown_difference_has_no_value_of_a_variable_or_header(text):
    client = CLIENTS["cursor"]
    wrapped = wrap_text(text, client)
    trees = wrapped.tree, parse_config(wrapped.text, client)
    shown = show_changes(trees, wrapped.edits, client, "file")
    assert "hidden" not in shown
    for server in parse_config(text, client).root.value()["mcpServers"].values():
        for value in {**server.get("env", {}), **server.get("headers", {})}.values():
            assert value not in shown


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.text(max_size=4)), max_size=5))
def test_edits_can_be_reversed(text, steps):
    edits, position = [], 0
    for gap, length, new in steps:
        start = position + gap
        position = start + length
        if position <= len(text):
            edits.append(Edit(start, position, new))
        position += 1  # edits never touch
    assert apply(apply(text, edits), reverse(text, edits)) == text
