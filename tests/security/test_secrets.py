"""A canary password is passed through every input and appears in no output."""

import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from coatcheck.backends import RedisBackend
from coatcheck.containers import Container
from coatcheck.errors import CoatcheckError, ObjectStoreUnavailable
from coatcheck.lifecycle import running
from coatcheck.proxy.upstreams.targets import CommandTarget, UrlTarget
from coatcheck.settings import Settings
from coatcheck.wiring.graph import text as drawn
from tests.preloaded_python import PYTHON
from tests.processes import descendants_of
from tests.redis_servers import redis_server

pytestmark = pytest.mark.anyio

CANARY = "canary-Qm7t9"
COATCHECK = [PYTHON, "-m", "coatcheck"]


@pytest.fixture(scope="module")
def guarded():
    with redis_server(password=CANARY) as server:
        yield server


def settings_of(url: str) -> Settings:
    return Settings(object_store_backend="redis", redis_url=url, namespace_secret=CANARY)


def string_forms(value: object) -> str:
    return f"{value} {value!r}"


async def test_printed_and_logged_text_contains_no_password(guarded, caplog):
    caplog.set_level(logging.DEBUG)
    container = Container(settings=settings_of(guarded.url))
    texts = [string_forms(container.settings()), container.settings().model_dump_json(), drawn(container)]
    async with running(container):
        parts = (container, container.backend(), container.store(), container.tenancy(), container.explorer())
        texts += [
            string_forms(part) for part in (*parts, container.sandbox(), container.interceptor(), container.server())
        ]
        name = await container.store().aput({"a": 1})
        assert await container.explorer().aquery(name, ".a") == "1"
    texts.append(caplog.text)
    assert CANARY not in "\n".join(texts)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://user:{CANARY}@127.0.0.1:1/0",
        f"rediss://:{CANARY}@127.0.0.1:1",
        f"unix://:{CANARY}@/nowhere/redis.sock",
        f"redis://127.0.0.1:1?password={CANARY}",
        f"redis://:{CANARY}@[::1]:1",
        f"redis://:{CANARY}@127.0.0.1:port",
        f"nonsense://:{CANARY}@h",
        f"redis:/:{CANARY}@h",
        f":{CANARY}@h",
    ],
)
async def test_no_error_of_an_unavailable_store_contains_the_password(url, caplog):
    caplog.set_level(logging.DEBUG)
    texts = []
    try:
        backend = RedisBackend(url, timeout=1.0)
        texts.append(string_forms(backend))
        for ask in (lambda: backend.get("x"), backend.ping):
            with pytest.raises(ObjectStoreUnavailable) as raised:
                ask()
            texts.append(string_forms(raised.value))
        await backend.aclose()
        backend.close()
    except CoatcheckError as error:
        texts.append(string_forms(error))
    assert texts
    assert CANARY not in "\n".join([*texts, caplog.text])


@pytest.mark.parametrize(
    "values",
    [
        {"object_store_backend": "redis", "redis_url": CANARY, "object_store_ttl": "soon"},
        {"object_store_backend": CANARY},
        {"redis_url": [CANARY]},
        {"namespace_secret": {"x": CANARY}},
    ],
)
def test_no_error_of_a_setting_contains_its_value(values):
    with pytest.raises(CoatcheckError) as raised:
        Settings(**values)
    assert CANARY not in string_forms(raised.value)


def test_the_environment_of_a_wrapped_server_is_not_shown():
    for target in (
        CommandTarget(("server",), {"API_KEY": CANARY}),
        UrlTarget("https://example.com/mcp", headers={"Authorization": f"Bearer {CANARY}"}),
    ):
        assert CANARY not in string_forms(target)
    assert CANARY not in UrlTarget(f"https://user:{CANARY}@example.com/mcp?key={CANARY}").name


def proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(errors="replace")


async def test_no_process_title_and_no_worker_environment_contains_the_password(guarded):
    env = {
        "COATCHECK_OBJECT_STORE_BACKEND": "redis",
        "COATCHECK_REDIS_URL": guarded.url,
        "COATCHECK_REDIS_TIMEOUT": "15",
        "COATCHECK_NAMESPACE_SECRET": CANARY,
    }
    before = descendants_of(os.getpid())
    # Not the preloaded Python, whose processes are not below this one.
    command = StdioServerParameters(command=sys.executable, args=[*COATCHECK[1:], "serve"], env=env)
    async with Client(stdio_client(command)) as client:
        stored = await client.call_tool("object_store_put", {"value": [1]})
        name = re.search(r"@obj_[\w-]+", stored.content[0].text).group()
        answer = await client.call_tool("object_store_query", {"object_id": name, "filter": "$ENV, env"})
        assert CANARY not in str(answer)
        await client.call_tool("object_store_query", {"object_id": name, "filter": "."})
        processes = set(descendants_of(os.getpid())).difference(before)
        assert len(processes) >= 2  # the server and a worker
        for pid in processes:
            assert CANARY not in proc(pid, "cmdline")
        workers = [pid for pid in processes if "-S" in proc(pid, "cmdline").split("\0")]
        assert workers
        for pid in workers:
            assert CANARY not in proc(pid, "environ")


@pytest.mark.parametrize("flags", [["doctor"], ["doctor", "--mermaid"], ["serve", "--verbose"]])
@pytest.mark.parametrize("reachable", [True, False])
def test_no_command_prints_the_password(guarded, flags, reachable, tmp_path):
    url = guarded.url if reachable else f"redis://:{CANARY}@127.0.0.1:1"
    config = tmp_path / "settings.toml"
    config.write_text(f'object_store_backend = "redis"\nredis_url = "{url}"\nnamespace_secret = "{CANARY}"\n')
    for given, env in (
        (["--config", str(config)], {}),
        ([], {"COATCHECK_OBJECT_STORE_BACKEND": "redis", "COATCHECK_REDIS_URL": url}),
        (["--object-store-backend", "redis", "--redis-url", url], {}),
        (["--config", str(config)], {"COATCHECK_OBJECT_STORE_TTL": "soon"}),
    ):
        done = subprocess.run(
            [*COATCHECK, *flags, *given],
            input="",
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **env},
        )
        assert CANARY not in done.stdout + done.stderr


def test_a_broken_settings_file_is_reported_without_its_lines(tmp_path):
    config = tmp_path / "settings.toml"
    config.write_text(f'redis_url = "redis://:{CANARY}@h\n')
    with pytest.raises(CoatcheckError) as raised:
        Settings.load(config)
    assert CANARY not in string_forms(raised.value)


def test_keys_in_redis_do_not_reveal_their_owner(guarded):
    from coatcheck.store.tenancy import Caller, CallerKind

    container = Container(settings=settings_of(guarded.url))
    with container.tenancy().enter(Caller(CallerKind.PRINCIPAL, f"alice@example.com {CANARY}")):
        name = container.store().put("hers")
        keys = [key for key in container.backend().scan("") if name in key]
    assert keys
    assert not any("alice" in key or CANARY in key for key in keys)
    started = time.time()
    container.backend().close()
    assert time.time() - started < 5
