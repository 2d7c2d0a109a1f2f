"""Each setting is an option of its own name, and the help says of it what the settings say."""

from typing import get_args

import pytest
from typer.testing import CliRunner

from coatcheck.cli import settings_options
from coatcheck.cli.app import app
from coatcheck.cli.settings_options import ALL, COMMON, GROUPS, flag_of
from coatcheck.settings import Settings


def test_every_setting_is_in_one_group_of_the_help():
    assert sorted(ALL) == sorted(Settings.model_fields)
    assert sum(map(len, GROUPS.values())) == len(set(ALL))


@pytest.mark.parametrize("command", ["wrap", "serve", "doctor"])
def test_the_help_lists_every_setting_with_its_description(command):
    said = CliRunner().invoke(app, [command, "--help"]).stdout
    words = " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 80
    for name in [each for each in COMMON if each != "toolset"] if command == "wrap" else ():
        assert said.index(f"{flag_of(name)} ") < said.index("Server to wrap:")
    for name, field in Settings.model_fields.items():
        if name in settings_options._VARIABLE_ONLY:
            assert flag_of(name) not in said
            continue
        assert flag_of(name) in said
        assert " ".join((field.description or "").split()) in words


@pytest.mark.parametrize("name", [name for name in ALL if name not in settings_options._VARIABLE_ONLY])
def test_an_option_takes_what_its_setting_takes(name):
    _, annotation, _ = settings_options._option(name)
    if name in settings_options._CHOICES:
        assert settings_options._CHOICES[name] == Settings.model_fields[name].annotation
        return
    kind = str(get_args(annotation)[0])
    declared = str(Settings.model_fields[name].annotation)
    if name in settings_options._LISTS:
        assert "tuple" in declared
    elif "int" in kind:
        assert "int" in declared
    elif "float" in kind:
        assert "float" in declared
    elif "bool" in kind:
        assert "bool" in declared
    else:
        assert not {"int", "float", "bool"} & {declared.removeprefix("<class '").removesuffix("'>")}


@pytest.mark.parametrize("name", sorted(settings_options._VARIABLE_ONLY))
def test_a_secret_has_no_flag(name):
    assert CliRunner().invoke(app, ["doctor", flag_of(name), "x"]).exit_code == 2
