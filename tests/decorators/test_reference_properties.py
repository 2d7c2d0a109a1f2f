"""For any JSON value: escaped and plain texts arrive unchanged, and references anywhere are resolved."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coatcheck.backends import InMemoryBackend
from coatcheck.decorators import referenceable
from coatcheck.object_store import ObjectStore
from coatcheck.references import parse_reference, unescape

MARK = "@obj_001.mark"
texts = st.one_of(st.text(max_size=8), st.sampled_from(["@", "@@", "@obj_", "@alice", "@obj_1 x", "a@obj_001", "@[0]"]))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts, st.just(MARK)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=20,
)


def resolved_value(value: Any) -> Any:
    if value == MARK:
        return ["the value"]
    if isinstance(value, str):
        return unescape(value)
    if isinstance(value, list):
        return [resolved_value(part) for part in value]
    if isinstance(value, dict):
        return {key: resolved_value(part) for key, part in value.items()}
    return value


def escaped(value: Any) -> Any:
    if isinstance(value, str):
        return (
            f"@{value}"
            if parse_reference(value.lstrip("@") and f"@{value.lstrip('@')}") and value[:1] == "@"
            else value
        )
    if isinstance(value, list):
        return [escaped(part) for part in value]
    if isinstance(value, dict):
        return {key: escaped(part) for key, part in value.items()}
    return value


def tool(x: Any) -> Any:
    return x


@given(values)
def test_references_become_their_values_and_everything_else_is_unchanged(value: Any) -> None:
    store = ObjectStore(InMemoryBackend())
    store.put({"mark": ["the value"]})
    assert referenceable(object_store=store)(tool)(value) == resolved_value(value)


@given(values)
def test_an_escaped_value_arrives_unescaped(value: Any) -> None:
    store = ObjectStore(InMemoryBackend())
    assert referenceable(object_store=store)(tool)(escaped(value)) == value
