"""Each setting is an option of the same name, and the help shows the description of the setting."""

from typing import Literal, get_origin

import pytest
from typer.testing import CliRunner

from coatcheck.cli.app import app
from coatcheck.cli.settings_options import ALL, COMMON, GROUPS, flag_of
from coatcheck.settings import Settings, unknown_variables

WITHOUT_FLAG = {name for name, kind in ALL.items() if kind is None}


def test_every_setting_is_in_one_group_of_the_help():
    assert sorted(ALL) == sorted(Settings.model_fields)
    assert sum(map(len, GROUPS.values())) == len(set(ALL))


@pytest.mark.parametrize("command", ["wrap", "serve", "doctor"])
def test_the_help_lists_every_setting_with_its_description(command):
    output = CliRunner().invoke(app, [command, "--help"]).stdout
    words = " ".join(output.split())
    assert max(map(len, output.splitlines())) <= 80
    for name in [each for each in COMMON if each != "toolset"] if command == "wrap" else ():
        assert output.index(f"{flag_of(name)} ") < output.index("Server to wrap:")
    for name, field in Settings.model_fields.items():
        if name in WITHOUT_FLAG:
            assert flag_of(name) not in output
            continue
        assert flag_of(name) in output
        assert " ".join((field.description or "").split()) in words


@pytest.mark.parametrize("name", sorted(ALL.keys() - WITHOUT_FLAG))
def test_an_option_accepts_the_values_of_its_setting(name):
    kind, declared = ALL[name], Settings.model_fields[name].annotation
    if get_origin(kind) is Literal:
        assert kind == declared
    elif kind is list:
        assert "tuple" in str(declared)
    elif kind is str:
        assert not {int, float, bool} & {declared}
    else:
        assert kind.__name__ in str(declared)


@pytest.mark.parametrize("name", sorted(WITHOUT_FLAG))
def test_a_secret_has_no_flag(name):
    assert CliRunner().invoke(app, ["doctor", flag_of(name), "x"]).exit_code == 2


def test_a_misspelt_alias_is_reported_but_no_variable_of_other_programs(monkeypatch):
    for name in ("REDIS_URI", "OBJECT_STORE_TLL", "REDIS_URL", "API_URL", "SHARED_OBJECT_TTL", "CLOUD_API_KEY"):
        monkeypatch.setenv(f"DEEPSET_{name}", "x")
    assert unknown_variables() == {
        "DEEPSET_OBJECT_STORE_TLL": "DEEPSET_OBJECT_STORE_TTL",
        "DEEPSET_REDIS_URI": "DEEPSET_REDIS_URL",
    }
