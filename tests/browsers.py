"""A real browser for tests: Debian's Chromium, without a window."""

import shutil
from pathlib import Path

import pytest

_OFFLINE = ("background-networking", "component-update", "default-apps", "extensions", "gpu", "quic", "sync")


NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium(profile: Path) -> list[str]:
    """Return the command that opens the page whose address is added to it; skip the test on a machine without one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine (apt-get install chromium)")
    disabled = (f"--disable-{name}" for name in _OFFLINE)
    return [found, "--headless", "--no-sandbox", "--no-first-run", *disabled, f"--user-data-dir={profile}"]
