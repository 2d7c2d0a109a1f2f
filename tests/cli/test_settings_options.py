"""Each setting is an option of the same name, and the help shows the description of the setting."""

from typing import Annotated, Literal, get_origin

import pytest
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings
from typer.testing import CliRunner

from coatcheck.cli.app import app
from coatcheck.cli.settings_options import ALL, COMMON, GROUPS, flag_of
from coatcheck.cli.toolset_options import toolset_options
from coatcheck.errors import SettingsError
from coatcheck.settings import Settings, unknown_variables
from coatcheck.toolsets import Toolset
from coatcheck.toolsets.deepset import DeepsetSettings

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


class Shelf(BaseSettings, env_prefix="SHELF_"):
    """Settings of a toolset, with variables."""

    folder: str
    tags: list[str] = []
    sizes: dict[str, int] | None = None
    at_most: Annotated[int, Field(ge=1)] = 5


class Box(BaseModel):
    """Settings of a toolset, without variables."""

    from_folder: str


def of_shelf(*words):
    shelf = Toolset("shelf", lambda _: {}, Shelf)
    return shelf.load_settings(toolset_options([shelf], words, []).get("shelf"))


def test_lists_and_tables_of_a_toolset_are_flags_too():
    given = of_shelf("--folder", '["a"', "--tags", '["a", "b"]', '--sizes={"a": 1}')
    assert given.model_dump() == {"folder": '["a"', "tags": ["a", "b"], "sizes": {"a": 1}, "at_most": 5}
    assert of_shelf("--folder", '{"a": 1}').folder == '{"a": 1}'


def test_an_error_in_the_settings_of_a_toolset_says_how_to_set_them(monkeypatch):
    for words, expected in (
        ([], r"shelf: folder \(--folder or SHELF_FOLDER\): it is missing"),
        (["--folder", "x", "--tags", "a,b"], r'tags: a list such as \["a", "b"\] is expected'),
        (["--folder", "x", "--sizes", "a"], r'sizes: a table such as \{"a": 1\} is expected'),
        (["--folder", "x", "--at-most", "0"], "at_most: a number of at least 1 is expected"),
    ):
        with pytest.raises(SettingsError, match=expected):
            of_shelf(*words)
    monkeypatch.setenv("SHELF_AT_MOST", "0")
    with pytest.raises(SettingsError, match="at_most in SHELF_AT_MOST: a number of at least 1"):
        of_shelf("--folder", "x")
    with pytest.raises(SettingsError, match=r"from_folder \(--from-folder\): it is missing"):
        Toolset("box", lambda _: {}, Box).load_settings()
    with pytest.raises(SettingsError, match="deepset: nope: there is no such setting"):
        DeepsetSettings(api_key="k", nope=1)
    with pytest.raises(SettingsError, match="workspace is empty: name one"):
        DeepsetSettings(api_key="k", workspace="")
