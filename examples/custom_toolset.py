"""A toolset: tools that are installed together, with their own settings.

    PYTHONPATH=examples coatcheck serve --toolset custom_toolset:TOOLSET --folder /var/log

With an entry point of your package, `--toolset logbook` is enough:

    [project.entry-points."coatcheck.toolsets"]
    logbook = "your_package.module:TOOLSET"
"""

from collections import Counter
from pathlib import Path

from pydantic import BaseModel, DirectoryPath

from coatcheck.errors import ArgumentRejected
from coatcheck.tool_factory import MemoryType, Registry, ToolConfig
from coatcheck.toolsets import Toolset


class LogbookSettings(BaseModel):
    """Settings of the toolset; every field is a flag of `coatcheck serve`, here `--folder`."""

    folder: DirectoryPath


def list_logs(*, folder: Path) -> list[str]:
    """List the log files by name."""
    return sorted(file.name for file in folder.glob("*.log"))


def read_log(name: str, *, folder: Path) -> str:
    """Read a log file."""
    if name not in list_logs(folder=folder):
        raise ArgumentRejected(f"There is no log named {name!r}; list_logs lists the logs.")
    return (folder / name).read_text()


def count_levels(log: str) -> dict[str, int]:
    """Count the lines of a log by their first word, such as ERROR."""
    return dict(Counter(line.split()[0] for line in log.splitlines() if line.strip()).most_common())


def make_tools(settings: LogbookSettings) -> Registry:
    """Return the tools and their configuration."""
    folder = {"folder": settings.folder}  # set by coatcheck: the model neither sees nor sets it
    return {
        "list_logs": (list_logs, ToolConfig(custom_args=folder)),
        # A log is long: it is kept, and the model gets a preview and a reference …
        "read_log": (
            read_log,
            ToolConfig(MemoryType.EXPLORABLE, custom_args=folder, annotations={"readOnlyHint": True}),
        ),
        # … which it writes in place of the text.
        "count_levels": (count_levels, ToolConfig(MemoryType.REFERENCEABLE)),
    }


TOOLSET = Toolset("logbook", make_tools, LogbookSettings, description="Log files of one folder.")
