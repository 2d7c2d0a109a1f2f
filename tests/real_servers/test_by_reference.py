"""A long text is passed between tools by reference, without passing through the model."""

import hashlib
from pathlib import Path

import pytest

from tests.real_servers import packages
from tests.real_servers.sessions import connected
from tests.results import reference_in, text_of

pytestmark = [pytest.mark.npm, pytest.mark.anyio]
SEEN_BY_THE_MODEL = 500
SHORT = {"COATCHECK_PREVIEW_LIMIT": "300"}


@pytest.fixture
def server(folder) -> list[str]:
    return [*packages.npm_server("server-filesystem"), str(folder)]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("mode", ["auto", pytest.param("legacy", marks=pytest.mark.long)])
async def test_a_log_is_copied_by_its_reference_byte_for_byte(server, folder, mode):
    async with connected(server, mode=mode, env=SHORT, cwd=folder) as session:
        read = await session.client.call_tool("read_text_file", {"path": "app.log"})
        reference = reference_in(text_of(read))
        written = await session.client.call_tool("write_file", {"path": "copy.log", "content": reference})
    assert not written.is_error
    assert (folder / "app.log").stat().st_size > 150_000
    assert sha256(folder / "copy.log") == sha256(folder / "app.log")
    for seen in (text_of(read) + text_of(written), f"{read.structured_content}{written.structured_content}"):
        assert len(seen) < SEEN_BY_THE_MODEL


async def test_a_path_in_the_reference_writes_a_part(server, folder):
    async with connected(server, env=SHORT, cwd=folder) as session:
        read = await session.client.call_tool("read_text_file", {"path": "app.log"})
        part = f"{reference_in(text_of(read))}[0:20]"
        await session.client.call_tool("write_file", {"path": "part.log", "content": part})
    assert (folder / "part.log").read_text() == "2026-03-04T05:06:07Z"


async def test_a_reference_works_deep_inside_the_arguments(server, folder):
    edits = [{"oldText": "@obj_made-up", "newText": "x"}]
    async with connected(server, cwd=folder) as session:
        wrong = await session.client.call_tool("edit_file", {"path": "note.txt", "edits": edits})
        kept = await session.client.call_tool("object_store_put", {"value": {"old": "the milk", "new": "the coats"}})
        reference = reference_in(text_of(kept))
        edits = [{"oldText": f"{reference}.old", "newText": f"{reference}.new"}]
        done = await session.client.call_tool("edit_file", {"path": "note.txt", "edits": edits})
    assert wrong.is_error
    assert "@obj_made-up" in text_of(wrong)
    assert not done.is_error
    assert (folder / "note.txt").read_text() == "Remember the coats und die Äpfel.\n"


async def test_a_literal_that_looks_like_a_reference_is_written_with_a_second_sign(server, folder):
    async with connected(server, cwd=folder) as session:
        await session.client.call_tool("write_file", {"path": "literal.txt", "content": "@@obj_001"})
        await session.client.call_tool("write_file", {"path": "plain.txt", "content": "ask @alice or @obj_001 there"})
    assert (folder / "literal.txt").read_text() == "@obj_001"
    assert (folder / "plain.txt").read_text() == "ask @alice or @obj_001 there"


async def test_a_value_of_a_wrong_type_is_refused_with_a_suggestion(server, folder):
    async with connected(server, cwd=folder) as session:
        kept = await session.client.call_tool("object_store_put", {"value": {"lines": "three"}})
        reference = reference_in(text_of(kept))
        refused = await session.client.call_tool("read_text_file", {"path": "note.txt", "head": f"{reference}.lines"})
    assert refused.is_error
    assert "head" in text_of(refused)
    assert "number" in text_of(refused)
