import json
import os
import stat

import pytest

from coatcheck.errors import SettingsError
from coatcheck.installer import CLIENTS, ConfigFile, ConfigFileError, carry_out, plan_install, plan_uninstall, states_of
from coatcheck.installer.client_registry import parse_config
from coatcheck.installer.config_files import backup_path
from tests.installer.conftest import LAUNCHER, contents, is_same_config, wrap_text
from tests.installer.test_round_trip import install, values_of


def change(place, old, new):
    text = place.path.read_bytes().decode()
    assert text.count(old) == 1
    place.path.write_bytes(text.replace(old, new).encode())


def test_changes_by_the_user_after_install_survive_uninstall(sample):
    place = sample("cursor")
    original = place.path.read_bytes().decode()
    install(place)
    change(place, '"empty-args": {', '"mine": {"command": "new"}, "empty-args": {')
    change(place, '"brave-search@latest"', '"brave-search@1.0"')
    answer = carry_out(plan_uninstall(place))
    expected = original.replace('"empty-args": {', '"mine": {"command": "new"}, "empty-args": {')
    assert place.path.read_bytes().decode() == expected.replace('"brave-search@latest"', '"brave-search@1.0"')
    assert backup_path(place.path).read_bytes().decode() == original
    assert "those changes stay" in answer[0]


def test_uninstall_restores_the_servers_of_a_file_that_the_client_rewrote(sample):
    for name in ("claude-desktop", "claude-code"):
        place = sample(name)
        original = json.loads(place.path.read_text())
        install(place)
        place.path.write_text(json.dumps(json.loads(place.path.read_text()), sort_keys=True))
        carry_out(plan_uninstall(place))
        now = json.loads(place.path.read_text())
        # Missing arguments become an empty list if the order was lost.
        assert now["mcpServers"].get("bare", {}).pop("args", []) == []
        assert now == original


def test_without_the_backup_the_servers_are_still_restored(client_name, sample):
    place = sample(client_name)
    original = values_of(place)
    install(place)
    backup_path(place.path).unlink()
    carry_out(plan_uninstall(place))
    assert not any(state.wrapped for state in states_of(place))
    assert without_empty_args(values_of(place)) == without_empty_args(original)


def without_empty_args(value):
    if isinstance(value, dict):
        return {key: without_empty_args(inner) for key, inner in value.items() if (key, inner) != ("args", [])}
    return [without_empty_args(inner) for inner in value] if isinstance(value, list) else value


def test_servers_can_be_installed_and_uninstalled_one_by_one(sample):
    place = sample("codex")
    before = contents(place.path.parent)
    for name in ("dotted", "context7", "indented"):
        install(place, [name])
    assert [state.label for state in states_of(place) if state.wrapped] == ["context7", "indented", "dotted"]
    for name in ("context7", "dotted", "indented"):
        carry_out(plan_uninstall(place, [name]))
    assert contents(place.path.parent) == before


def test_a_second_install_after_a_change_keeps_the_older_backup_too(sample):
    place = sample("claude-desktop")
    original = place.path.read_bytes()
    install(place, ["git"])
    change(place, '"Ctrl+Space"', '"Alt+Space"')
    _, answer = install(place)
    assert backup_path(place.path).read_bytes() == original.replace(b"Ctrl+Space", b"Alt+Space")
    assert place.path.with_name(backup_path(place.path).name + ".1").read_bytes() == original
    assert "older backup" in answer[0]
    carry_out(plan_uninstall(place))
    assert place.path.read_bytes() == original.replace(b"Ctrl+Space", b"Alt+Space")


def test_a_manually_wrapped_server_stays_wrapped(tmp_path):
    path = tmp_path / "mcp.json"
    path.write_text(
        '{"mcpServers": {"a": {"command": "coatcheck", "args": ["wrap", "--", "x"]},'
        ' "b": {"command": "uvx", "args": ["--from", "coatcheck[redis]", "coatcheck", "wrap", "--tokens", "--", "x"]},'
        ' "c": {"command": "python", "args": ["-m", "coatcheck", "wrap", "--", "x"]},'
        ' "d": {"command": "C:\\\\bin\\\\coatcheck.exe", "args": ["wrap", "--", "x"]},'
        ' "e": {"command": "gift", "args": ["wrap", "coatcheck"]}}}'
    )
    place = ConfigFile(CLIENTS["cursor"], path)
    before = path.read_bytes()
    plan, _ = install(place)
    assert [outcome.action for outcome in plan.outcomes] == ["unchanged"] * 4 + ["wrapped"]
    carry_out(plan_uninstall(place))
    assert path.read_bytes() == before


def test_a_wrapped_server_with_custom_options_is_left_unchanged(tmp_path):
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"b": {"command": "coatcheck", "args": ["wrap", "--tokens", "--", "x"]}}}')
    plan = plan_uninstall(ConfigFile(CLIENTS["cursor"], path))
    assert not plan.changes
    assert "options of its own" in plan.outcomes[0].reason


def test_a_comment_between_the_inserted_arguments_is_preserved(tmp_path):
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"a": {"command": "x", "args": [\n  "y"\n]}}}')
    place = ConfigFile(CLIENTS["cursor"], path)
    install(place)
    change(place, '"x",\n', '"x", // mine\n')
    carry_out(plan_uninstall(place))
    assert path.read_text() == '{"mcpServers": {"a": {"command": "x", "args": [\n   // mine\n  "y"\n]}}}'


@pytest.mark.parametrize(
    ("client", "text", "place", "reason"),
    [
        ("cursor", '{\n  "mcpServers": {\n    "a" "b"\n  }\n}', "line 3, column 9", "a : is missing"),
        ("cursor", '{"mcpServers": {"a": {"command": "topsecret}}}', "line 1, column 34", "unterminated string"),
        ("cursor", '{"mcpServers": {} /* no end', "line 1, column 19", "comment has no end"),
        ("cursor", '{"mcpServers": {}}\n}', "line 2, column 1", "more behind the end"),
        ("cursor", '{"mcpServers": []}', "line 1, column 2", "not an object"),
        ("cursor", '{"mcpServers": {}, "mcpServers": {}}', "line 1, column 20", "appears twice"),
        ("cursor", '{"mcpServers": {"a": {"command": "x", "n": NaN}}}', "line 1, column 44", "malformed"),
        ("cursor", "[" * 100_000, "line 1, column 1", "too deeply"),
        ("codex", '[mcp_servers.a]\ncommand = "x"\nargs = ["y"\n', "line 4", "Unclosed array"),
        ("codex", "[mcp_servers.a]\ncommand = 'x'\ncommand = 'topsecret'\n", "line 3, column 22", "overwrite"),
        ("codex", "# one\u2028line\n[mcp_servers.a]\ncommand = 1x\n", "line 3, column 12", "newline"),
        ("codex", "\ufeffcommand = 1x\n", "line 1, column 13", "newline"),
    ],
)
def test_a_malformed_file_is_refused_unchanged_with_the_position_of_the_fault(tmp_path, client, text, place, reason):
    path = tmp_path / "file"
    path.write_text(text)
    for plan in (lambda target: plan_install(target, LAUNCHER), plan_uninstall, states_of):
        with pytest.raises(ConfigFileError) as caught:
            plan(ConfigFile(CLIENTS[client], path))
        assert place in str(caught.value)
        assert reason in str(caught.value)
        assert str(path) in str(caught.value)
        assert "topsecret" not in str(caught.value)
    assert contents(tmp_path) == {"file": text.encode()}


def test_a_file_with_nan_and_infinity_is_accepted(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('odd = [nan, -inf, 1e999, 1.50]\n[mcp_servers.a]\ncommand = "x"\n')
    before = path.read_bytes()
    place = ConfigFile(CLIENTS["codex"], path)
    install(place)
    assert [state.wrapped for state in states_of(place)] == [True]
    carry_out(plan_uninstall(place))
    assert path.read_bytes() == before


def test_a_file_in_another_encoding_is_refused_unchanged(tmp_path):
    path = tmp_path / "mcp.json"
    path.write_bytes('{"mcpServers": {}}'.encode("utf-16"))
    with pytest.raises(ConfigFileError, match="not in UTF-8"):
        plan_install(ConfigFile(CLIENTS["cursor"], path), LAUNCHER)


@pytest.mark.parametrize("text", ["", "\n", "{}", '{"other": 1}', "// nothing yet\n", "\ufeff"])
def test_a_file_without_servers_has_nothing_to_change(tmp_path, text):
    path = tmp_path / "mcp.json"
    path.write_text(text, encoding="utf-8")
    plan, answer = install(ConfigFile(CLIENTS["cursor"], path))
    assert not plan.changes
    assert (plan.outcomes, answer) == ([], [])
    assert path.read_text(encoding="utf-8") == text


def test_a_file_that_changes_before_the_confirmation_is_not_overwritten(sample):
    place = sample("cursor")
    plan = plan_install(place, LAUNCHER)
    change(place, '"my-server","args"', '"your-server","args"')
    now = place.path.read_bytes()
    with pytest.raises(ConfigFileError, match="changed in the meantime"):
        carry_out(plan)
    assert contents(place.path.parent) == {place.path.name: now}


def test_a_file_that_is_deleted_before_the_confirmation_is_not_created_again(sample):
    place = sample("cursor")
    plan = plan_install(place, LAUNCHER)
    place.path.unlink()
    with pytest.raises(ConfigFileError, match="cannot be read"):
        carry_out(plan)
    assert not place.path.exists()


def test_links_are_followed_and_permissions_preserved(sample, tmp_path):
    place = sample("claude-code")
    place.path.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(place.path)
    install(ConfigFile(place.client, link))
    assert link.is_symlink()
    backup = place.path.with_name(place.path.name + ".coatcheck-backup")
    for path in (place.path, backup):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert states_of(place)[0].wrapped
    assert set(place.path.parent.iterdir()) == {place.path, backup}


def test_a_folder_that_cannot_be_written_leaves_the_file_unchanged(sample, monkeypatch):
    place = sample("cursor")
    before = contents(place.path.parent)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigFileError, match="No space left"):
        install(place)
    assert contents(place.path.parent) == before


def test_a_missing_server_is_reported_with_the_existing_ones(sample):
    with pytest.raises(SettingsError, match=r'no server "gti"; there are: bare, filesystem, git, github'):
        plan_install(sample("claude-desktop"), LAUNCHER, ["gti"])


def test_a_launcher_of_several_words_can_be_installed_and_uninstalled(client_name, sample):
    place = sample(client_name)
    before = place.path.read_bytes()
    carry_out(plan_install(place, ("/usr/bin/python3", "-m", "coatcheck")))
    wrapped = [state for state in states_of(place) if state.wrapped]
    assert all(state.command[:4] == ("/usr/bin/python3", "-m", "coatcheck", "wrap") for state in wrapped)
    assert parse_config(place.path.read_text("utf-8"), place.client)
    carry_out(plan_uninstall(place))
    assert place.path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"-y"', '"-n"'),
        ("ghp_secret0123456789", "ghp_other"),
        ("Ctrl+Space", "Alt+Space"),
        ('"git"', '"gut"'),
        ('"uvx"', '"uvy"'),
    ],
)
def test_a_text_with_any_other_change_is_detected(sample, old, new):
    place = sample("claude-desktop")
    text = place.path.read_text()
    wrapped = wrap_text(text, place.client).text
    assert is_same_config(text, wrapped, place.client)
    assert not is_same_config(text, wrapped.replace(old, new, 1), place.client)
