"""The public API is listed in one place and exists; documentation and examples use nothing else."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import coatcheck

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()
NAMES, MODULES = PAGE.split("## Public modules")
DOCUMENTED = re.findall(r"^\| `(\w+)` \|", NAMES, flags=re.MULTILINE)
PUBLIC_MODULES = re.findall(r"^\| `(coatcheck\.[\w.]+)` \|", MODULES, flags=re.MULTILINE)

PAGES = [ROOT / "README.md", ROOT / "containers.md", *(ROOT / "docs").rglob("*.md")]
SCRIPTS = [*(ROOT / "examples").rglob("*.py"), *(ROOT / "typing_tests").rglob("*.py")]


def blocks(page: Path) -> Iterator[str]:
    for block in re.findall(r"^ *```python\n(.*?)^ *```", page.read_text(), flags=re.DOTALL | re.MULTILINE):
        try:
            ast.parse(block)
        except SyntaxError:  # an excerpt, or one that is indented
            continue
        yield block


def imports(code: str) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def used() -> list[tuple[str, str, str | None]]:
    found = [(page.name, *pair) for page in PAGES for block in blocks(page) for pair in imports(block)]
    found += [(script.name, *pair) for script in SCRIPTS for pair in imports(script.read_text())]
    return sorted({row for row in found if row[1].partition(".")[0] == "coatcheck"}, key=str)


def test_the_page_lists_exactly_the_public_names():
    assert sorted(coatcheck.__all__) == sorted(DOCUMENTED)


@pytest.mark.parametrize("name", coatcheck.__all__)
def test_every_public_name_can_be_imported(name: str):
    assert getattr(coatcheck, name) is not None
    assert name in dir(coatcheck)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        coatcheck.Nothing  # noqa: B018


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_every_public_module_lists_its_public_names(module: str):
    loaded = importlib.import_module(module)
    assert loaded.__doc__
    assert loaded.__all__
    for name in loaded.__all__:
        assert getattr(loaded, name) is not None


@pytest.mark.parametrize(("where", "module", "name"), used())
def test_documentation_and_examples_use_public_names_only(where: str, module: str, name: str | None):
    if module == "coatcheck":
        assert name is None or name in coatcheck.__all__ or f"coatcheck.{name}" in PUBLIC_MODULES, where
        return
    assert module in PUBLIC_MODULES, f"{where} imports {module}"
    assert name is None or name in importlib.import_module(module).__all__, f"{where}: {module}.{name}"


def test_importing_coatcheck_loads_no_other_module():
    program = "import coatcheck, sys; print(sorted(name for name in sys.modules if name.startswith('coatcheck')))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "['coatcheck']"


def test_on_windows_the_import_error_names_the_supported_systems():
    program = "import sys; sys.platform = 'win32'; import coatcheck"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "ImportError: coatcheck runs on Linux and macOS" in process.stderr
