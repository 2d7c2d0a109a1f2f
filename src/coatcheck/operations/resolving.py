"""``resolve``: the value that a reference stands for."""

from typing import Any

from coatcheck.operations.answer import Answer
from coatcheck.operations.document import Document, locate


def resolve(document: Document, args: dict[str, Any]) -> Answer:
    """Give the part that ``path`` leads to as a payload; the text stays empty."""
    return Answer.of_value("", locate(document, args.get("path") or ""))
