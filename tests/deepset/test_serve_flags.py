"""Flags of ``coatcheck serve --toolset deepset``: listing and validation."""

from functools import partial

import pytest

from coatcheck.toolsets.deepset.tools.deepset_registry import deepset_registry
from tests.deepset.serving import SERVE


@pytest.fixture
def serve(command):
    return partial(command, *SERVE)


def test_tools_are_listed_one_per_line_without_a_key(serve):
    done = serve("--list-tools")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in done.stdout.splitlines()}
    assert deepset_registry().keys() <= lines.keys()
    assert lines["validate_index"] == "Have the platform validate the configuration of an index, without saving it."
    few = serve("--list-tools", "--tools", "get_index, list_secrets", "--tool", "object_store_get")
    assert [line.split()[0] for line in few.stdout.splitlines()] == ["object_store_get", "get_index", "list_secrets"]


@pytest.mark.parametrize(
    ("flags", "variables", "expected"),
    [
        ([], {}, "set DEEPSET_API_KEY (or --api-key,"),
        ([], {"DEEPSET_API_KEY": "s3cret key"}, "without spaces or line breaks."),
        (["--api-key-from-auth-header"], {}, "--transport streamable-http"),
        (["--tools", "get_pipelin"], {"DEEPSET_API_KEY": "s3cret"}, "Did you mean get_pipeline"),
        (["--docs-share-url", "https://x/?share_token=s3cret"], {"DEEPSET_API_KEY": "s3cret"}, "share URL"),
        (
            [],
            {"DEEPSET_API_KEY": "k", "DEEPSET_CLIENT_TIMEOUT": "s3cret"},
            "client_timeout in DEEPSET_CLIENT_TIMEOUT: a number",
        ),
        (
            ["--client-timeout", "s3cret"],
            {"DEEPSET_API_KEY": "k", "DEEPSET_CLIENT_TIMEOUT": "5"},
            "deepset: client_timeout: a number",
        ),
        (["--worksapce", "x"], {"DEEPSET_API_KEY": "s3cret"}, "Did you mean --workspace"),
    ],
)
def test_invalid_settings_are_reported_without_traceback_or_secret(serve, flags, variables, expected):
    done = serve(*flags, **variables)
    assert done.returncode == 2
    assert expected in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert ".." not in done.stderr
    assert "s3cret" not in done.stderr + done.stdout


def test_keys_from_requests_exclude_other_ways_of_authentication(serve, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text(f"ada {'0' * 64}\n")
    done = serve("--api-key-from-auth-header", "--auth-tokens", str(tokens), "--transport", "streamable-http")
    assert done.returncode == 2
    assert "leave out --auth-tokens" in done.stderr


def test_the_help_names_every_flag_of_the_toolset(serve):
    shown = serve("--help").stdout
    for flag in ("api-key", "api-url", "workspace", "workspace-mode", "docs-share-url", "client-timeout",
                 "api-key-from-auth-header", "shared-object-ttl"):  # fmt: skip
        assert f"--{flag}" in shown
