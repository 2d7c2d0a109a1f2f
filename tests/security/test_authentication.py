"""Authentication over HTTP: lists of tokens, signed tokens, custom verifiers, and their flags."""

import contextlib
import hashlib
import json
import logging
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import anyio
import jwt
import pytest

from coatcheck.cli.listen_options import Listening
from coatcheck.errors import SettingsError
from coatcheck.mcp_server.authentication import TokenList, load_verifier, open_authentication
from coatcheck.mcp_server.jwt_verifier import FETCH_AGAIN_AFTER, KEYS_KEPT, JwtVerifier, KeySource
from tests.ports import free_port, is_listening
from tests.preloaded_python import PYTHON
from tests.results import text_of
from tests.security.identity_provider import AUDIENCE, ISSUER, IdentityProvider
from tests.security.serving import client_of, object_id_in
from tests.waiting import until

pytestmark = pytest.mark.anyio

TOKENS = {"alice": "tok-alice-5fkq", "bob": "tok-bob-81xz"}


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# who may\n\n" + "".join(f"{name} {hashed(token)}\n" for name, token in TOKENS.items()))
    return path


@pytest.fixture
def signed(provider, tmp_path) -> JwtVerifier:
    return JwtVerifier.open(str(provider.publish(tmp_path / "jwks.json")), issuer=ISSUER, audience=AUDIENCE)


async def test_a_listed_token_identifies_its_owner_and_any_other_no_user(token_file):
    listed = TokenList.load(token_file)
    for name, token in TOKENS.items():
        assert (await listed.verify_token(token)).subject == name
    for token in ("", "tok-alice", TOKENS["alice"] + " ", hashed(TOKENS["alice"]), "\udcff", "x" * 100_000):
        assert await listed.verify_token(token) is None


@pytest.mark.parametrize("ending", ["", ".toml"])
async def test_a_byte_order_mark_is_not_part_of_a_name(tmp_path, ending):
    path = tmp_path / f"tokens{ending}"
    text = f"[tokens]\nalice = '{hashed('one')}'\n" if ending else f"alice {hashed('one')}\n"
    path.write_text(text, encoding="utf-8-sig")
    assert (await TokenList.load(path).verify_token("one")).subject == "alice"


async def test_a_list_may_be_toml_with_several_tokens_for_a_name(tmp_path):
    path = tmp_path / "tokens.toml"
    path.write_text(
        f'[tokens]\nalice = ["{hashed("old")}", "sha256:{hashed("new").upper()}"]\n"b b" = "{hashed("b")}"\n'
    )
    listed = TokenList.load(path)
    assert [(await listed.verify_token(token)).subject for token in ("old", "new", "b")] == ["alice", "alice", "b b"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("tokens", "alice tok-alice-5fkq\n", "has no hash for alice.*sha256sum"),
        ("tokens", "alice\n", "Line 1 .*sha256sum"),
        ("tokens", "# nobody\n", "is empty"),
        ("tokens", b"\xff\xfe", "no UTF-8"),
        ("tokens.toml", "[tokens]\nalice = tok-alice-5fkq\n", "not valid TOML"),
        ("tokens.toml", "tokens = 'tok-alice-5fkq'\n", "needs a table"),
        ("tokens.toml", "[tokens]\nalice = 'tok-alice-5fkq'\n", "has no hash for alice"),
    ],
)
def test_an_invalid_list_is_reported_without_showing_a_token(tmp_path, name, text, expected):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=expected) as raised:
        TokenList.load(path)
    assert "5fkq" not in str(raised.value)


async def test_every_hash_is_compared_in_constant_time(token_file, monkeypatch):
    compared = []
    real = __import__("hmac").compare_digest
    monkeypatch.setattr(
        "coatcheck.mcp_server.authentication.hmac.compare_digest", lambda a, b: compared.append(b) or real(a, b)
    )
    listed = TokenList.load(token_file)
    for token in (*TOKENS.values(), "wrong"):
        compared.clear()
        await listed.verify_token(token)
        assert len(compared) == len(TOKENS)


async def test_a_signed_token_identifies_its_subject(signed, provider):
    found = await signed.verify_token(provider.token("alice", scope="read write"))
    assert (found.subject, found.client_id, found.claims["iss"]) == ("alice", "one-app", ISSUER)
    assert found.scopes == ["read", "write"]
    assert (await signed.verify_token(provider.token(None))).subject is None
    assert (await signed.verify_token(provider.token("", client_id=7, azp=8))).subject is None
    for algorithm in ("RS512", "PS256"):
        unnamed = await signed.verify_token(provider.token("alice", algorithm=algorithm))
        assert unnamed.subject == "alice"


async def test_clocks_may_differ_a_little(signed, provider):
    now = int(time.time())
    found = await signed.verify_token(provider.token("alice", exp=now - 4, nbf=now + 4))
    # The SDK refuses expired tokens itself, so its expiry must include the tolerance too.
    assert found.expires_at >= now


async def test_a_signed_token_with_any_fault_identifies_no_user(signed, provider, caplog):
    caplog.set_level(logging.DEBUG, "coatcheck")
    other, now = IdentityProvider(), int(time.time())
    good = provider.token("alice")
    header, claims, signature = good.split(".")
    public = json.dumps(provider.jwk())
    unsigned = jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": now + 60, "sub": "alice"}, None, algorithm="none")
    refused = {
        "another key under the same name": other.token("alice"),
        "an unknown key": IdentityProvider("two").token("alice"),
        "expired": provider.token("alice", exp=now - 60),
        "never expires": provider.token("alice", exp=...),
        "not yet": provider.token("alice", nbf=now + 600),
        "another issuer": provider.token("alice", iss="https://other.example"),
        "no issuer": provider.token("alice", iss=...),
        "another audience": provider.token("alice", aud="https://other.example"),
        "no audience": provider.token("alice", aud=...),
        "no signature": unsigned,
        "no signature, key named": jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 60}, None, algorithm="none", headers={"kid": "one"}
        ),
        "the public key as a password": jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 60},
            hashlib.sha256(public.encode()).digest(),
            "HS256",
            headers={"kid": "one"},
        ),
        "signature cut off": f"{header}.{claims}.",
        "signature changed": f"{header}.{claims}.{signature[:-4]}AAAA",
        "claims changed": f"{header}.{claims[:-2]}AA.{signature}",
        "endless expiry": provider.token("alice", exp=float("inf")),
        "an expiry of words": provider.token("alice", exp="never"),
        "a subject that is no text": provider.token(None, sub=7),
        "no token": "",
        "two parts": "a.b",
        "not base64": "é.é.é",
        "surrogates": "\udcff.\udcff.\udcff",
        "deep header": jwt.utils.base64url_encode(b"[" * 8000).decode() + ".e30.e30",
        "a key name that is no text": jwt.utils.base64url_encode(b'{"alg":"RS256","kid":{}}').decode() + ".e30.e30",
        "long": "x" * 1_000_000,
    }
    for why, token in refused.items():
        assert await signed.verify_token(token) is None, why
    assert await signed.verify_token(good) is not None
    output = caplog.text
    assert not any(part in output for token in refused.values() for part in token.split(".") if len(part) > 8)


async def test_a_key_is_used_only_for_its_declared_algorithm(tmp_path):
    provider = IdentityProvider(kind="ES256")
    path = tmp_path / "jwks.json"
    usable = [
        {"kty": "oct", "kid": "sym", "k": jwt.utils.base64url_encode(b"secret-secret-secret-secret-secret").decode()},
        provider.jwk(kid="enc", use="enc"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
    ]
    path.write_text(provider.key_set(*usable))
    signed = JwtVerifier.open(str(path), issuer=ISSUER, audience=AUDIENCE)
    assert (await signed.verify_token(provider.token("alice"))).subject == "alice"
    symmetric = jwt.encode(
        {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 60},
        b"secret-secret-secret-secret-secret",
        "HS256",
        headers={"kid": "sym"},
    )
    assert await signed.verify_token(symmetric) is None
    provider.key_id = "enc"
    assert await signed.verify_token(provider.token("alice")) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"keys": []}', '{"keys": 5}', '{"keys": [7]}', "[" * 100_000])
def test_a_file_without_keys_is_reported_clearly(tmp_path, text):
    path = tmp_path / "jwks.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match="cannot be used"):
        JwtVerifier.open(str(path), issuer=ISSUER, audience=AUDIENCE)
    with pytest.raises(SettingsError, match="cannot be read"):
        JwtVerifier.open(str(tmp_path / "nowhere.json"), issuer=ISSUER, audience=AUDIENCE)


@pytest.mark.parametrize(
    "url", ["http://keys.example/jwks?secret=hunter2", "ftp://keys.example/x", "file:///etc/passwd"]
)
def test_keys_are_not_fetched_over_plain_http(url):
    with pytest.raises(SettingsError, match="https") as raised:
        JwtVerifier.open(url, issuer=ISSUER, audience=AUDIENCE)
    assert "hunter2" not in str(raised.value)


@contextlib.contextmanager
def published(answers):
    """A web server of an identity provider; ``answers`` returns status, headers and text for the n-th request."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, headers, text = answers(len(asked))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/jwks?secret=hunter2", asked
        finally:
            server.shutdown()
            thread.join()


async def test_keys_at_a_url_are_fetched_once_and_updated_when_they_change(caplog):
    caplog.set_level(logging.INFO, "coatcheck")
    first, second, now = IdentityProvider("one"), IdentityProvider("two"), [1000.0]
    current = [first]

    def answers(_number):
        return (500, {}, "hunter2") if current[0] is None else (200, {}, current[0].key_set())

    with published(answers) as (url, asked):
        signed = JwtVerifier.open(url, issuer=ISSUER, audience=AUDIENCE)
        signed._keys._clock = lambda: now[0]
        for _ in range(5):
            assert await signed.verify_token(first.token("alice")) is not None
        assert len(asked) == 1
        current[0] = second
        for _ in range(5):  # tokens with invented key ids cause no requests
            assert await signed.verify_token(second.token("bob")) is None
        assert len(asked) == 1
        now[0] += FETCH_AGAIN_AFTER
        assert await signed.verify_token(second.token("bob")) is not None
        assert await signed.verify_token(first.token("alice")) is None
        assert len(asked) == 2
        current[0] = None
        now[0] += KEYS_KEPT + 1
        assert (
            await signed.verify_token(second.token("bob")) is not None
        )  # the provider is unavailable, its keys stay valid
        assert len(asked) == 3
    assert "cannot be fetched" in caplog.text
    assert "hunter2" not in caplog.text
    assert "hunter2" not in repr(signed)


async def test_concurrent_callers_fetch_the_keys_once():
    provider = IdentityProvider()
    with published(lambda _number: (200, {}, provider.key_set())) as (url, asked):
        signed = JwtVerifier.open(url, issuer=ISSUER, audience=AUDIENCE)
        found = []

        async def one():
            found.append(await signed.verify_token(provider.token("alice")))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one)
        assert len(asked) == 1
        assert all(found)


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, "x" * 2_000_000),
        (200, {}, "no json"),
        (404, {}, ""),
    ],
)
async def test_a_response_without_keys_admits_no_caller(answer, provider):
    with published(lambda _number: answer) as (url, asked):
        signed = JwtVerifier.open(url, issuer=ISSUER, audience=AUDIENCE)
        assert await signed.verify_token(provider.token("alice")) is None
        assert len(asked) == 1


async def test_a_redirect_to_keys_is_not_followed(provider):
    def answers(number):
        return (302, {"Location": "/elsewhere"}, "") if number == 1 else (200, {}, provider.key_set())

    with published(answers) as (url, asked):
        signed = JwtVerifier.open(url, issuer=ISSUER, audience=AUDIENCE)
        assert await signed.verify_token(provider.token("alice")) is None
        assert len(asked) == 1


async def test_unavailable_keys_are_not_requested_at_every_call(provider):
    reads = []
    source = KeySource(lambda: reads.append(1) or b"", "nowhere")
    signed = JwtVerifier(source, issuer=ISSUER, audience=AUDIENCE)
    for _ in range(10):
        assert await signed.verify_token(provider.token("alice")) is None
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"jwks": "x", "issuer": "i"}, "needs --auth-issuer and --auth-audience"),
        ({"issuer": "i"}, "require --auth-jwks"),
        ({"audience": "i", "verifier": "a:b"}, "require --auth-jwks"),
        ({"jwks": "x", "verifier": "a:b"}, "Choose one"),
        ({"verifier": "nowhere"}, "module:attribute"),
        ({"verifier": "no_such_module:x"}, "ModuleNotFoundError"),
        ({"verifier": "json:nothing"}, "AttributeError"),
        ({"verifier": "json:decoder"}, "is not a verifier"),
    ],
)
def test_conflicting_flags_are_reported(given, expected):
    with pytest.raises(SettingsError, match=expected):
        open_authentication(**given)


def test_a_custom_verifier_may_be_an_object_a_class_or_a_function(tmp_path, monkeypatch):
    (tmp_path / "own_verifiers.py").write_text(
        "class Own:\n    async def verify_token(self, token):\n        return None\n"
        "thing = Own()\ndef make():\n    return Own()\ndef fails():\n    raise RuntimeError('hunter2')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("thing", "Own", "make"):
        assert callable(load_verifier(f"own_verifiers:{name}").verify_token)
    with pytest.raises(SettingsError, match="RuntimeError") as raised:
        load_verifier("own_verifiers:fails")
    assert "hunter2" not in str(raised.value)


def test_an_address_reachable_from_outside_needs_authentication_or_an_explicit_flag():
    with pytest.raises(SettingsError, match=r"--auth-tokens.*--unprotected"):
        Listening("streamable-http", "0.0.0.0", 8000)
    Listening("streamable-http", "0.0.0.0", 8000, authenticated=True)
    Listening("streamable-http", "0.0.0.0", 8000, unprotected=True)
    with pytest.raises(SettingsError, match="stdio"):
        Listening("stdio", "127.0.0.1", 8000, authenticated=True)


@contextlib.asynccontextmanager
async def serving(*flags: str, env: dict[str, str] | None = None):
    port = free_port()
    command = [PYTHON, "-m", "coatcheck", "serve", "--transport", "streamable-http", "--port", str(port)]
    with subprocess.Popen(  # noqa: ASYNC220 - started once, then only waited for
        [*command, "--verbose", *flags], stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    ) as process:
        try:
            await until(lambda: is_listening(port), "the server listens")
            yield f"http://127.0.0.1:{port}/mcp", process
        finally:
            process.terminate()


@pytest.mark.parametrize("kind", ["tokens", "jwks", "own"])
async def test_serve_requires_tokens_and_isolates_two_users(kind, token_file, provider, tmp_path, mode):
    tokens, env = TOKENS, {}
    if kind == "tokens":
        flags = ["--auth-tokens", str(token_file), "--host", "0.0.0.0"]
    elif kind == "jwks":
        keys = str(provider.publish(tmp_path / "jwks.json"))
        flags = ["--auth-jwks", keys, "--auth-issuer", ISSUER, "--auth-audience", AUDIENCE]
        tokens = {name: provider.token(name) for name in TOKENS}
    else:
        (tmp_path / "own_auth.py").write_text(
            "from mcp.server.auth.provider import AccessToken\n"
            "class Own:\n"
            "    async def verify_token(self, token):\n"
            "        known = token.startswith('tok-')\n"
            "        return AccessToken(token=token, client_id='c', scopes=[]) if known else None\n"
        )
        flags, env = ["--auth", "own_auth:Own"], {"PYTHONPATH": str(tmp_path)}
    async with serving(*flags, env=env) as (url, process):
        async with client_of(url, tokens["alice"], mode) as alice, client_of(url, tokens["bob"], mode) as bob:
            name = object_id_in(text_of(await alice.call_tool("object_store_put", {"value": "hers"})))
            assert "hers" in text_of(await alice.call_tool("object_store_get", {"object_id": name}))
            assert name in text_of(await alice.call_tool("object_store_list", {}))
            assert "not found" in text_of(await bob.call_tool("object_store_get", {"object_id": name}))
            assert name not in text_of(await bob.call_tool("object_store_list", {}))
        with pytest.raises(Exception, match=r".*") as refused:
            async with client_of(url, "wrong", mode) as anonymous:
                await anonymous.list_tools()
        assert "hers" not in str(refused.value)
        process.terminate()
        output = process.stderr.read()
    assert not any(token in output for token in tokens.values())
    if kind == "tokens":
        assert "TLS" in output
    assert "Traceback" not in output
