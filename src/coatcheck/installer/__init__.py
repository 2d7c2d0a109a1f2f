"""Puts coatcheck in front of the servers that an MCP client already has, and takes it away again.

Files of settings are never written anew: the few characters that change are exchanged in the text, so that comments,
order, spacing and everything unknown stay as they were.
"""

from coatcheck.installer.clients import CLIENTS, Client, find_client
from coatcheck.installer.faults import ConfigurationFault
from coatcheck.installer.launching import find_launcher
from coatcheck.installer.places import Place, place_of, places_of
from coatcheck.installer.planning import Outcome, Plan, carry_out, plan_install, plan_uninstall
from coatcheck.installer.states import ServerState, states_of

__all__ = [
    "CLIENTS",
    "Client",
    "ConfigurationFault",
    "Outcome",
    "Place",
    "Plan",
    "ServerState",
    "carry_out",
    "find_client",
    "find_launcher",
    "place_of",
    "places_of",
    "plan_install",
    "plan_uninstall",
    "states_of",
]
