"""A decorated function, an attached server, a wrapped server and a gateway resolve arguments in the same way."""

import functools
import json
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp_types import TextContent

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.decorators import referenceable
from coatcheck.object_store import ObjectStore
from coatcheck.server import attach
from coatcheck.settings import Settings
from tests.arguments.parameter_kinds_server import server, take
from tests.preloaded_python import PYTHON
from tests.results import reference_in, text_of
from tests.wrap.running import wrap_on_stdio

SERVER = [PYTHON, str(Path(__file__).with_name("parameter_kinds_server.py"))]

VALUE = {
    "title": "a title",
    "rows": [1, 2, 3],
    "names": ["a", "b"],
    "mixed": [1, "x"],
    "json": "[4, 5]",
    "csv": "city,zip\nRome,5\nOslo,7\nBern,9\n",
    "yaml": "city: Rome\nzip: 5\n",
    "number": 7,
    "half": 0.5,
    "digits": "12",
    "yes": True,
    "nothing": None,
    "order": "down",
    "place": {"city": "Rome", "zip": 5},
    "place_text": '{"city": "Oslo"}',
    "looks": "@obj_abc.title",
    "long": "x" * 100_000,
    "many": list(range(30_000)),
}


def nested(levels: int, inside: Any) -> Any:
    for _ in range(levels):
        inside = [inside]
    return inside


SHAPES: dict[str, tuple[dict[str, Any], Any]] = {
    "a text": ({"text": "@X.title"}, {"text": "a title"}),
    "a number as text": ({"text": "@X.number"}, {"text": "7"}),
    "a list as text": ({"text": "@X.rows"}, {"text": "[1,2,3]"}),
    "null for text or null": ({"maybe": "@X.nothing"}, {}),
    "an item": ({"count": "@X.rows[-1]"}, {"count": 3}),
    "a range": ({"rows": "@X.rows[0:2]"}, {"rows": [1, 2]}),
    "elements of a list": ({"rows": ["@X.rows[0]", 9]}, {"rows": [1, 9]}),
    "numbers in a list of texts": ({"names": ["@X.number", "x"]}, {"names": ["7", "x"]}),
    "values of an object": ({"options": {"a": "@X.title", "b": "c"}}, {"options": {"a": "a title", "b": "c"}}),
    "a model": ({"place": "@X.place"}, {"place": {"city": "Rome", "zip": 5}}),
    "fields of a model": (
        {"place": {"city": "@X.title", "zip": "@X.number"}},
        {"place": {"city": "a title", "zip": 7}},
    ),
    "a stored JSON text for a model": ({"place": "@X.place_text"}, {"place": {"city": "Oslo", "zip": 0}}),
    "a stored JSON text for a list": ({"rows": "@X.json"}, {"rows": [4, 5]}),
    "a stored table for a list or object": ({"either": "@X.csv"}, {"either": [
        {"city": "Rome", "zip": 5}, {"city": "Oslo", "zip": 7}, {"city": "Bern", "zip": 9}
    ]}),
    "a stored document for a model": ({"place": "@X.yaml"}, {"place": {"city": "Rome", "zip": 5}}),
    "a stored table for a text": ({"text": "@X.csv"}, {"text": "city,zip\nRome,5\nOslo,7\nBern,9\n"}),
    "a stored table for a list of numbers": ({"rows": "@X.csv"}, "takes an array of integer"),
    "a full stop behind it": ({"text": "@X.title."}, "Write @"),
    "brackets around it": ({"rows": "(@X.rows)"}, "alone, without quotes"),
    "stored digits for a number": ({"count": "@X.digits"}, {"count": 12}),
    "stored digits for a number or text": ({"number_or_text": "@X.digits"}, {"number_or_text": "12"}),
    "a text for a number or text": ({"number_or_text": "@X.title"}, {"number_or_text": "a title"}),
    "an integer for a number": ({"number": "@X.number"}, {"number": 7.0}),
    "a boolean": ({"flag": "@X.yes"}, {"flag": True}),
    "an option": ({"order": "@X.order"}, {"order": "down"}),
    "anything": ({"anything": "@X.place"}, {"anything": {"city": "Rome", "zip": 5}}),
    "anything inside": ({"anything": [{"deep": ["@X.title"]}]}, {"anything": [{"deep": ["a title"]}]}),
    "JSON text for a list": ({"names": '["@X.title", "x"]'}, {"names": ["a title", "x"]}),
    "JSON text for an object": ({"options": '{"cc": "@X.title"}'}, {"options": {"cc": "a title"}}),
    "JSON text for either": ({"either": '["@X.rows"]'}, {"either": [[1, 2, 3]]}),
    "JSON text without references": ({"rows": "[1, 2]"}, {"rows": [1, 2]}),
    "JSON text for a text": ({"text": '["@obj_a"]'}, {"text": '["@obj_a"]'}),
    "braces in a text": ({"text": "It is {{@X.title}}: {{@X.rows}}."}, {"text": "It is a title: [1,2,3]."}),
    "braces in a list": ({"names": ["<{{@X.number}}>"]}, {"names": ["<7>"]}),
    "literal braces": ({"text": "{{@@obj_a.b}} {{x}}"}, {"text": "{{@obj_a.b}} {{x}}"}),
    "an escape": ({"text": "@@obj_a.b"}, {"text": "@obj_a.b"}),
    "an escape inside": ({"names": ["@@obj_a"]}, {"names": ["@obj_a"]}),
    "a mention": ({"text": "see @obj_a.b"}, {"text": "see @obj_a.b"}),
    "plain text with @": ({"text": "@alice", "names": ["a@b.c"]}, {"text": "@alice", "names": ["a@b.c"]}),
    "a stored text like a reference": ({"text": "@X.looks"}, {"text": "@obj_abc.title"}),
    "a long text": ({"text": "@X.long"}, {"text": "x" * 100_000}),
    "a long list": ({"rows": "@X.many"}, {"rows": list(range(30_000))}),
    "at the depth limit": ({"either": nested(100, "@X.number")}, {"either": nested(100, 7)}),
    "beyond the depth limit": ({"either": nested(101, "@X.number")}, "100 levels"),
    "nothing there": ({"text": "@obj_000000"}, "not found"),
    "a path to nowhere": ({"text": "@X.titel"}, '".titel" leads nowhere'),
    "another type": ({"rows": "@X.title"}, 'The parameter "rows" takes array or null, but'),
    "another type inside": ({"rows": [1, "@X.title"]}, 'The parameter "rows[1]" takes integer, but'),
    "items of another type": ({"rows": "@X.mixed"}, "takes an array of integer, but at [1] in"),
    "a wildcard": ({"rows": "@X.rows[*]"}, "no wildcard"),
    "backticks": ({"text": "`@X.title`"}, "without quotes, backticks, spaces or punctuation"),
    "another case": ({"text": "@x.title"}, "Did you mean @"),
    "a missing path in braces": ({"text": "a {{@X.titel}}"}, '".titel" leads nowhere'),
}  # fmt: skip


def with_references(value: Any, reference: str) -> Any:
    """The value with ``@X`` replaced by a real reference, and ``@x`` by one in the wrong case."""
    text = json.dumps(value).replace("@X", reference).replace("@x", reference.replace("obj", "OBJ"))
    return json.loads(text)


async def outcomes(client: Client, tool: str, reference: str) -> dict[str, Any]:
    """The arguments that the tool receives for every shape, or the error for the model."""
    found: dict[str, Any] = {}
    for name, (arguments, _) in SHAPES.items():
        result = await client.call_tool(tool, with_references(arguments, reference))
        assert isinstance(result.content[0], TextContent)
        text = result.content[0].text.removeprefix(f"Error executing tool {tool}: ")
        found[name] = text if result.is_error else json.loads(text)
    return found


ENVIRONMENT = {"COATCHECK_INLINE_LIMIT": "10000000", "COATCHECK_RESPONSE_LIMIT": "10000000"}


async def decorated() -> dict[str, Any]:
    store = ObjectStore(InMemoryBackend())
    made = MCPServer("decorated")
    made.add_tool(referenceable(object_store=store)(take))
    async with Client(made) as client:
        return await outcomes(client, "take", f"@{store.put(VALUE)}")


async def attached() -> dict[str, Any]:
    container = Container(settings=Settings(inline_limit=10_000_000))
    made = server()
    attach(made, container)
    async with Client(made) as client:
        return await outcomes(client, "take", f"@{container.store().put(VALUE)}")


async def behind_a_process(tool: str, *arguments: str) -> dict[str, Any]:
    async with Client(wrap_on_stdio(*arguments, **ENVIRONMENT)) as client:
        value = VALUE | {"looks": "@@obj_abc.title"}
        kept = await client.call_tool("object_store_put", {"value": value})
        return await outcomes(client, tool, reference_in(text_of(kept)))


async def wrapped() -> dict[str, Any]:
    return await behind_a_process("take", "--", *SERVER)


async def behind_a_gateway() -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        entry = {"command": SERVER[0], "args": SERVER[1:]}
        json.dump({"mcpServers": {"one": entry, "two": entry}}, file)
        file.flush()
        return await behind_a_process("one__take", "--servers", file.name)


ENTRY_POINTS: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
    "decorated": decorated,
    "attached": attached,
    "wrapped": wrapped,
    "gateway": behind_a_gateway,
}


@pytest.fixture(scope="module")
def call_through() -> Callable[[str], dict[str, Any]]:
    @functools.cache
    def run(entry_point: str) -> dict[str, Any]:
        return anyio.run(ENTRY_POINTS[entry_point])

    return run


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_arguments_of_every_shape_resolve_in_the_same_way(
    entry_point: str, call_through: Callable[[str], dict[str, Any]]
) -> None:
    got = call_through(entry_point)
    wrong = {}
    for name, (_, expected) in SHAPES.items():
        matches = expected in got[name] if isinstance(expected, str) else got[name] == expected
        if not matches:
            wrong[name] = (got[name], expected)
    assert not wrong


def without_ids(value: Any) -> str:
    """The outcome without the object's random id."""
    return re.sub(r"(?i)obj_[A-Za-z0-9]+", "X", json.dumps(value, ensure_ascii=False))


@pytest.mark.parametrize("entry_point", [entry_point for entry_point in ENTRY_POINTS if entry_point != "decorated"])
def test_error_messages_are_the_same(entry_point: str, call_through: Callable[[str], dict[str, Any]]) -> None:
    one, other = call_through("decorated"), call_through(entry_point)
    assert {name: without_ids(one[name]) for name in SHAPES} == {name: without_ids(other[name]) for name in SHAPES}
