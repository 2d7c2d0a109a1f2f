"""The project files agree with the code."""

import re
import tomllib
from pathlib import Path

import yaml

from tests.conftest import LONGEST_FIRST

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def test_the_workflow_tests_every_supported_python():
    tested = WORKFLOWS["ci.yml"]["jobs"]["test"]["strategy"]["matrix"]
    supported = [name.split(" :: ")[-1] for name in PROJECT["classifiers"] if ":: Python :: 3." in name]
    assert tested["python"] == supported
    assert f">={supported[0]}" == PROJECT["requires-python"]
    assert {"ubuntu-latest", "macos-latest"} == set(tested["os"])


def test_every_make_target_in_the_documentation_exists():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.*"), ROOT / ".ci" / "run"]
    named = {
        name
        for page in pages
        for name in re.findall(r"(?:`|run: |^)make ([a-z][\w-]*)", page.read_text(), flags=re.MULTILINE)
    }
    assert {"check", "test", "coverage"} <= named
    assert named <= TARGETS


def test_the_files_that_are_tested_first_exist():
    assert all((ROOT / "tests" / name).exists() for name in LONGEST_FIRST)


def test_every_module_in_the_documentation_exists():
    files = {
        path.relative_to(ROOT).as_posix()
        for folder in ("src", "tests", "bench", "examples", "conformance", "load", "fuzz", "docs")
        for path in (ROOT / folder).rglob("*.py")
    }
    pages = [ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        (page.name, name)
        for page in pages
        for name in re.findall(r"`([\w/]+\.py)(?:::\w+)?(?:\[[^`]*\])?`", page.read_text())
    }
    assert named
    assert not [(page, name) for page, name in named if not any(f"/{file}".endswith(f"/{name}") for file in files)]


def test_before_the_first_release_the_changelog_has_additions_only():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[\d", changelog, flags=re.MULTILINE)
    assert released or set(re.findall(r"^### (\w+)", changelog, flags=re.MULTILINE)) == {"Added"}


def test_publishing_needs_no_stored_secret_and_workflows_have_minimal_permissions():
    text = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    assert "secrets." not in text
    assert all(workflow["permissions"] == {"contents": "read"} for workflow in WORKFLOWS.values())
    assert WORKFLOWS["publish.yml"]["jobs"]["publish"]["permissions"] == {"id-token": "write"}


def test_no_page_opens_bold_text_with_three_asterisks_and_closes_it_with_two():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    odd = [
        f"{page.name}: {line}"
        for page in pages
        for line in page.read_text().splitlines()
        if line.count("***") % 2 and not line.startswith(" ")
    ]
    assert odd == []
