"""The message of a stdio server that is started in a terminal: it waits for a client, and how to configure one."""

import json
import sys

from coatcheck.cli.logs import announce


def explain_waiting() -> None:
    """If stdin is a terminal, explain that an MCP client is expected there, and how to configure one."""
    if sys.stdin is None or not sys.stdin.isatty():
        return
    command, *words = _launcher()
    entry = {"mcpServers": {"NAME": {"command": command, "args": [*words, *sys.argv[1:]]}}}
    announce(
        "waiting for an MCP client on stdin. An MCP client starts this command by itself; "
        "put this into its configuration:\n" + json.dumps(entry, indent=2, ensure_ascii=False) + "\nCtrl-C ends it."
    )


def _launcher() -> tuple[str, ...]:
    """Return the words that start coatcheck, with an absolute path: clients do not know a shell's PATH."""
    from coatcheck.errors import SettingsError
    from coatcheck.installer import find_launcher

    try:
        return find_launcher()
    except SettingsError:  # it runs from a cache, and its installer is not found
        return ("coatcheck",)
