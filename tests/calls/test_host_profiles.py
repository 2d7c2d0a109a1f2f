"""The form of a result for a client: by setting, by announced capabilities, by client name."""

import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.calls.host_profiles import (
    NAMES,
    PROFILES,
    UNKNOWN_CLIENT,
    Client,
    client_of_initialize,
    client_of_request,
    has_view,
    inline_characters,
    is_for_the_app_alone,
    profile_of,
    result_form,
    with_raised_limit,
)
from coatcheck.calls.interceptor import MAX_TOOLS, Interceptor
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore

APPS = {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}}
PLAIN = {"name": "rows"}
VIEW = {"name": "dashboard", "_meta": {"ui": {"resourceUri": "ui://server/view.html"}}}
OLD_VIEW = {"name": "dashboard", "_meta": {"ui/resourceUri": "ui://server/view.html"}}
APP_ONLY = {"name": "refresh", "_meta": {"ui": {"visibility": ["app"]}}}


def client(name: str, *, apps: bool = False) -> Client:
    return client_of_initialize({"clientInfo": {"name": name, "version": "1"}, "capabilities": APPS if apps else {}})


@pytest.mark.parametrize("name", ["claude-code", "codex-mcp-client", "opencode"])
def test_hosts_whose_model_reads_structured_content_get_it_shortened(name):
    for tool in (PLAIN, VIEW):
        assert result_form(client(name), tool, server_has_apps=True) == "short"


@pytest.mark.parametrize("name", ["Visual Studio Code", "goose", "something else", ""])
def test_other_hosts_get_it_whole_only_from_tools_with_a_view(name):
    assert result_form(client(name), VIEW, server_has_apps=True) == "whole"
    assert result_form(client(name), OLD_VIEW, server_has_apps=True) == "whole"
    assert result_form(client(name), PLAIN, server_has_apps=True) == "short"


@pytest.mark.parametrize("name", ["claude-code", "codex-mcp-client", "Visual Studio Code", "goose", "something else"])
def test_a_client_that_shows_views_gets_it_whole_from_every_tool_of_a_server_with_views(name):
    for tool in (PLAIN, VIEW, None):
        assert result_form(client(name, apps=True), tool, server_has_apps=True) == "whole"
    assert result_form(client(name, apps=True), PLAIN, server_has_apps=False) == "short"


@pytest.mark.parametrize("form", ["whole", "short"])
def test_the_setting_takes_precedence(form):
    for who in (client("claude-code"), client("goose", apps=True), UNKNOWN_CLIENT):
        assert result_form(who, VIEW, server_has_apps=True, structured_content=form) == form


def test_the_profile_can_be_set():
    assert profile_of(client("my-host"), "vscode").name == "vscode"
    assert result_form(client("my-host"), VIEW, server_has_apps=True, host_profile="claude-code") == "short"


def test_the_client_of_a_request_of_2026_07_28_is_read_from_its_meta():
    params = {
        "_meta": {
            "io.modelcontextprotocol/clientInfo": {"name": "codex-mcp-client", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": APPS,
        }
    }
    assert client_of_request(params) == Client("codex-mcp-client", shows_apps=True)


@pytest.mark.parametrize("params", [None, [], {}, {"_meta": 1}, {"clientInfo": 3, "capabilities": {"extensions": []}}])
def test_malformed_client_information_is_ignored(params):
    assert client_of_initialize(params) == UNKNOWN_CLIENT
    assert client_of_request(params) == UNKNOWN_CLIENT


def test_tools_are_distinguished_by_their_meta():
    assert has_view(VIEW)
    assert has_view(OLD_VIEW)
    assert not has_view(PLAIN)
    assert not has_view(None)
    assert is_for_the_app_alone(APP_ONLY)
    assert not is_for_the_app_alone({"_meta": {"ui": {"visibility": ["model", "app"]}}})
    assert not is_for_the_app_alone({"_meta": {"ui": "app"}})


def test_a_hosts_limit_is_in_bytes():
    vscode = profile_of(client("Visual Studio Code"))
    assert inline_characters(vscode, 20_000, "a" * 50_000) == 8_192
    assert inline_characters(vscode, 20_000, "漢" * 50_000) == 8_192 // 3
    assert inline_characters(profile_of(UNKNOWN_CLIENT), 8_000, "漢" * 50_000) == 8_000


def test_a_tool_whose_results_always_pass_whole_is_marked_for_claude_code_once():
    marked = with_raised_limit({"name": "x", "_meta": {"own": 1}})
    assert marked["_meta"] == {"own": 1, "anthropic/maxResultSizeChars": 500_000}
    own = {"name": "x", "_meta": {"anthropic/maxResultSizeChars": 1_000}}
    assert with_raised_limit(own) is own


def test_profile_names_are_unique():
    assert len({profile.name for profile in PROFILES}) == len(PROFILES)


def test_the_setting_accepts_every_profile():
    from typing import get_args

    from coatcheck.settings import Settings

    assert set(get_args(Settings.model_fields["host_profile"].annotation)) == {"auto", *NAMES}


def test_a_server_that_lists_new_views_on_each_call_does_not_fill_memory():
    interceptor = Interceptor(Explorer(ObjectStore(InMemoryBackend())))
    for number in range(MAX_TOOLS + 10):
        interceptor.learn([{**VIEW, "name": f"view_{number}", "inputSchema": {}}])
    assert len(interceptor._ui_tools) == len(interceptor._inputs) == MAX_TOOLS
