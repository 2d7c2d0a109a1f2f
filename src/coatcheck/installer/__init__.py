"""Wraps the servers that an MCP client already has, and unwraps them again.

A client's file is never written from parsed values: only the characters that change are replaced in its text, so
that comments, order, spacing and everything unknown are preserved.
"""

from coatcheck.installer.client_registry import CLIENTS, Client, client_of_file, find_client, parse_config
from coatcheck.installer.config_files import ConfigFile, ConfigFileError, config_files_of, find_config_file
from coatcheck.installer.entry_editing import Outcome
from coatcheck.installer.launcher import find_launcher
from coatcheck.installer.planning import Plan, carry_out, plan_add, plan_gateway, plan_install, plan_uninstall
from coatcheck.installer.server_entries import ServerState, states_of

__all__ = [
    "CLIENTS",
    "Client",
    "ConfigFile",
    "ConfigFileError",
    "Outcome",
    "Plan",
    "ServerState",
    "carry_out",
    "client_of_file",
    "config_files_of",
    "find_client",
    "find_config_file",
    "find_launcher",
    "parse_config",
    "plan_add",
    "plan_gateway",
    "plan_install",
    "plan_uninstall",
    "states_of",
]
