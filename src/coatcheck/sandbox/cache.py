"""Decoded objects that a worker keeps, so that the second look at one needs no second sending."""

from collections import OrderedDict

from coatcheck.operations import Document

JSON_FACTOR = 8
"""Bytes in memory for each byte of JSON: 300 000 rows of five fields, 26 MB as JSON, took 190 MB decoded."""

TEXT_FACTOR = 3


class DocumentCache:
    """Documents by key, least recently used first to go, within an estimate of their size in memory.

    Args:
        limit_bytes: For all documents together.
        alone_bytes: One document over that limit is kept as the only one while its estimate is within this.
    """

    def __init__(self, limit_bytes: int, alone_bytes: int) -> None:
        self._limit = limit_bytes
        self._alone = alone_bytes
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._used = 0

    def get(self, key: str) -> Document | None:
        """Give the document and make it the most recently used."""
        document = self._documents.get(key)
        if document is not None:
            self._documents.move_to_end(key)
        return document

    def make_room(self, size: int) -> None:
        """Drop documents until one with ``size`` bytes of payload would fit."""
        needed = size * JSON_FACTOR
        while self._documents and self._used + needed > self._limit:
            _, dropped = self._documents.popitem(last=False)
            self._used -= estimate(dropped)

    def put(self, key: str, document: Document) -> None:
        """Keep a document if it fits at all."""
        cost = estimate(document)
        if self._limit <= 0 or cost > max(self._limit, self._alone):
            return
        while self._documents and self._used + cost > self._limit:
            _, dropped = self._documents.popitem(last=False)
            self._used -= estimate(dropped)
        self._documents[key] = document
        self._used += cost


def estimate(document: Document) -> int:
    """Bytes that a document takes in memory once it is decoded, roughly."""
    factor = JSON_FACTOR if document.may_be_structured else TEXT_FACTOR
    return len(document.payload) * factor + 1024
