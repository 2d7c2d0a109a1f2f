"""Record the results that the benchmark asks about, from real servers, into ``bench/tokens/results/``.

The recorded files are part of the repository, so that two runs compare the same data; run this only to replace them.
It installs servers from PyPI and npm into ``.bench/servers/`` and otherwise connects only to the loopback address.

    .venv/bin/python bench/tokens/record.py              # everything
    .venv/bin/python bench/tokens/record.py --tools      # only the lists of tools
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from clients import StdioClient  # noqa: E402
from sources import write_sources  # noqa: E402

REPOSITORY = HERE.parents[1]
SERVERS = REPOSITORY / ".bench" / "servers"
RESULTS, TOOL_LISTS = HERE / "results", HERE / "tool_lists.json.gz"
PYTHON_PACKAGES = ("mcp-server-git", "mcp-server-fetch", "vega_datasets", "fastapi")
SQLITE_PACKAGES = ("mcp-server-sqlite", "mcp<2")
SCOPE = "@modelcontextprotocol"
NPM_PACKAGES = (f"{SCOPE}/server-filesystem@2026.8.31",)
LISTED_PACKAGES = (
    f"{SCOPE}/server-memory@2026.8.31",
    f"{SCOPE}/server-everything@2026.8.31",
    f"{SCOPE}/server-github",
    "@playwright/mcp",
    "@notionhq/notion-mcp-server",
    "chrome-devtools-mcp",
)
"""npm packages of servers of which only the list of tools is recorded; nothing is called, so none needs an account."""
LISTED = {
    "memory": "mcp-server-memory",
    "everything": "mcp-server-everything",
    "github": "mcp-server-github",
    "playwright": "playwright-mcp",
    "notion": "notion-mcp-server",
    "chrome-devtools": "chrome-devtools-mcp",
}
TOKENS = {"NOTION_TOKEN": "none", "GITHUB_PERSONAL_ACCESS_TOKEN": "none"}

FILES = {
    "package_lock": "package-lock.json",
    "openapi": "openapi.json",
    "weather_csv": "seattle-weather.csv",
    "airports_csv": "airports.csv",
    "stocks_tsv": "stocks.tsv",
    "requests_jsonl": "requests.jsonl",
    "service_log": "service.log",
    "manual_markdown": "operations.md",
    "manual_html": "asyncio.html",
    "source_python": "argparse.py",
    "compose_yaml": "services.yaml",
    "cars_json": "cars.json",
}
"""Results of the filesystem server's ``read_text_file``, by the file that it read."""

MADE = ("issues_graphql", "query_columns", "frame_split", "page_snapshot", "blocks_json", "rows_typed", "report_prose")
"""Results of ``sample_server.py``, whose tools return what many servers do."""


def main() -> None:
    """Record everything."""
    python = _environment("venv", PYTHON_PACKAGES)
    sqlite = _environment("sqlite-venv", SQLITE_PACKAGES)
    _record_tool_lists(python)
    if "--tools" in sys.argv:
        return
    filesystem = _filesystem_server()
    folder = SERVERS / "files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_sources(folder, REPOSITORY, python)
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir()
    read = {name: ("read_text_file", {"path": str(folder / file)}) for name, file in FILES.items()}
    read["directory_tree"] = ("directory_tree", {"path": str(folder / "tree")})
    read["search_files"] = ("search_files", {"path": str(folder / "tree"), "pattern": "**/*.py"})
    _record(["node", str(filesystem), str(folder)], read, {str(folder): "/data"})
    git = {"repo_path": str(REPOSITORY)}
    calls = {
        "git_log": ("git_log", {**git, "max_count": 200}),
        "git_diff": ("git_diff", {**git, "target": "HEAD~12", "context_lines": 3}),
    }
    author = subprocess.run(
        ["git", "log", "-1", "--format=%an"], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout.strip()
    _record([str(python / "mcp-server-git")], calls, {str(REPOSITORY): "/data", author: "The maintainers"})
    database = ["--db-path", str(folder / "airports.db")]
    query = "select iata, name, city, state, latitude, longitude from airports order by iata"
    _record([str(sqlite / "mcp-server-sqlite"), *database], {"sqlite_rows": ("read_query", {"query": query})}, {})
    _record_pages([str(python / "mcp-server-fetch"), "--ignore-robots-txt", "--allow-private-ips"], folder)
    _record([sys.executable, str(HERE / "sample_server.py")], {name: (name, {}) for name in MADE}, {})


def _record_tool_lists(python: Path) -> None:
    """Record the tools that servers list, to measure the growth of their schemas."""
    _npm_install(*NPM_PACKAGES, *LISTED_PACKAGES)
    programs = SERVERS / "npm/node_modules/.bin"
    commands = {name: [str(programs / program)] for name, program in LISTED.items()}
    commands["filesystem"] = [str(programs / "mcp-server-filesystem"), str(SERVERS)]
    commands["git"] = [str(python / "mcp-server-git")]
    os.environ |= TOKENS
    lists = {}
    for name, command in sorted(commands.items()):
        with StdioClient(command) as client:
            client.open()
            tools = client.request("tools/list", {})["tools"]
        lists[name] = [{key: tool.get(key) for key in ("name", "description", "inputSchema")} for tool in tools]
    TOOL_LISTS.write_bytes(gzip.compress(json.dumps(lists, ensure_ascii=False).encode(), 9, mtime=0))


def _record_pages(server: list[str], folder: Path) -> None:
    """Serve a page on loopback and fetch it: the default first page, which is just over 5 000 characters."""
    handler = partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 8431), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        _record(server, {"fetch_page": ("fetch", {"url": "http://127.0.0.1:8431/asyncio.html"})}, {})
        web.shutdown()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Do not log requests."""


def _record(command: list[str], calls: dict[str, tuple[str, dict[str, Any]]], replaced: dict[str, str]) -> None:
    with StdioClient(command) as client:
        client.open()
        for name, (tool, arguments) in calls.items():
            result = client.request("tools/call", {"name": tool, "arguments": arguments})
            assert not result.get("isError"), (name, result)
            text = json.dumps({"tool": tool, "result": result}, ensure_ascii=False)
            for old, new in replaced.items():
                text = text.replace(old, new)
            (RESULTS / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
            print(f"{name}: {len(text):,} characters")


def _environment(name: str, packages: tuple[str, ...]) -> Path:
    environment = SERVERS / name
    if not (environment / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        subprocess.run([environment / "bin" / "pip", "install", "-q", *packages], check=True)
        (environment / ".ready").touch()
    return environment / "bin"


def _filesystem_server() -> Path:
    script = SERVERS / "npm/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
    if not script.exists():
        _npm_install(*NPM_PACKAGES)
    return script


def _npm_install(*packages: str) -> None:
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(SERVERS / "npm"), *packages]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
