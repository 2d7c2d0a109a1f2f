"""Build the commands of the command line once: it takes as long as many of the commands."""

import functools
from importlib import import_module

import typer.main

from coatcheck.cli import app as commands


def share_built_commands() -> None:
    """Let every run of the command line in this process use the same commands, which hold no state of a run."""
    typer.main.get_command = functools.cache(typer.main.get_command)
    commands.get_group = functools.cache(commands.get_group)


def build_commands() -> None:
    """Import and build the commands, and what converts the values of their options, which is built at the first use."""
    waiting = [typer.main.get_command(commands.app)]
    waiting += [
        commands.get_group(import_module(f"coatcheck.cli.{name}").app) for name, _ in commands.COMMANDS.values()
    ]
    while waiting:
        command = waiting.pop()
        waiting.extend(getattr(command, "commands", {}).values())
        for parameter in command.params:
            parameter.get_runtime_param()
