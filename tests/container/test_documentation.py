"""containers.md agrees with the code: its graph is the container's, and its examples run."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "containers.md").read_text()


@pytest.fixture
def updater() -> ModuleType:
    spec = importlib.util.spec_from_file_location("update_drawing", ROOT / "docs" / "update_drawing.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_diagram_is_the_graph_of_the_container(updater):
    assert updater.with_drawing(PAGE) == PAGE, "run: make docs"


def test_every_provider_is_in_the_table():
    from coatcheck.containers import Container

    rows = "".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    for name in Container.providers:
        assert f"`{name}`" in rows, name


def blocks_in(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


SECTIONS = {section.partition("\n")[0]: blocks_in(section) for section in PAGE.split("\n## ")[1:]}


@pytest.mark.parametrize("name", [name for name, blocks in SECTIONS.items() if blocks and name != "Wire"])
def test_each_section_runs_separately_with_the_container_of_the_first(name):
    first: dict[str, object] = {}
    exec(compile(SECTIONS["Wire"][0], "containers.md, Wire", "exec"), first)
    namespace = {"__name__": "containers_md", "container": first["container"]}
    for block in SECTIONS[name]:
        exec(compile(block, f"containers.md, {name}", "exec"), namespace)


def test_the_code_runs_as_written():
    namespace: dict[str, object] = {"__name__": "containers_md"}
    blocks = blocks_in(PAGE)
    assert len(blocks) >= 18
    for number, block in enumerate(blocks):
        exec(compile(block, f"containers.md, block {number + 1}", "exec"), namespace)
