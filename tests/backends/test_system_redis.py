"""The contract over an installed Redis server with TLS: single, in a cluster, behind sentinels.

The servers of the wheels have no TLS. Debian's has: ``apt-get install redis-server``.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from coatcheck.backends import RedisBackend
from coatcheck.testing import BackendContract
from tests.backends.certificates import Authority
from tests.redis_groups import redis_cluster, sentinel_service
from tests.redis_servers import RunningServer, running

EXECUTABLE = shutil.which("redis-server")


def supports_tls() -> bool:
    # With TLS but no certificates, a server that supports TLS reports that; others do not know the option.
    if EXECUTABLE is None:
        return False
    done = subprocess.run([EXECUTABLE, "--port", "0", "--tls-port", "1"], capture_output=True, text=True, timeout=20)
    return "tls-cert-file" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


@pytest.fixture(scope="module")
def tls_arguments(authority):
    """Arguments of a server that requires client certificates, and has one for connections to other servers."""
    certificate, key = authority.issue("127.0.0.1")
    return ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(authority.path)]


class Contract(BackendContract):
    @pytest.fixture
    def backend(self, url, authority):
        tls = {}
        if url.startswith("rediss"):
            certificate, key = authority.issue("client")
            tls = {"ca_file": authority.path, "client_certificate": certificate, "client_key": key}
        backend = RedisBackend(url, timeout=20.0, max_connections=8, **tls)
        yield backend
        backend.close()


@pytest.fixture(scope="module")
def server():
    with running(RunningServer(Path(EXECUTABLE))) as server:
        yield server


@pytest.fixture(scope="module")
def tls_server(tls_arguments):
    with running(RunningServer(Path(EXECUTABLE), tls=tls_arguments)) as server:
        yield server


@pytest.fixture(scope="module")
def tls_cluster(tls_arguments):
    with redis_cluster(Path(EXECUTABLE), tls=tls_arguments) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def tls_service(tls_arguments):
    with sentinel_service(Path(EXECUTABLE), tls=tls_arguments) as service:
        yield service


# Without an installed server there are no tests, rather than skipped ones.
if EXECUTABLE is not None:

    class TestSystemRedis(Contract):
        @pytest.fixture
        def url(self, server):
            return server.url


if supports_tls():

    class TestSystemRedisOverTLS(Contract):
        @pytest.fixture
        def url(self, tls_server):
            return tls_server.url

    class TestSystemClusterOverTLS(Contract):
        @pytest.fixture
        def url(self, tls_cluster):
            return tls_cluster.url

    class TestSystemSentinelsOverTLS(Contract):
        @pytest.fixture
        def url(self, tls_service):
            return tls_service.url
