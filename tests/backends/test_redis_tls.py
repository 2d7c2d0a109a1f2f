import asyncio
import ssl

import pytest

from coatcheck.backends import RedisBackend
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.settings import Settings
from coatcheck.testing import BackendContract
from tests.backends.backend_errors import refusals
from tests.backends.certificates import Authority
from tests.fault_proxy import fault_proxy


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


@pytest.fixture(scope="module")
def own_certificate(authority):
    return authority.issue("client")


@pytest.fixture(scope="module")
def make_front(redis_server, authority):
    """A TLS proxy in front of the server with a certificate for a name; it can require client certificates."""

    def make(name="127.0.0.1", *, requires_client_certificate=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue(name))
        if requires_client_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority.path)
        return fault_proxy(redis_server.port, tls=context)

    return make


@pytest.fixture(scope="module")
def mutual_tls_front(make_front):
    with make_front(requires_client_certificate=True) as front:
        yield front


class TestRedisOverTLS(BackendContract):
    @pytest.fixture
    def backend(self, mutual_tls_front, authority, own_certificate):
        backend = RedisBackend(
            f"rediss://127.0.0.1:{mutual_tls_front.port}/0",
            ca_file=authority.path,
            client_certificate=own_certificate[0],
            client_key=own_certificate[1],
            max_connections=8,
            timeout=20.0,  # a handshake is slow on a busy machine
        )
        yield backend
        backend.close()


def refusal_kinds(url, **options):
    return [error.kind for error in refusals(RedisBackend(url, **options))]


def test_an_unknown_authority_is_not_trusted(make_front):
    with make_front() as front:
        assert refusal_kinds(f"rediss://127.0.0.1:{front.port}/0") == ["tls", "tls"]


def test_a_certificate_for_another_name_is_refused_unless_the_url_says_otherwise(make_front, authority):
    with make_front("elsewhere.example") as front:
        url = f"rediss://127.0.0.1:{front.port}/0"
        assert refusal_kinds(url, ca_file=authority.path) == ["tls", "tls"]
        backend = RedisBackend(f"{url}?ssl_check_hostname=false", ca_file=authority.path)
        backend.ping()
        backend.close()


def test_a_missing_client_certificate_is_a_clear_error(make_front, authority):
    with make_front(requires_client_certificate=True) as front:
        # A handshake is slow on a busy machine.
        troubles = refusal_kinds(f"rediss://127.0.0.1:{front.port}/0", ca_file=authority.path, timeout=20.0)
        assert set(troubles) <= {"tls", "dropped"}  # with TLS 1.3 the server may report the error after the handshake


def test_the_settings_reach_the_connection(make_front, authority, own_certificate):
    with make_front(requires_client_certificate=True) as front:
        settings = Settings(
            object_store_backend="redis",
            redis_url=f"rediss://127.0.0.1:{front.port}/0",
            redis_ca_file=authority.path,
            redis_client_certificate=own_certificate[0],
            redis_client_key=own_certificate[1],
        )
        container = Container(settings=settings)
        assert container.store().fetch(container.store().put([1])) == [1]
        asyncio.run(container.exit_stack().aclose())


def test_unusable_certificate_files_are_refused_immediately(authority, tmp_path):
    with pytest.raises(SettingsError, match="without TLS"):
        RedisBackend("redis://127.0.0.1/0", ca_file=authority.path)
    with pytest.raises(SettingsError, match="does not exist"):
        RedisBackend("rediss://127.0.0.1/0", ca_file=tmp_path / "none.pem")
