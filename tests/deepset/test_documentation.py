"""The pages agree with the code: their examples run, and their tables list every tool, flag, provider and error."""

import os
import re
from pathlib import Path

import pytest

from coatcheck.tool_factory import MemoryType
from coatcheck.toolsets.deepset import DeepsetContainer, DeepsetSettings
from coatcheck.toolsets.deepset import client as client_module
from coatcheck.toolsets.deepset.client import DeepsetClient, DeepsetError
from coatcheck.toolsets.deepset.simulator import FaultRule
from coatcheck.toolsets.deepset.tools.deepset_registry import deepset_registry

DOCS = Path(__file__).parents[2] / "docs"
TOOLSET_PAGE = (DOCS / "deepset.md").read_text()
CLIENT_PAGE = (DOCS / "deepset-client.md").read_text()
MEMORY = {MemoryType.EXPLORABLE: "kept", MemoryType.BOTH: "both", MemoryType.NO_MEMORY: ""}


def section(page: str, heading: str) -> str:
    return page.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][1:]


def test_every_tool_is_listed_with_its_memory_and_workspace():
    documented = {row[0].strip("`"): (row[1], row[2]) for row in rows(section(TOOLSET_PAGE, "Tools"))}
    assert documented == {
        name: (MEMORY[config.memory_type], "yes" if config.needs_workspace else "")
        for name, (_, config) in deepset_registry().items()
    }


def test_every_setting_is_listed_with_its_flag_variable_and_default():
    documented = {
        row[0].strip("`"): (row[1].strip("`"), row[2].strip("`"))
        for row in rows(section(TOOLSET_PAGE, "Configuration"))
    }
    fields = DeepsetSettings.model_fields
    assert set(documented) == {"--" + name.replace("_", "-") for name in fields}
    for name, field in fields.items():
        variable, default = documented["--" + name.replace("_", "-")]
        assert variable == f"DEEPSET_{name.upper()}"
        if isinstance(field.default, float):
            assert float(default) == field.default
        elif isinstance(field.default, str):
            assert default == field.default


def test_every_provider_is_listed():
    table = TOOLSET_PAGE.split("| provider | returns |")[1].split("\n\n")[0]
    documented = set(
        re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[1:] if "|" in line))
    )
    assert documented == set(DeepsetContainer.providers)


def test_every_error_and_method_of_the_client_is_listed():
    documented = {row[0].strip("`") for row in rows(section(CLIENT_PAGE, "Errors"))}
    errors = {
        name for name in client_module.__all__
        if isinstance(found := getattr(client_module, name), type) and issubclass(found, DeepsetError)
    }  # fmt: skip
    assert documented == errors
    made = DeepsetClient("key")
    for row in re.findall(r"^\| `client\.([^`]+)` \| (.*) \|$", CLIENT_PAGE, re.MULTILINE):
        group = made.workspace("w") if row[0].startswith("workspace(") else made
        found = getattr(group, row[0].rpartition(".")[2])
        methods = {name for name in dir(type(found)) if not name.startswith("_") and callable(getattr(found, name))}
        assert set(re.findall(r"`(\w+)`", row[1])) == methods, row[0]


def test_the_documented_fault_rules_can_be_parsed():
    for rule in ("status=503 path=*/pipelines times=2 retry_after=1", "delay=30 path=*/search", "drop=true every=5"):
        assert f"`{rule}`" in TOOLSET_PAGE
        FaultRule.parse(rule)


@pytest.mark.parametrize("page", [TOOLSET_PAGE, CLIENT_PAGE], ids=["deepset.md", "deepset-client.md"])
def test_the_code_runs_as_written(page, api_url, capsys, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("DEEPSET_", "COATCHECK_"))]:
        monkeypatch.delenv(name)
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        for written, key in {"YOUR-API-KEY": "key-of-ada", "http://127.0.0.1:8001/api": api_url}.items():
            block = block.replace(written, key)  # noqa: PLW2901
        exec(compile(block, "page", "exec"), {"__name__": "page"})
    output = capsys.readouterr().out
    if page is CLIENT_PAGE:
        assert "rag-billing-00 DEPLOYED" in output
        assert "10 documents" in output
        assert output.endswith("DEPLOYED\n")
