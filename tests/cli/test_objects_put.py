"""``coatcheck objects put``: files by reference."""

import io
import sys

import pytest

from coatcheck.cli import main
from coatcheck.containers import Container
from coatcheck.settings import Settings


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
        return code, out.strip(), err, store

    return run


def test_a_file_becomes_an_object_and_its_reference_is_printed(run, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("grüße\n" * 3, encoding="utf-8")
    code, reference, err, store = run(str(file))
    assert (code, err) == (0, "")
    assert store.fetch(reference.removeprefix("@")) == "grüße\n" * 3
    assert store.metadata(reference.removeprefix("@")).tool == "coatcheck objects put"


def test_bytes_that_are_no_text_are_kept_as_such_and_a_dash_is_standard_input(run):
    _, reference, _, store = run("-", stdin=b"\xff\x00")
    assert store.fetch(reference.removeprefix("@")) == {"$base64": "/wA=", "bytes": 2}


def test_a_file_that_cannot_be_read_is_named(run, tmp_path):
    code, out, err, _ = run(str(tmp_path / "missing"))
    assert (code, out) == (2, "")
    assert "missing cannot be read: No such file or directory" in " ".join(err.split())
