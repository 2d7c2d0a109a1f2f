"""``coatcheck objects put``: files as objects."""

import base64
import io
import re
import sys
from contextlib import ExitStack

import anyio
import pytest
from mcp import Client

from coatcheck.cli import main
from coatcheck.containers import Container
from coatcheck.settings import Settings
from tests.results import text_of
from tests.wrap.running import FEATURES, wrap_on_stdio


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    def run(*arguments, stdin=b""):
        path = str(tmp_path / "objects.sqlite")
        flags = ["--object-store-backend", "sqlite", "--sqlite-path", path]
        monkeypatch.setattr(sys, "argv", ["coatcheck", "objects", "put", *arguments, *flags])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main()
        out, err = capsys.readouterr()
        store = Container(settings=Settings(object_store_backend="sqlite", sqlite_path=path)).store()
        opened.callback(store.close)
        return code, out.strip(), err, store

    with ExitStack() as opened:
        yield run


def test_a_file_becomes_an_object_and_its_reference_is_printed(run, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("grüße\n" * 3, encoding="utf-8")
    code, reference, err, store = run(str(file))
    assert (code, err) == (0, "")
    assert store.fetch(reference.removeprefix("@")) == "grüße\n" * 3
    assert store.metadata(reference.removeprefix("@")).tool == "coatcheck objects put"


def test_bytes_that_are_not_text_are_stored_as_bytes_and_a_dash_is_standard_input(run):
    _, reference, _, store = run("-", stdin=b"\xff\x00")
    assert store.fetch(reference.removeprefix("@")) == {"$base64": "/wA=", "bytes": 2}


def test_an_unreadable_file_is_named(run, tmp_path):
    code, out, err, _ = run(str(tmp_path / "missing"))
    assert (code, out) == (2, "")
    assert "missing cannot be read: No such file or directory" in " ".join(err.split())


def test_tools_of_a_wrapped_server_take_files_by_reference(run, tmp_path):
    text, picture = tmp_path / "notes.txt", tmp_path / "picture.png"
    text.write_text("grüße\n" * 4_000, encoding="utf-8")
    picture.write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 30)
    references = [run(str(file))[1] for file in (text, picture)]
    flags = ["--object-store-backend", "sqlite", "--sqlite-path", str(tmp_path / "objects.sqlite")]

    async def call_with_references():
        async with Client(wrap_on_stdio(*flags, "--", *FEATURES, "stdio")) as client:

            async def call_text(tool, **arguments):
                return text_of(await client.call_tool(tool, arguments))

            assert await call_text("length", value=references[0]) == "24000"
            shown = await call_text("object_store_get", object_id=references[1])
            assert "iVBO" not in shown
            part = re.search(r"To view it, give (\S+) \(base64\)", shown).group(1)
            for reference in (part, references[1]):
                length = str(len(base64.b64encode(picture.read_bytes())))
                assert await call_text("length", value=reference) == length

    anyio.run(call_with_references)
