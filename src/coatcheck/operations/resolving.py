"""``resolve``: the value that a reference stands for."""

from typing import Any

from coatcheck.codec import decode_result, dump_json, result_text
from coatcheck.operations.answer import Answer
from coatcheck.operations.document import Document, locate
from coatcheck.operations.sampling import sample_of


def resolve(document: Document, args: dict[str, Any]) -> Answer:
    """Give the part that ``path`` leads to as a payload; the text stays empty.

    Args:
        document: The object.
        args: ``as_text`` (give the text, or the JSON of what is none; the fact ``null`` tells ``null`` from a text
            that says so), ``sample`` (give a sample as the fact
            ``sample``), ``sample_alone`` (and nothing else), and the common ones.
    """
    path = args.get("path") or ""
    if args.get("as_text"):
        return _text(document, path)
    value = locate(document, path)
    facts = {"sample": sample_of(value).to_facts()} if args.get("sample") else {}
    return Answer("", facts=facts) if args.get("sample_alone") else Answer.of_value("", value, facts)


def _text(document: Document, path: str) -> Answer:
    if not path:
        result = decode_result(document.metadata, document.payload)
        text = None if result is None else result_text(result)
        if text is not None:
            return Answer.of_value("", text)
    part = locate(document, path)
    text = part if isinstance(part, str) else dump_json(part).decode()
    return Answer.of_value("", text, {"null": True} if part is None else {})
