"""The SQLite store as the container creates it, shared by processes of one user."""

import os
import re
import sys
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from coatcheck.backends import SQLiteBackend
from coatcheck.containers import Container
from coatcheck.lifecycle import running
from coatcheck.settings import Settings
from coatcheck.store.tenancy import Caller, CallerKind
from tests.preloaded_python import PYTHON

pytestmark = pytest.mark.anyio

SERVER = Path(__file__).parents[1] / "degradation" / "small_server.py"


def settings(path, **more):
    return Settings(object_store_backend="sqlite", sqlite_path=path, **more)


async def test_objects_outlive_the_container_and_keep_their_owners(tmp_path):
    ids = {}
    async with running(Container(settings=settings(tmp_path / "o.sqlite"))) as container:
        assert isinstance(container.backend(), SQLiteBackend)
        for name in ("alice", "bob"):
            with container.tenancy().enter(Caller(CallerKind.PRINCIPAL, name)):
                ids[name] = await container.store().aput(f"of {name}")
    async with running(Container(settings=settings(tmp_path / "o.sqlite"))) as container:
        for name in ("alice", "bob"):
            with container.tenancy().enter(Caller(CallerKind.PRINCIPAL, name)):
                assert await container.store().afetch(ids[name]) == f"of {name}"
                assert [summary.object_id for summary in await container.store().alist()] == [ids[name]]
    assert {each.stat().st_mode & 0o077 for each in tmp_path.iterdir()} == {0}


async def test_the_limits_of_the_settings_apply(tmp_path):
    async with running(Container(settings=settings(tmp_path / "o.sqlite", max_namespace_objects=2))) as container:
        for number in range(4):
            await container.store().aput(number)
        assert len(await container.store().alist()) == 2


def test_the_default_file_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Settings().sqlite_file() == tmp_path / ".cache" / "coatcheck" / "objects.sqlite"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert Settings().sqlite_file() == Path("/elsewhere/coatcheck/objects.sqlite")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert Settings().sqlite_file() == tmp_path / ".cache" / "coatcheck" / "objects.sqlite"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert Settings().sqlite_file() == tmp_path / "Library" / "Caches" / "coatcheck" / "objects.sqlite"
    monkeypatch.setenv("COATCHECK_SQLITE_PATH", "/own/file")
    assert Settings().sqlite_file() == Path("/own/file")


async def test_a_reference_from_one_wrapped_server_works_at_another_and_after_a_restart(tmp_path):
    parameters = StdioServerParameters(
        command=PYTHON,
        args=["-m", "coatcheck", "wrap", "--object-store-backend", "sqlite", "--", PYTHON, str(SERVER)],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )
    async with Client(stdio_client(parameters)) as one, Client(stdio_client(parameters)) as other:
        kept = await one.call_tool("lines", {"count": 1000})
        reference = re.search(r"@obj_\w+", kept.content[0].text)[0]
        assert (await other.call_tool("length", {"text": reference})).content[0].text == "8890"
    async with Client(stdio_client(parameters)) as later:
        assert (await later.call_tool("length", {"text": reference})).content[0].text == "8890"
    assert (tmp_path / "coatcheck" / "objects.sqlite").stat().st_mode & 0o777 == 0o600
