import re

import pytest

from coatcheck.errors import PatternError

TEXT = (
    "# Guide\n\nHow to install the server and its clients.\n\n"
    + "Some other paragraph about weather.\n\n" * 40
    + "Sentinels: the server reconnects when a sentinel elects a new primary; sentinels must be reachable.\n\n"
    + "More about the weather.\n\n" * 40
    + "The sentinel is mentioned once here, among very many other words that have nothing to do with it at all.\n"
)


def test_the_best_passage_comes_first_with_its_line(do):
    lines = do("rank", TEXT, pattern="sentinel reconnect").text.split("\n")
    assert lines[0] == "2 passages of @obj_1 with any of sentinel, reconnect, the best first:"
    assert lines[1].startswith("line 84: Sentinels: the server reconnects when")
    assert TEXT.split("\n")[84].startswith("Sentinels")
    assert lines[2].startswith("line 166: The sentinel is mentioned")


def test_rows_of_a_structure_are_passages_with_their_paths(do):
    rows = [{"id": number, "title": f"Issue {number}", "body": "about the weather"} for number in range(50)]
    rows[17]["body"] = "The login page hangs after the session has expired"
    assert "\n[17]: Issue 17 The login page hangs" in do("rank", rows, pattern="sessions expire login").text
    assert "\n[17]: Issue 17 The login page hangs" in do("rank", {"items": rows}, path="items", pattern="login").text
    nested = {"items": [{"id": 1, "notes": [{"text": "a needle here"}], "long": "y " * 900 + "\n\nneedle again"}]}
    found = do("rank", nested, pattern="needle").text
    assert "\n.items[0].notes[0]: a needle here" in found
    assert "\n.items[0].long line 2: needle again" in found


def test_a_table_is_searched_by_its_rows(do):
    table = "id,text\n" + "".join(f"{number},word{number} other\n" for number in range(99))
    assert "\n[7]: word7 other" in do("rank", table, pattern="word7").text


def test_passages_are_counted_and_continued(do):
    text = "a needle here.\n\n" * 60
    first = do("rank", text, pattern="needle", most=20)
    assert first.facts == {"matches": 60, "shown": 20}
    assert first.text.endswith("… 40 more: continue with start=20.")
    rest = do("rank", text, pattern="needle", most=20, start=40).text
    assert "more:" not in rest
    assert set(first.text.split("\n")[1:-1]).isdisjoint(rest.split("\n"))


def test_words_of_questions_do_not_count_beside_others(do):
    text = "what does this do\n\n" * 9 + "the first parent\n"
    assert do("rank", text, pattern="What does first-parent do?").text.startswith(
        "1 passage of @obj_1 with any of first, "
    )
    assert do("rank", text, pattern="what does").text.startswith("9 passages")


def test_no_match_is_reported(do):
    assert do("rank", TEXT, pattern="zebra").text == (
        "0 passages of @obj_1 with any of zebra, the best first. Try other words, or a pattern without ranked."
    )


@pytest.mark.parametrize(
    "pattern", ['"', "a AND (", "NEAR(", "passage:", "* OR", "'; drop table passages; --", "\ud800 x"]
)
def test_query_syntax_of_the_search_engine_is_treated_as_words(do, pattern):
    try:
        answer = do("rank", TEXT, pattern=pattern).text
    except PatternError as error:
        answer = str(error)
    assert re.match(r"\d+ passages? of @obj_1 with any of |There is no word in ", answer)


def test_unusual_texts_are_searched(do):
    for text in ("\ud800 needle", "\x00needle\x00 needle", "needle \n" * 100_000):
        assert "needle" in do("rank", text, pattern="needle").text.partition("the best first:")[2]
    for text in ("needle" * 100_000, ""):
        assert do("rank", text, pattern="needle").text.startswith("0 passages")


def test_the_searched_length_is_bounded_and_reported(do):
    text = "some words in a line\n" * 250_000 + "needle"
    assert "(Only the first 4,000,000 characters were looked at.)" in do("rank", text, pattern="needle").text


def test_a_question_in_a_script_without_spaces_finds_the_passages_with_most_of_it(do):
    text = "決済の話。\n\n決済が失敗する問題に対応。\n\n天気の話。"
    lines = do("rank", text, pattern="決済はいつ失敗する").text.split("\n")
    assert lines[0].startswith("2 passages of @obj_1 with any of 決済, 済は, ")
    assert lines[1].startswith("line 2: 決済が失敗する問題に対応。")


NOTES = {
    "決済": "■ バージョン 3\n決済が失敗する問題に対応。",
    "退款": "由于订单延迟了两周。客户要求退款。",
    "ขอเงินคืน": "ลูกค้าขอเงินคืนเพราะสินค้าล่าช้า",
    "ग्राहक": "ग्राहक ने पैसे वापस मांगे।",
    "환불을": "고객이 환불을 요청했습니다.",
    "الفاتورة": "الفاتورة مكررة",
}


@pytest.mark.parametrize(("word", "note"), NOTES.items())
def test_words_of_scripts_without_spaces_and_with_combining_marks_are_found(do, word: str, note: str):
    answer = do("rank", "\n\n".join(NOTES.values()) + "\n\nLogin (login) failed", pattern=f"{word}?")
    assert answer.text.startswith(f"1 passage of @obj_1 with any of {word}, the best first:\n")
    assert note.rsplit("\n", maxsplit=1)[-1] in answer.text
