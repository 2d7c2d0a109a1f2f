import pytest

from coatcheck.backends import RedisBackend, redact_url
from coatcheck.errors import SettingsError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://user:hunter2@cache.example:6380/1", "redis://***@cache.example:6380/1"),
        ("rediss://:hunter2@[::1]:6380/0?db=1", "rediss://***@[::1]:6380/0?db=1"),
        ("redis://[::1]/0", "redis://[::1]/0"),
        ("unix:///run/redis.sock?db=2&password=hunter2", "unix:///run/redis.sock?db=2&password=***"),
        ("unix://:hunter2@/run/redis.sock", "unix://***@/run/redis.sock"),
        ("redis://h/0?PassWord=hunter2&db=1", "redis://h/0?PassWord=***"),
        ("redis://h", "redis://h"),
        ("redis+sentinel://u:hunter2@h:1,i:2/mymaster", "redis+sentinel://***@h:1,i:2/mymaster"),
        ("redis+cluster://[::1]:1,h,[::2]", "redis+cluster://[::1]:1,h,[::2]"),
        ("redis+cluster://h:1?sentinel_password=x", "redis+cluster://h:1?sentinel_password=***"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hun/ter2@h:1/0",
        "redis://:hun?ter2@h:1/0",
        "redis://:hun#ter2@h:1/0",
        "redis://:hun@ter2@h:1/0",
        "redis://user:hun:ter2@h:1/0",
        "redis://:hun?key=ter2@h:1/0",
        "redis://user:hun?key=ter2@h:1/0",
        "redis://user:1hun?key=ter2@h:1/0",
        "redis://:hunter2",
        "redis://h:1:hunter2",
        "redis://h?password=hun@ter2",
        "redis://h?password=hun&ter2",
        "redis://h?password=hun#ter2",
        "redis://h?ssl_password=hunter2",
        "user:hunter2@h:1",
        "redis:user:hunter2@h:1",
        "redis://:hun\nter2@h:1/0",
        "redis://:hun://ter2@h:1/0",
        "redis+sentinel://:hunter2",
        "redis+sentinel://:hun/ter2@h:1/mymaster",
        "redis+sentinel://:hun?ter2@h:1,h:2/mymaster",
        "redis+sentinel://:hun,ter2@h:1,h:2",
        "redis+sentinel://h:1,h:2/mymaster?sentinel_password=hun@ter2",
        "redis+sentinel://h:1/mymaster?sentinel_password=hunter2&colour=red",
        "redis+cluster://:hun#ter2@h:1,h:2",
        "redis+cluster://user:hun@ter2@h:1,h:port",
        "redis+cluster://h:1,h:2:hunter2",
        "redis+cluster://:hunter2,h:2",
        "redis+sentinel://h:hunter2,h:2/mymaster",
        "redis://:hun,ter2:6379",
    ],
)
def test_no_url_shows_its_password_even_if_malformed(url):
    shown = redact_url(url)
    assert [piece for piece in ("hunter2", "hun", "ter2") if piece in shown] == []
    try:
        backend = RedisBackend(url)
    except SettingsError as error:
        # Including the causes, as a log shows them.
        text = str(error) + str(error.__cause__) + ("" if error.__suppress_context__ else str(error.__context__))
    else:
        text = repr(backend)
        backend.close()
    assert [piece for piece in ("hunter2", "hun", "ter2") if piece in text] == []


def test_a_url_of_any_length_is_shown_in_bounded_length_on_one_line():
    shown = redact_url("redis://" + "h" * 10_000 + "\n/0")
    assert len(shown) <= 200
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "scheme"),
        ("localhost:6379", "scheme"),
        ("http://localhost:6379", "scheme"),
        ("REDIS://localhost", "scheme"),
        ("redis://localhost:port/0", "port"),
        ("redis://localhost:70000/0", "port"),
        ("redis://[::1/0", "host"),
        ("redis://localhost/zero", "database"),
        ("redis://localhost/0/1", "database"),
        ("redis://localhost/0#1", "#"),
        ("redis://localhost/0?db=one", "wrong type"),
        ("redis://localhost/0?db", "cannot be read"),
        ("redis://localhost/0?colour=red", "colour"),
        ("redis://localhost/0?decode_responses=true", "decode_responses"),
        ("redis://localhost/0?retry=3", "retry"),
        ("redis://localhost/0?ssl_cert_reqs=none", "ssl_cert_reqs"),
        ("rediss://localhost/0?ssl_colour=red", "options after the ?"),
        ("rediss://localhost/0?ssl_cert_reqs=perhaps", "options after the ?"),
        ("redis://localhost/0?max_connections=-1", "options after the ?"),
        ("unix://", "absolute"),
        ("unix:///", "absolute"),
        ("unix://run/redis.sock", "absolute"),
        ("redis+cluster://", "host"),
        ("redis+cluster://h:1,:2", "host"),
        ("redis+cluster://h:1/2", "database"),
        ("redis+cluster://h:1/name", "database"),
        ("redis+cluster://h:1?sentinel_password=x", "sentinel_password"),
        ("redis+cluster://h?max_connections=-1", "options after the ?"),
        ("rediss+cluster://h?ssl_cert_reqs=perhaps", "options after the ?"),
        ("rediss+cluster://h?ssl_colour=red", "options after the ?"),
        ("redis+sentinel://h:1", "service"),
        ("redis+sentinel://h:1/", "service"),
        ("redis+sentinel:///mymaster", "host"),
        ("redis+sentinel://h:1,,h:2/mymaster", "host"),
        ("redis+sentinel://h:port/mymaster", "port"),
        ("redis+sentinel://h:1/mymaster/zero", "database"),
        ("redis+sentinel://h:1/mymaster/0/1", "database"),
        ("redis+sentinel://h:1/mymaster?colour=red", "colour"),
        ("redis://h:1/0?sentinel_password=x", "sentinel_password"),
        ("redis+sentinel://h/mymaster?max_connections=-1", "options after the ?"),
    ],
)
def test_an_unusable_url_is_refused_before_connecting(url, reason):
    with pytest.raises(SettingsError) as refused:
        RedisBackend(url)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://", "localhost:6379"),
        ("redis://cache.example", "cache.example:6379"),
        ("redis://u:p@cache.example:1/3?socket_timeout=0.5&client_name=me", "cache.example:1"),
        ("rediss://[::1]:2?ssl_cert_reqs=none", "[::1]:2"),
        ("unix:///run/a@b.sock?db=1", "/run/a@b.sock"),
        ("redis+cluster://u:p@h,[::1]:2/0?client_name=me", "cluster h:6379, [::1]:2"),
        (
            "redis+sentinel://u:p@h,[::1]:2,i:3/my%20service/4?socket_timeout=0.5",
            "my service of sentinels h:26379, [::1]:2, i:3",
        ),
    ],
)
def test_a_valid_url_is_accepted_without_a_server(url, where):
    backend = RedisBackend(url)
    assert repr(backend) == f"RedisBackend({where!r}, prefix='coatcheck:')"
    backend.close()
