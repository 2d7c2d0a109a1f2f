"""JSON-like values for property tests, odd ones among them."""

from typing import Any

from hypothesis import strategies as st

ODD_TEXT = st.text(st.characters(codec=None), max_size=30)
KEYS = st.one_of(
    st.sampled_from(["id", "name", "content-type", "a b", "items", "$ref", "_id", "if", "and", "1st", "", 'q"q', "é", "\\(x)"]),
    ODD_TEXT,
    st.text("k", min_size=100, max_size=300),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**200, max_value=10**250),
    st.floats(),
    ODD_TEXT,
    st.sampled_from(["open", "closed"]),
    st.text("ab \n\x1b", min_size=150, max_size=400),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=30),
        st.dictionaries(KEYS, inner, max_size=12),
        st.lists(st.fixed_dictionaries({"id": st.integers(), "state": st.sampled_from(["open", "closed"])}, optional={"body": inner}), max_size=40),
        st.dictionaries(st.integers(0, 10**6).map(lambda n: f"u{n}"), st.fixed_dictionaries({"x": inner}), max_size=40),
    ),
    max_leaves=60,
)
LIMITS = st.one_of(st.integers(0, 400), st.integers(0, 20_000))
