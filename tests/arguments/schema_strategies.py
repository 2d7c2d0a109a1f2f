"""JSON schemas of tools and JSON values, for hypothesis."""

from hypothesis import strategies as st

TYPES = st.sampled_from(["string", "integer", "boolean", "array", "object", "null"])
LEAVES = st.one_of(
    TYPES.map(lambda kind: {"type": kind}),
    st.just({}),
    st.just({"enum": ["a", "b"]}),
    st.just({"type": "string", "format": "uri", "title": "T", "default": "x"}),
    st.just({"$ref": "#/$defs/Node"}),
    st.just({"type": ["string", "null"]}),
)


def _nested(inner):
    return st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda p: {"type": "object", "properties": p}),
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda values: {"type": "object", "additionalProperties": values}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
    )


SCHEMAS = st.dictionaries(st.sampled_from("pqrs"), st.recursive(LEAVES, _nested, max_leaves=8)).map(
    lambda properties: {
        "type": "object",
        "properties": properties,
        "$defs": {
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "n": {"type": "number"}}}
        },
    }
)

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6,
)
