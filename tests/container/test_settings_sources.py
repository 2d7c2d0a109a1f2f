"""An invalid value is reported with the place where it is: a variable, or a line of the settings file."""

import pytest

from coatcheck.errors import SettingsError
from coatcheck.settings import Settings


@pytest.fixture
def refused(monkeypatch, tmp_path):
    """Write a settings file, read it, and return what the error says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COATCHECK_CONFIG", "settings.toml")

    def read(text: str | bytes) -> str:
        (tmp_path / "settings.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(SettingsError) as caught:
            Settings()
        return str(caught.value)

    return read


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_an_invalid_value_of_each_setting_is_reported_with_its_line(setting, refused):
    message = refused(f"# settings\n\n{setting} = [[1]]\n")
    assert message.startswith(f"Settings: {setting} in settings.toml, line 3: ")
    assert not any(word in message for word in ("tuple", "Input", "should", "String"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inline_limt = 5", "inline_limt in settings.toml, line 1: there is no such setting; did you mean inline_limi"),
        (
            "redis_ids = 'short'\n[tool_limits]\n'git_*' = 'x'",
            "tool_limits in settings.toml, line 2: a whole number is",
        ),
        ("tool_limits = 5", "tool_limits in settings.toml, line 1: a table is expected, in a variable git_*=8000"),
        ("never_keep = 5", "never_keep in settings.toml, line 1: a list is expected, in a variable with commas"),
        ("object_store_options = 'x'", "object_store_options in settings.toml, line 1: a table is expected"),
        (" 'sandbox_timeout'=0\r\n", "sandbox_timeout in settings.toml, line 1: a number greater than 0 is expected"),
        ("inline_limit = true", "inline_limit in settings.toml, line 1: a number is expected, not true or false"),
        ("object_store_ttl = false", "object_store_ttl in settings.toml, line 1: a number is expected, not true"),
        ("[tool_limits]\na = true", "tool_limits in settings.toml, line 1: a number is expected, not true or false"),
        ("inline_limit = 1\ninline_limit = 2", "settings.toml is not valid TOML: "),
        (b"redis_prefix = '\xff'", "settings.toml is not in UTF-8 (byte 16)"),
    ],
)
def test_an_error_in_the_file_names_file_line_and_the_correct_form(text, expected, refused):
    assert expected in refused(text)


def test_each_error_names_where_its_value_came_from(refused, monkeypatch):
    monkeypatch.setenv("coatcheck_preview_limit", "x")
    monkeypatch.setenv("DEEPSET_OBJECT_STORE_TTL", "soon")
    monkeypatch.setenv("COATCHECK_REDIS_TIMEOUT", "")
    message = refused("preview_limit = 1\nredis_timeout = 'x'\n")
    assert "preview_limit in COATCHECK_PREVIEW_LIMIT: " in message
    assert "object_store_ttl in DEEPSET_OBJECT_STORE_TTL: " in message
    assert "redis_timeout in settings.toml, line 2: " in message
    with pytest.raises(SettingsError, match=r"; preview_limit: a number of at least 200 is expected"):
        Settings(preview_limit=-1)


def test_a_byte_order_mark_in_the_settings_file_is_dropped(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_bytes(b"\xef\xbb\xbfinline_limit = 7\r\n")
    assert Settings.load(file).inline_limit == 7
