"""Every claim of ``docs/security.md`` names a test, and all named tests exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
CLAIMS, _, _ = PAGE.partition("## Limitations")


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_claim_names_its_test():
    promises = re.findall(r"^- (.*?)(?=^- |^## |\Z)", CLAIMS, flags=re.MULTILINE | re.DOTALL)
    assert len(promises) > 25
    assert [promise for promise in promises if "::test_" not in promise] == []


def test_every_named_test_exists():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) == PAGE.count("::test_")
    assert [f"{file}::{name}" for file, name in named if name not in names_in(ROOT / "tests" / file)] == []
