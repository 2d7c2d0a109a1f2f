"""Values for tests."""

from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=30)
)
keys = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [
        "_id",
        "$ref",
        "content-type",
        "a.b",
        'qu"ote',
        "it's",
        "two words",
        "",
        "0",
        "[0]",
        "größe",
        "\n",
        "items",
        "@type",
    ]
)

json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=6), max_leaves=25
)
json_containers = st.lists(json_values, max_size=6) | st.dictionaries(keys, json_values, max_size=6)
