import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.errors import ReferenceSyntaxError
from coatcheck.references import Index, Key, Path, Reference, Slice, parse_path, parse_reference, parse_target, unescape
from tests.strategies import keys

steps = st.one_of(
    keys.map(Key),
    st.integers(-1000, 10**6).map(Index),
    st.builds(Slice, st.none() | st.integers(-99, 99), st.none() | st.integers(-99, 99)),
)
paths = st.lists(steps, max_size=6).map(lambda found: Path(tuple(found)))
ids = st.from_regex(r"obj_[A-Za-z0-9_-]{1,30}", fullmatch=True)


@given(ids, paths)
def test_the_text_of_a_reference_parses_to_the_same_reference(object_id, path):
    reference = Reference(object_id, path)
    assert parse_reference(str(reference)) == reference


@given(paths)
def test_the_text_of_a_path_parses_to_the_same_path(path):
    assert parse_path(str(path)) == path


@given(paths)
def test_the_text_of_a_path_is_one_printable_line(path):
    assert str(path).isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@obj_001", Reference("obj_001")),
        ("@obj_001.items[3].name", Reference("obj_001", Path((Key("items"), Index(3), Key("name"))))),
        ('@obj_001["content-type"]', Reference("obj_001", Path((Key("content-type"),)))),
        ("@obj_001['it\\'s \"x\"']", Reference("obj_001", Path((Key('it\'s "x"'),)))),
        ("@obj_001[-1][0:20]", Reference("obj_001", Path((Index(-1), Slice(0, 20))))),
        ('@obj_001."a b".c', Reference("obj_001", Path((Key("a b"), Key("c"))))),
        ("@obj_001[:]", Reference("obj_001", Path((Slice(None, None),)))),
        ("@obj_001._id.$ref", Reference("obj_001", Path((Key("_id"), Key("$ref"))))),
        ("@obj_a1-B_2.größe", Reference("obj_a1-B_2", Path((Key("größe"),)))),
    ],
)
def test_references_follow_the_grammar(text, expected):
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    ["@alice", "user@obj_1.com", "@obj_1 is nice", "obj_001", "@obj_", "@obj_1.", "@obj_1[", "@obj_1[]", "@obj_1[x]"]
    + ["@obj_1..a", '@obj_1["a]', "@obj_1\n", " @obj_1", "@@obj_1", "@OBJ_1", "@obj_é", "", "@", "@obj_1[1]x"],
)
def test_everything_else_is_plain_text(text):
    assert parse_reference(text) is None


@given(st.text())
def test_the_parsers_raise_only_their_documented_errors(text):
    parse_reference(text)
    parse_reference("@obj_1" + text)
    unescape(text)
    for parse in (parse_path, parse_target):
        try:
            parse(text)
        except ReferenceSyntaxError as error:
            assert len(str(error)) < 600


@given(ids, paths)
def test_two_at_signs_escape_a_reference(object_id, path):
    literal = str(Reference(object_id, path))
    assert unescape("@" + literal) == literal
    assert unescape("@@" + literal) == "@" + literal
    assert unescape(literal) == literal


@pytest.mark.parametrize("text", ["@@alice", "@@", "@@obj_1 and more", "mail@@obj_1"])
def test_two_at_signs_before_anything_else_are_unchanged(text):
    assert unescape(text) == text


@pytest.mark.parametrize(
    ("object_id", "path", "expected"),
    [
        ("obj_1", "", "@obj_1"),
        ("@obj_1", "items[3]", "@obj_1.items[3]"),
        (" @obj_1.items ", "[3].name", "@obj_1.items[3].name"),
        ("obj_1", ".", "@obj_1"),
        ("{{@obj_1.items[0]}}", "name", "@obj_1.items[0].name"),
        ("{{ obj_1 }}", "", "@obj_1"),
        ("`@obj_1`", "", "@obj_1"),
        ('"@obj_1"', "[3]", "@obj_1[3]"),
        ("@obj_1 [3].name", "", "@obj_1[3].name"),
        ("@obj_1.items.", "", "@obj_1.items"),
        ("@obj_1,", "", "@obj_1"),
        ("(@obj_1)", "", "@obj_1"),
        ("**@obj_1**", "", "@obj_1"),
        ("\u201c@obj_1\u201d", "", "@obj_1"),
        ("\uff20obj_1", "", "@obj_1"),
        ("@@obj_1", "", "@obj_1"),
        ("$obj_1", "", "@obj_1"),
        ("coatcheck://objects/obj_1", "", "@obj_1"),
        ('@obj_1["a."]', "", '@obj_1["a."]'),
    ],
)
def test_tools_accept_an_id_with_or_without_the_sign_and_a_separate_path(object_id, path, expected):
    assert str(parse_target(object_id, path)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a..b", 'The path "a..b" is malformed at character 2 ("..b"): expected a key after the dot'),
        ("a[", "expected a position, a range or a quoted key"),
        ("a b", 'malformed at character 2 (" b")'),
        ("a[3-10]", 'malformed at character 2 ("[3-10]")'),
        ('a."b', "expected a key after the dot"),
        ("[0].%CPU", 'as in [0]["%CPU"]'),
        ("[0]name", "Did you mean: [0].name"),
        ("[0..3]", "Did you mean: [0:3], or lines[0:3]"),
        ("[0,3]", "Did you mean: [0:3], or lines[0:3]"),
        ("lines[3-9]", "Did you mean: lines[3:9]"),
        ("lines 3 to 9", "Did you mean: lines[3:9]"),
        ("line[3]", "Did you mean: lines[3]"),
        ("!", 'The path "!" is malformed at character 1 ("!")'),
        ("['x]", "expected a closing ']"),
        ("[" + "9" * 30 + "]", "at most 15 digits"),
        ("a" * 5000, "4,096 are allowed"),
        ('["' + "\x7f" * 700 + '"]', "4,204 characters when written out; 4,096 are allowed"),
    ],
)
def test_the_error_for_a_malformed_path_has_position_and_expectation(path, expected):
    with pytest.raises(ReferenceSyntaxError) as caught:
        parse_path(path)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("$.items[0].name", "items[0].name"), ("$", ""), ("$[3]", "[3]"), ("$schema", ".$schema"), ("a.$.b", ".a.$.b")],
)
def test_a_path_may_start_with_the_root_of_json_path(written: str, meant: str) -> None:
    assert parse_path(written) == parse_path(meant)


def test_a_full_reference_is_accepted_as_a_path_of_its_object() -> None:
    assert str(parse_target("@obj_1", "@obj_1.items[0]")) == "@obj_1.items[0]"
    with pytest.raises(ReferenceSyntaxError, match=r'another object: give object_id="@obj_2", path=".items"\.'):
        parse_target("@obj_1", "@obj_2.items")


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        ("items[*].id", "[.items[].id]"),
        ("[*].id", "[.[].id]"),
        ("$.items[].id", "[.items[].id]"),
        ("items.*.id", "[.items[].id]"),
        ("packages.node_modules/axios.version", 'packages["node_modules/axios"].version'),
        ("node_modules/axios", '["node_modules/axios"]'),
        ("my key", '["my key"]'),
    ],
)
def test_the_error_for_an_invalid_path_shows_the_exact_form(written: str, exact: str) -> None:
    with pytest.raises(ReferenceSyntaxError) as raised:
        parse_path(written)
    assert str(raised.value).endswith(exact)


@pytest.mark.parametrize("written", ["@obj_1/items/0", "@obj_1#/items/0"])
def test_a_json_pointer_behind_an_id_is_an_error_with_the_path(written: str) -> None:
    with pytest.raises(ReferenceSyntaxError, match=r"Did you mean: \.items\[0\]"):
        parse_target(written)


def test_an_id_within_other_words_is_suggested() -> None:
    with pytest.raises(ReferenceSyntaxError, match='did you mean "@obj_1"'):
        parse_target("the object @obj_1")


def test_a_key_in_curly_quotes_is_a_key_and_other_curly_quotes_stay() -> None:
    assert parse_path("[\u201cmy key\u201d]") == parse_path('["my key"]')
    assert parse_path('["a\u201db"]') == Path((Key("a\u201db"),))
