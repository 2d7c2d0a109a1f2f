"""The README agrees with the code: its examples run, and its table lists every setting with its default."""

import re
from pathlib import Path

from coatcheck import Explorer, InMemoryBackend, ObjectStore
from coatcheck.settings import MEBIBYTE, PlanVariables, Settings

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_code_runs_as_written(capsys):
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        exec(compile(block, "README.md", "exec"), namespace)
    output = capsys.readouterr().out
    assert "@obj_001: array of 3 items" in output
    assert "[8,12]" in output


def test_the_preview_is_a_real_preview():
    things = [{"id": n, "name": f"name {n}", "author": {"login": "abc", "n": n}} for n in range(5_000)]
    store = ObjectStore(InMemoryBackend(), generate_id=lambda: "obj_k3F9aQ")
    assert f"```text\n{Explorer(store).put_and_preview(things, 'list_things')}\n```" in README


def test_every_setting_is_in_the_table_with_its_default():
    rows = {
        name: defaults.strip().split(",")[position] if len(names) > 1 else defaults
        for first, defaults in re.findall(r"^\| (`[^|]+`) \|([^|]*)\|", README, flags=re.MULTILINE)
        for names in [re.findall(r"`(\w+)`", first)]
        for position, name in enumerate(names)
    }
    assert rows.keys() == Settings.model_fields.keys()
    for name, field in Settings.model_fields.items():
        written = rows[name].strip().strip("`").removesuffix(" s")
        default = field.default
        if written.endswith("MiB"):
            assert int(written[:-4]) * MEBIBYTE == default
        elif written.endswith("GiB"):
            assert int(written[:-4]) * 1024 * MEBIBYTE == default
        elif default in (None, (), {}):
            assert written == ""
        elif isinstance(default, (str, bool)):
            assert written == str(default).lower()
        else:
            assert float(written) == default


def test_the_settings_with_a_second_name_are_listed():
    sentence = re.search(r"The variables of ([^.]*) also exist with the prefix `DEEPSET_`", README)
    assert sentence is not None
    assert set(re.findall(r"`(\w+)`", sentence[1])) == set(PlanVariables.FIELDS)


def test_every_link_is_absolute_and_leads_to_a_file_of_the_repository():
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    base = "https://github.com/coatcheck/coatcheck/blob/main/"
    assert links
    for link in links:
        assert link.startswith(base), link
        assert (Path(__file__).parents[2] / link.removeprefix(base)).exists(), link
