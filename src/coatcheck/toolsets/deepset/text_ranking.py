"""Ranks texts by a query: lexically by default, or with an embedding model."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import anyio.to_thread

from coatcheck.errors import MissingExtra

QUERY_CHARACTERS = 2_000
TEXT_CHARACTERS = 20_000

Vector = Sequence[float]


class Ranker(Protocol):
    """Ranks texts by their relevance to a query."""

    async def rank(self, query: str, texts: Sequence[str], top_k: int) -> list[tuple[int, float]]:
        """Return the indexes of at most ``top_k`` matching ``texts`` with their scores, the best first.

        Raises:
            CoatcheckError: It cannot rank.
        """
        ...


class BM25Ranker:
    """Ranks by common words (BM25); downloads nothing."""

    async def rank(self, query: str, texts: Sequence[str], top_k: int) -> list[tuple[int, float]]:
        """Return the indexes of ``texts`` with their scores, the best first.

        Raises:
            MissingExtra: The extra ``deepset`` is not installed.
        """
        return await anyio.to_thread.run_sync(_bm25, query, texts, top_k)


def _bm25(query: str, texts: Sequence[str], top_k: int) -> list[tuple[int, float]]:
    try:
        import bm25s
        import Stemmer
    except ImportError:
        raise MissingExtra("Searching needs the extra deepset: pip install 'coatcheck[deepset]'.") from None
    logging.getLogger("bm25s").setLevel(logging.WARNING)  # the package sets its logger to DEBUG
    if not texts:
        return []
    stemmer = Stemmer.Stemmer("english")
    spaced = [_spaced(text) for text in (query[:QUERY_CHARACTERS], *texts)]
    wanted, *words = bm25s.tokenize(spaced, stemmer=stemmer, stopwords="en", show_progress=False, return_ids=False)
    known = {word for text in words for word in text}
    wanted = [word for word in wanted if word in known]
    if not wanted:
        return []
    ranking = bm25s.BM25()
    ranking.index(words, show_progress=False)
    places, scores = ranking.retrieve([wanted], k=min(top_k, len(texts)), show_progress=False)
    return [(int(place), float(score)) for place, score in zip(places[0], scores[0], strict=True) if score > 0]


def _spaced(text: str) -> str:
    """Split names into their words, so that ``PromptBuilder`` and ``top_k`` are found by ``prompt`` and ``top``."""
    spaced = []
    before = ""
    for character in text[:TEXT_CHARACTERS]:
        if character in "_-./":
            spaced.append(" ")
        elif character.isupper() and before.islower():
            spaced.append(f" {character}")
        else:
            spaced.append(character)
        before = character
    return "".join(spaced)


class EmbeddingRanker:
    """Ranks by the similarity of vectors.

    Args:
        embed: Returns a vector for each text, such as a Sentence Transformers model's ``encode``; it is called in a
            thread.
        threshold: Cosine similarity below which a text is omitted.
    """

    def __init__(self, embed: Callable[[list[str]], Sequence[Vector]], threshold: float = 0.0) -> None:
        self._embed = embed
        self._threshold = threshold

    async def rank(self, query: str, texts: Sequence[str], top_k: int) -> list[tuple[int, float]]:
        """Return the indexes of ``texts`` with their cosine similarities, the best first."""
        return await anyio.to_thread.run_sync(self._rank, query, texts, top_k)

    def _rank(self, query: str, texts: Sequence[str], top_k: int) -> list[tuple[int, float]]:
        if not texts:
            return []
        vectors = self._embed([query[:QUERY_CHARACTERS], *(text[:TEXT_CHARACTERS] for text in texts)])
        scores = [(place, _cosine(vectors[0], vector)) for place, vector in enumerate(vectors[1:])]
        fitting = [(place, score) for place, score in scores if score > self._threshold]
        return sorted(fitting, key=lambda each: -each[1])[:top_k]


def _cosine(left: Vector, right: Vector) -> float:
    product = (
        math.sumprod(left, right) if hasattr(math, "sumprod") else sum(a * b for a, b in zip(left, right, strict=True))
    )
    norms = math.hypot(*left) * math.hypot(*right)
    return float(product / norms) if norms else 0.0
