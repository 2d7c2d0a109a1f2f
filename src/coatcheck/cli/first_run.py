"""What a person sees who starts a stdio server by hand: what it waits for, and the configuration to paste."""

import json
import sys
from collections.abc import Sequence

from coatcheck.cli.logs import announce


def explain_waiting(arguments: Sequence[str] | None = None) -> None:
    """Where stdin is a terminal, say that an MCP client is expected there, and how to configure one.

    Args:
        arguments: The command line without the program; that of this process by default.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        return
    given = list(sys.argv[1:] if arguments is None else arguments)
    entry = {"mcpServers": {"NAME": {"command": "coatcheck", "args": given}}}
    announce(
        "waiting for an MCP client on stdin. An MCP client starts this command by itself; "
        "put this into its configuration:\n" + json.dumps(entry, indent=2, ensure_ascii=False) + "\nCtrl-C ends it."
    )
