import json
import tomllib

import pytest

from coatcheck.installer import CLIENTS, ConfigFile, carry_out, plan_install, plan_uninstall, states_of
from coatcheck.installer.client_registry import parse_config
from coatcheck.installer.server_entries import entries_of
from tests.installer.conftest import FILES, LAUNCHER, SAMPLES, WRAPPING, contents, secrets_in, unwrap_text, wrap_text

WRAPPED = {
    "claude-desktop": ["filesystem", "git", "github", "bare"],
    "claude-code": ["memory", "boldsign", "sentry", "memory (in /home/zoe/shop)"],
    "cursor": ["search", "empty-args", "spaces", "remote"],
    "vscode": ["perplexity", "docs"],
    "windsurf": ["figma", "ollama"],
    "codex": ["context7", "my server", "indented", "inline", "dotted"],
    "gemini-cli": ["git", "github", "events", "python"],
}


def install(place, only=(), *, shared_store=False, options=()):
    plan = plan_install(place, LAUNCHER, only, shared_store=shared_store, options=options)
    return plan, carry_out(plan)


def values_of(place):
    return parse_config(place.path.read_text("utf-8"), place.client).root.value()


@pytest.mark.parametrize("shared_store", [False, True])
def test_after_install_status_and_uninstall_a_file_is_identical(client_name, sample, shared_store):
    place = sample(client_name)
    before = contents(place.path.parent)
    install(place, shared_store=shared_store)
    assert place.path.read_bytes() != before[place.path.name]
    assert [state.label for state in states_of(place) if state.wrapped] == WRAPPED[client_name]
    carry_out(plan_uninstall(place))
    assert contents(place.path.parent) == before


def test_the_backup_contains_the_original_file(client_name, sample):
    place = sample(client_name)
    before = place.path.read_bytes()
    _, answer = install(place)
    backup = place.path.with_name(place.path.name + ".coatcheck-backup")
    assert backup.read_bytes() == before
    assert str(backup) in answer[0]


def test_removing_the_insertions_gives_the_same_text_without_the_backup(client_name, sample):
    place = sample(client_name)
    text = place.path.read_bytes().decode()
    wrapped = wrap_text(text, place.client)
    assert unwrap_text(wrapped.text, place.client, text) == text


def test_with_a_shared_store_every_server_uses_the_user_s_file(client_name, sample):
    place = sample(client_name)
    install(place, shared_store=True)
    wrapped = [state for state in states_of(place) if state.wrapped]
    assert {state.command[:4] for state in wrapped} == {(*WRAPPING, "--object-store-backend", "sqlite")}
    assert {state.command[4] for state in wrapped} <= {"--", "--url"}
    assert all(state.shares_store for state in wrapped)


@pytest.mark.parametrize("wanted", [{"shared_store": True}, {"options": ["--inline-limit", "500"]}])
def test_installing_again_with_other_options_says_how_to_change_them(sample, client_name, wanted):
    place = sample(client_name)
    install(place)
    plan, _ = install(place, **wanted)
    assert not plan.changes
    reasons = {outcome.reason for outcome in plan.outcomes if outcome.action == "unchanged"}
    assert reasons == {"it is wrapped already, with other options: uninstall it first to change them"}


def test_a_server_that_was_wrapped_by_hand_is_said_to_have_options_of_its_own(sample):
    place = sample("cursor")
    place.path.write_text('{"mcpServers": {"one": {"command": "coatcheck", "args": ["wrap", "-v", "--", "one"]}}}')
    plan, _ = install(place)
    assert [outcome.reason for outcome in plan.outcomes] == ["it is wrapped already, with options of its own"]


def test_installing_twice_changes_nothing_more(client_name, sample):
    place = sample(client_name)
    install(place)
    once = contents(place.path.parent)
    plan, _ = install(place)
    assert not plan.changes
    assert {outcome.action for outcome in plan.outcomes} <= {"unchanged", "left alone"}
    assert contents(place.path.parent) == once


def test_every_original_command_follows_the_inserted_arguments(client_name, sample):
    place = sample(client_name)
    before = {
        entry.path: entry
        for entry in entries_of(parse_config(place.path.read_text("utf-8"), place.client), place.client)
    }
    install(place)
    for entry in entries_of(parse_config(place.path.read_text("utf-8"), place.client), place.client):
        if entry.wrap_position is not None and before[entry.path].words:
            assert entry.words == [*LAUNCHER, "wrap", "--", *before[entry.path].words]


def test_the_new_file_is_valid_and_otherwise_unchanged(sample):
    desktop, codex = sample("claude-desktop"), sample("codex")
    old_desktop, old_codex = json.loads(desktop.path.read_text()), tomllib.loads(codex.path.read_text())
    install(desktop)
    install(codex)
    new_desktop, new_codex = json.loads(desktop.path.read_text()), tomllib.loads(codex.path.read_text())
    assert list(new_desktop["mcpServers"]) == list(old_desktop["mcpServers"])
    old_desktop["mcpServers"]["bare"] |= {"command": LAUNCHER[0], "args": ["wrap", "--", "/usr/local/bin/bare-server"]}
    assert new_desktop["mcpServers"]["bare"] == old_desktop["mcpServers"]["bare"]
    assert {**new_desktop, "mcpServers": 0} == {**old_desktop, "mcpServers": 0}
    mine = {"command": LAUNCHER[0], "args": ["wrap", "--", "npx", "-y", "@upstash/context7-mcp"]}
    assert new_codex["mcp_servers"]["context7"] == old_codex["mcp_servers"]["context7"] | mine
    assert new_codex["mcp_servers"]["figma"] == old_codex["mcp_servers"]["figma"]
    assert {**new_codex, "mcp_servers": 0} == {**old_codex, "mcp_servers": 0}


def test_comments_line_endings_and_the_byte_order_mark_are_preserved(client_name, sample):
    place = sample(client_name)
    before = place.path.read_bytes()
    old = parse_config(before.decode(), place.client)
    install(place)
    after = place.path.read_bytes()
    new = parse_config(after.decode(), place.client)
    assert [new.text[a:b] for a, b in new.comments] == [old.text[a:b] for a, b in old.comments]
    assert after.startswith(b"\xef\xbb\xbf") == before.startswith(b"\xef\xbb\xbf")
    assert (after.count(b"\r\n") == after.count(b"\n")) == (before.count(b"\r\n") == before.count(b"\n"))
    assert len(after) - len(after.rstrip()) == len(before) - len(before.rstrip())


def test_the_samples_contain_the_difficult_cases():
    raw = {name: (SAMPLES / file).read_bytes() for name, file in FILES.items()}
    assert raw["vscode"].count(b"\r\n") == raw["vscode"].count(b"\n") > 10
    assert raw["windsurf"].startswith(b"\xef\xbb\xbf")
    assert not raw["claude-desktop"].endswith(b"\n")
    assert b'"mcpServers": {}' in raw["claude-code"]
    assert all(secrets_in(text.decode()) for name, text in raw.items())


def test_a_url_becomes_a_command_whose_headers_are_variables(sample):
    place = sample("claude-code")
    install(place)
    assert values_of(place)["mcpServers"]["boldsign"] == {
        "type": "stdio",
        "command": LAUNCHER[0],
        "args": [
            *("wrap", "--url", "https://mcp.example.com/mcp"),
            *("--header", "X-API-Key: $COATCHECK_HEADER_X_API_KEY"),
            *("--header", "Authorization: $COATCHECK_HEADER_AUTHORIZATION"),
        ],
        "env": {
            "COATCHECK_HEADER_X_API_KEY": "boldsign-secret-key",
            "COATCHECK_HEADER_AUTHORIZATION": "Bearer ${BOLDSIGN_TOKEN}",
        },
    }


def test_the_sse_transport_is_selected_if_the_client_would_use_it(sample):
    vscode, gemini = sample("vscode"), sample("gemini-cli")
    install(vscode)
    install(gemini)
    assert values_of(vscode)["servers"]["docs"]["args"] == ["wrap", "--url", "http://127.0.0.1:8123/sse", "--sse"]
    assert values_of(gemini)["mcpServers"]["events"]["args"] == ["wrap", "--url", "http://localhost:3001/sse", "--sse"]
    assert "--sse" not in values_of(gemini)["mcpServers"]["github"]["args"]


@pytest.mark.parametrize(
    ("client", "server", "reason"),
    [
        ("vscode", "odd", "not a string"),
        ("vscode", "socket", 'type is "ws"'),
        ("windsurf", "query", "may contain a secret"),
        ("codex", "figma", "fills in its headers"),
        ("gemini-cli", "adc", "signs in to it"),
    ],
)
def test_a_server_that_cannot_be_wrapped_is_unchanged_and_reported(sample, client, server, reason):
    place = sample(client)
    before = next(
        entry.node.value()
        for entry in entries_of(parse_config(place.path.read_text("utf-8"), place.client), place.client)
        if entry.name == server
    )
    plan, _ = install(place)
    assert [outcome.action for outcome in plan.outcomes if outcome.label == server] == ["left alone"]
    assert reason in next(outcome.reason for outcome in plan.outcomes if outcome.label == server)
    after = next(
        entry.node.value()
        for entry in entries_of(parse_config(place.path.read_text("utf-8"), place.client), place.client)
        if entry.name == server
    )
    assert after == before


def test_a_url_that_may_need_a_sign_in_is_wrapped_and_the_command_to_sign_in_is_named(sample):
    place = sample("claude-code")
    before = place.path.read_bytes()
    plan, _ = install(place, ["sentry"])
    assert values_of(place)["mcpServers"]["sentry"]["args"] == ["wrap", "--url", "https://mcp.sentry.dev/mcp"]
    assert plan.outcomes[0].note.endswith("does not carry over: coatcheck login https://mcp.sentry.dev/mcp")
    assert [state.label for state in states_of(place) if state.wrapped] == ["sentry"]
    carry_out(plan_uninstall(place))
    assert place.path.read_bytes() == before


@pytest.mark.parametrize("url", ["http://[::1/mcp", "http://[x]/sse"])
def test_a_server_at_a_malformed_url_is_unchanged(tmp_path, url):
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"a": {"url": url, "headers": {"A": "b"}}, "b": {"command": "x"}}}))
    plan, _ = install(ConfigFile(CLIENTS["cursor"], path))
    assert [(outcome.action, outcome.reason) for outcome in plan.outcomes] == [
        ("left alone", "its URL is malformed"),
        ("wrapped", ""),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[mcp_servers.notion]\nurl = "https://mcp.notion.com/mcp"\nstartup_timeout_sec = 5\n',
        "[mcp_servers.notion] # n\r\n  \"url\" = 'https://mcp.notion.com/mcp' # c\r\n",
        '[mcp_servers]\nnotion = { url = "https://mcp.notion.com/mcp", enabled = true }\n',
        '[mcp_servers]\nnotion.url = "https://mcp.notion.com/mcp"\n',
    ],
)
def test_a_url_in_codex_is_wrapped_in_any_notation_and_restored(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode())
    before = contents(tmp_path)
    place = ConfigFile(CLIENTS["codex"], path)
    install(place)
    entry = values_of(place)["mcp_servers"]["notion"]
    assert entry["command"] == LAUNCHER[0]
    assert entry["args"] == ["wrap", "--url", "https://mcp.notion.com/mcp"]
    assert unwrap_text(path.read_bytes().decode(), place.client, text) == text
    carry_out(plan_uninstall(place))
    assert contents(tmp_path) == before
