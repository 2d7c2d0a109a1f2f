"""A Redis user with the rights that docs/operations.md gives can do everything needed, and nothing else."""

import re
from pathlib import Path

import pytest
import redis

from coatcheck.backends import RedisBackend, RedisUnavailable
from coatcheck.testing import BackendContract
from coatcheck.testing import redis_server as start_redis

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


@pytest.fixture(scope="module")
def server():
    with start_redis() as server:
        with redis.Redis.from_url(server.url) as bare:
            command = re.search(r"^ACL SETUSER coatcheck .*$", OPERATIONS, flags=re.MULTILINE)[0]
            bare.execute_command(*command.replace(">PASSWORD", ">pw").split())
        yield server


class TestRedisWithTheLeastRights(BackendContract):
    @pytest.fixture
    def backend(self, server):
        backend = RedisBackend(server.url.replace("://", "://coatcheck:pw@"))
        yield backend
        backend.close()


def test_other_keys_and_commands_are_out_of_reach(server):
    other = RedisBackend(server.url.replace("://", "://coatcheck:pw@"), prefix="elsewhere:")
    for call in (lambda: other.get("a"), lambda: other.set("a", b"", None), lambda: other.delete("a")):
        with pytest.raises(RedisUnavailable) as refused:
            call()
        assert refused.value.trouble == "permission"
    other.close()
    with redis.Redis.from_url(server.url.replace("://", "://coatcheck:pw@")) as bare:
        for command in (["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"], ["EVAL", "return 1", "0"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                bare.execute_command(*command)
