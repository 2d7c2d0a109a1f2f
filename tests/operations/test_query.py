import pytest

from coatcheck.errors import FilterError, SandboxOutputExceeded

LARGE = 1234567890123456789


def test_one_output_is_the_result_itself(do, new_value):
    answer = do("query", {"a": [1, 2]}, filter=".a")

    assert answer.text == "[1,2]"
    assert new_value(answer) == [1, 2]
    assert answer.facts["fits"] is True


def test_several_outputs_become_a_list_and_none_an_empty_one(do, new_value):
    several, none = do("query", [1, 2], filter=".[]"), do("query", [1], filter="empty")

    assert "2 outputs, given as a list" in several.text
    assert new_value(several) == [1, 2]
    assert "no output" in none.text
    assert new_value(none) == []


def test_a_text_result_is_text(do, new_value):
    answer = do("query", {"a": "x\ny"}, filter=".a")

    assert answer.text == " x\n y"
    assert answer.metadata["kind"] == "text"
    assert new_value(answer) == "x\ny"


def test_a_result_over_the_limit_is_a_payload_and_a_remark(do, new_value):
    answer = do("query", list(range(5000)), filter="map(. + 1)", limit=200)

    assert len(answer.text) <= 200
    assert answer.facts["fits"] is False
    assert new_value(answer) == list(range(1, 5001))


@pytest.mark.parametrize(
    "program", [".", ".id", "[.id]", "{id}", "[.id, 1] | sort", "[.id] | unique", ".id | tostring"]
)
def test_large_integers_pass_through_unrounded(do, program):
    answer = do("query", {"id": LARGE}, filter=program)

    assert str(LARGE) in answer.payload.decode()
    assert answer.facts["rounded"] == 0


def test_neighbouring_large_integers_are_distinguished(do):
    assert do("query", [LARGE, LARGE - 1], filter=f"map(select(. == {LARGE}))").text == f"[{LARGE}]"


def test_integers_of_any_size_pass_through(do, new_value):
    assert new_value(do("query", {"id": 10**40 + 1}, filter="[.id]")) == [10**40 + 1]


def test_a_rounded_integer_is_named(do):
    answer = do("query", {"id": LARGE}, filter=".id + 1")

    assert "may be rounded (1234567890123456800)" in answer.text
    assert answer.facts["rounded"] == 1


def test_the_digits_of_numbers_in_json_text_are_kept(do):
    assert do("query", '{"id": 1234567890123456789}', filter=".id").text == str(LARGE)


def test_json_and_yaml_texts_are_parsed(do):
    assert do("query", '{"a": {"b": 1}}', filter=".a.b").text == "1"
    assert do("query", "a:\n  b: 1\nc: [x, y]\n", filter=".c[1]").text == "y"
    assert do("query", {"inner": '{"a": 5}'}, path="inner", filter=".a").text == "5"


def test_plain_text_stays_text(do):
    assert do("query", "Dear all,\nnote: this\nis: prose, not data\n", filter='split("\\n") | length').text == "4"


def test_a_path_narrows_the_filter(do):
    assert do("query", {"rows": [{"a": 1}, {"a": 2}]}, path="rows[1]", filter=".a").text == "2"


@pytest.mark.parametrize(
    "program",
    [
        "env",
        "$ENV",
        "$ENV.PATH",
        "$ ENV",
        "{$ENV}",
        ".a | env",
        "[env]",
        "{a: env}",
        "{a: .x, b: env}",
        "{(env): 1}",
        '"\\(env)"',
        '"a\\("b\\(env)")"',
        ". # comment\n| env",
        '"x" | env',
        ".[env]",
        "..|env",
        "input",
        "[inputs]",
        "input_filename",
        "input_line_number",
        "debug",
        'debug("x")',
        "stderr",
        "halt",
        '"x" | halt_error',
        'import "x" as $d; .',
        'import "x" as $d {search:"/etc"}; $d',
        'include "x"; .',
        '"m" | modulemeta',
        "get_search_list",
        "$__prog_args",
        "def f: env; f",
        "if env then 1 else 2 end",
        ". # \\\n env",
    ],
)
def test_filters_with_external_access_are_refused_with_the_forbidden_word(do, program):
    with pytest.raises(FilterError, match=r"not available here|ends in a backslash"):
        do("query", {"a": 1}, filter=program)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (".env", "1"),
        (".input.debug", "2"),
        ('."env"', "1"),
        ('.["env"]', "1"),
        ("{env}", '{"env":1}'),
        ("{env, input}", '{"env":1,"input":{"debug":2}}'),
        ("{env: 3, halt: 4}", '{"env":3,"halt":4}'),
        ('{"input": 3}', '{"input":3}'),
        ('"env \\(.env) input"', "env 1 input"),
        (". as {env: $input} | $input", "1"),
        (".env # env\n", "1"),
        (".env as $env | $env", "1"),
        ("[.env] | map(. + 1e0) | .[0]", "2"),
        ('@text "env \\(.env)"', "env 1"),
        ("def environment: 5; environment", "5"),
        (".input|.debug", "2"),
    ],
)
def test_the_same_words_as_fields_keys_strings_comments_and_variables_are_allowed(do, program, expected):
    assert do("query", {"env": 1, "input": {"debug": 2}}, filter=program).text.lstrip() == expected


def test_a_malformed_filter_is_an_error_with_the_position(do):
    with pytest.raises(FilterError, match=r'"\.\[\)" is not a jq filter: syntax error') as raised:
        do("query", [1], filter=".[)")
    assert "\n" not in str(raised.value)


def test_a_filter_cannot_get_out_of_its_parentheses(do):
    with pytest.raises(FilterError):
        do("query", [1], filter=") | (")
    with pytest.raises(FilterError):
        do("query", [1], filter=".\x00")


def test_a_filter_that_fails_says_why_and_what_to_try(do):
    with pytest.raises(FilterError, match=r"Cannot index array.*for each item"):
        do("query", [1], filter=".a")


def test_an_error_raised_by_the_filter_is_a_bounded_excerpt(do):
    with pytest.raises(FilterError) as raised:
        do("query", "x" * 100_000, filter="error")
    assert len(str(raised.value)) < 500


def test_a_result_over_the_byte_limit_is_refused(do):
    with pytest.raises(SandboxOutputExceeded):
        do("query", 1, filter='range(100) | "x" * 1000', max_bytes=10_000)


def test_a_filter_works_on_text_with_lone_surrogates(do):
    answer = do("query", {"a": "x\ud800y", "b": 1}, filter=".a")

    assert "x\ufffdy" in answer.text
    assert "replaced" in answer.text


def test_the_error_of_a_filter_on_a_text_describes_the_text(do):
    with pytest.raises(FilterError) as failed:
        do("query", "one\ntwo\nthree", filter="map(.name)")
    assert str(failed.value).endswith(
        ' This is a text of 3 lines: begin with split("\\n") | map(…), or give path="lines".'
    )
    assert do("query", "one\ntwo\nthree", filter='split("\\n") | length').text == "3"
    assert do("query", "one\ntwo\nthree", filter="length", path="lines").text == "3"
    with pytest.raises(FilterError) as failed:
        do("query", "a,b\n1,2\n3,4\n", filter='split("\\n") | length')
    assert str(failed.value).endswith(' The text is read from CSV as 2 items; for its lines give path="lines".')


def test_digits_in_texts_and_hashes_are_not_reported_as_rounded(do):
    commits = [{"commit": "11fcaa61380000000000000000c3739c", "id": "12345678901234567890"} for _ in range(3)]
    assert do("query", commits, filter="length + 1").facts["notes"] == []
    assert do("query", "Commit: 1234567890123456789\n" * 3, filter='split("\\n") | length + 1').facts["notes"] == []
    assert do("query", [{"id": 12345678901234567890}], filter="map(.id - 1)").facts["notes"] != []


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("$.items[0]", "Did you mean: .items[0]"),
        ("items | length", "Did you mean: .items | length"),
        ("nosuch | length", "nosuch/0 is not defined at column 1. For example: .items"),
        ("@obj_7.items", 'with: {"b": "@obj_2"} makes $b'),
    ],
)
def test_the_error_for_a_filter_written_as_a_path_shows_the_right_form(do, program, message):
    with pytest.raises(FilterError) as refused:
        do("query", {"items": [1]}, filter=program)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "program", [".itmes", ".itmes | length", "[.items[].nmae]", ".items | map(select(.nmae == 1))", '.items[0]."nmae"?']
)
def test_a_filter_without_output_reports_the_missing_key(do, program):
    text = do("query", {"items": [{"name": "a"}, {"name": "b"}]}, filter=program).text
    assert ("There is no key itmes in the object; did you mean items?" in text) == ("itmes" in program)
    assert ("did you mean name?" in text) == ("nmae" in program and '"' not in program)


@pytest.mark.parametrize(
    "program", [".items | map(select(.name == 1))", ".items | map({n: .none}) | map(.n)", "null", "[.items[].none | 3]"]
)
def test_an_existing_key_or_one_created_by_the_filter_is_not_reported_as_missing(do, program):
    text = do("query", {"items": [{"name": "a", "none": None}]}, filter=program).text
    assert "There is no key" not in text
