"""Every file and folder that CONTRIBUTING.md names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
STRUCTURE, QUESTIONS = PAGE.split("## Where to find things")
NAMED = sorted(
    {
        *re.findall(r"`([a-z_/]+\.py)`", QUESTIONS.partition("## Conventions")[0]),
        *re.findall(r"`([a-z_/]+(?:/|\.py))`", STRUCTURE.partition("## Structure")[2]),
    }
)


def test_the_page_lists_files_and_folders():
    assert len(NAMED) > 20


@pytest.mark.parametrize("name", NAMED)
def test_files_and_folders_on_the_page_exist(name: str):
    assert (ROOT / "src" / "coatcheck" / name).exists()
