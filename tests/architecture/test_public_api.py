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


def test_every_public_name_can_be_imported():
    for name in coatcheck.__all__:
        assert getattr(coatcheck, name) is not None, name
        assert name in dir(coatcheck)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        coatcheck.Nothing  # noqa: B018


def test_every_public_module_lists_its_public_names():
    for module in PUBLIC_MODULES:
        loaded = importlib.import_module(module)
        assert loaded.__doc__
        assert loaded.__all__
        for name in loaded.__all__:
            assert getattr(loaded, name) is not None, f"{module}.{name}"


def is_public(module: str, name: str | None) -> bool:
    if module == "coatcheck" and f"coatcheck.{name}" in PUBLIC_MODULES:
        return True
    if module not in {"coatcheck", *PUBLIC_MODULES}:
        return False
    return name is None or name in importlib.import_module(module).__all__


def test_documentation_and_examples_use_public_names_only():
    assert len(used()) > 50
    assert [row for row in used() if not is_public(*row[1:])] == []


def test_importing_coatcheck_loads_no_other_module():
    program = "import coatcheck, sys; print(sorted(name for name in sys.modules if name.startswith('coatcheck')))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "['coatcheck']"


def test_on_windows_the_import_error_names_the_supported_systems():
    program = "import sys; sys.platform = 'win32'; import coatcheck"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "ImportError: coatcheck runs on Linux and macOS" in process.stderr
