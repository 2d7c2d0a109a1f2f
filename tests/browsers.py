"""A real browser for tests: Debian's Chromium, headless."""

import shutil
from pathlib import Path

import pytest

_OFFLINE = ("background-networking", "component-update", "default-apps", "extensions", "gpu", "quic", "sync")


NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium(profile: Path) -> list[str]:
    """Return a command that opens the page of an appended URL; skip the test if there is no Chromium."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine (apt-get install chromium)")
    disabled = (f"--disable-{name}" for name in _OFFLINE)
    return [found, "--headless", "--no-sandbox", "--no-first-run", *disabled, f"--user-data-dir={profile}"]
