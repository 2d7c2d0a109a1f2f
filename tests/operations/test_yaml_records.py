from coatcheck.codec import encode
from coatcheck.explorer.operations import OPERATIONS, Document


def test_records_with_repeated_keys_are_text_and_none_is_lost():
    text = "\n".join(f"Commit: {number:040x}\nAuthor: A\nMessage: fix" for number in range(300))
    encoded = encode(text)
    document = Document(encoded.metadata, encoded.payload, in_sandbox=True)
    assert document.open_text(text) is None
    shown = OPERATIONS["show"](document, {"reference": "@obj_1", "path": "", "limit": 2000})
    assert "900 lines" in shown.text


def test_a_document_with_exponential_aliases_is_shown_as_text():
    text = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    encoded = encode(text * 20)
    shown = OPERATIONS["show"](
        Document(encoded.metadata, encoded.payload, in_sandbox=True),
        {"reference": "@obj_1", "path": "", "limit": 900},
    )
    assert "@obj_1" in shown.text
