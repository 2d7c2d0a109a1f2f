"""Modules import only from lower layers, without cycles, and heavy packages only where allowed."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "coatcheck"

LAYERS = [  # a file with a layer of its own is named with its folder
    {"errors"},
    {"user_folders"},
    {"settings"},
    {"codec", "references", "backends"},
    {"store", "object_store"},
    {"explorer"},
    {"arguments"},
    {"tools", "decorators", "tool_factory"},
    {"monitoring"},
    {"calls"},
    {"mcp_server"},
    {"wiring/__init__", "wiring/factories", "wiring/part_names", "wiring/special_providers", "wiring/traversal"},
    {"containers"},
    {"wiring", "lifecycle", "server"},
    {"proxy", "toolsets"},
    {"installer", "testing"},
    {"cli"},
    {"__main__"},
]

# The modules that may import a package other than the standard library, anyio and pydantic.
RESERVED = {
    "orjson": {"codec"},
    "redis": {"backends"},
    "dependency_injector": {"containers", "wiring", "toolsets"},
    "pydantic_settings": {"settings", "toolsets"},
    "jq": {"explorer"},
    "yaml": {"explorer", "toolsets"},
    "jsonschema": {"arguments", "calls"},
    "typer": {"cli"},
    "mcp": {
        "monitoring",
        "errors",
        "tools",
        "arguments",
        "mcp_server",
        "proxy",
        "cli",
        "wiring",
        "toolsets",
        "testing",
    },
    "jwt": {"mcp_server"},
    "fastmcp": {"mcp_server", "tools", "wiring"},
    "keyring": {"proxy"},
    "prometheus_client": {"monitoring", "cli"},
    "opentelemetry": set(),
    "mcp_types": {"arguments", "cli", "tools", "mcp_server", "proxy", "toolsets"},
}

MOST_ENTRIES = 28
"""Files and folders directly under ``src/coatcheck``."""

MAY_SHARE_A_NAME = {"__init__", "base", "errors", "containers"}
PUBLIC = {"decorators", "errors", "lifecycle", "object_store", "server", "settings", "tool_factory"}
"""Modules whose path is public: some only re-export names of a private module."""


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Imported modules, including imports inside functions and for type checkers."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            if node.module.partition(".")[0] == "coatcheck":
                names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def file_of(name: str) -> Path | None:
    place = SOURCE.parent / name.replace(".", "/")
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def imported_files(path: Path) -> Iterator[Path]:
    for name in imports(path):
        found = file_of(name) if name.startswith("coatcheck.") else None
        if found is not None and found != path:
            yield found


def layer_of(path: Path) -> int:
    file = path.relative_to(SOURCE).with_suffix("").as_posix()
    own = [number for number, layer in enumerate(LAYERS) if file in layer]
    return (own or [number for number, layer in enumerate(LAYERS) if part_of(path) in layer])[0]


def test_every_module_has_a_layer():
    known = set().union(*LAYERS)
    assert {part_of(path) for path in modules()} <= known


def test_modules_import_only_from_their_own_and_lower_layers():
    upwards = [
        f"{path.relative_to(SOURCE)} imports {found.relative_to(SOURCE)}"
        for path in modules()
        for found in imported_files(path)
        if found != SOURCE / "__init__.py" and layer_of(found) > layer_of(path)
    ]
    assert not upwards


def test_imports_have_no_cycles():
    state: dict[Path, int] = {}
    cycles: list[str] = []

    def visit(path: Path, trail: list[Path]) -> None:
        state[path] = 1
        for found in set(imported_files(path)) - {SOURCE / "__init__.py"}:
            # A package's __init__ is imported before its modules; what it re-exports from them is not a cycle.
            if found.name == "__init__.py" and found.parent in path.parents:
                continue
            if state.get(found) == 1:
                files = [*trail[trail.index(found) :], found]
                cycles.append(" → ".join(str(file.relative_to(SOURCE)) for file in files))
            elif found not in state:
                visit(found, [*trail, found])
        state[path] = 2

    for path in modules():
        if path not in state:
            visit(path, [path])
    assert not cycles


def test_reserved_packages_are_imported_only_where_they_belong():
    elsewhere = [
        f"{path.relative_to(SOURCE)} imports {name}"
        for path in modules()
        for name in imports(path)
        if (package := name.split(".")[0]) in RESERVED and part_of(path) not in RESERVED[package]
    ]
    assert not elsewhere


# In addition to the settings: variables in a configuration, the environment of child processes, folders of clients.
READS_ENVIRONMENT = {
    "settings.py",
    "user_folders.py",
    "cli/demo_client.py",  # The included server gets all variables.
    "cli/upstream_options.py",
    "cli/wrap_runner.py",  # Settings are slow to import, and the handshake response must not wait for them.
    "proxy/upstreams/process.py",
    "installer/config_files.py",
    "installer/server_start.py",
}


def test_the_environment_is_read_in_listed_places_only():
    for path in modules():
        if path.relative_to(SOURCE).as_posix() in READS_ENVIRONMENT:
            continue
        # A worker empties its environment.
        assert "os.environ" not in path.read_text().replace("os.environ.clear()", ""), path
        assert "getenv" not in path.read_text(), path


def test_no_file_is_longer_than_400_lines():
    long = {str(path): count for path in modules() if (count := len(path.read_text().splitlines())) > 400}
    assert not long


def test_no_file_name_is_used_twice():
    names = Counter(path.stem for path in modules() if path.parent != SOURCE or path.stem not in PUBLIC)
    assert not {name for name, count in names.items() if count > 1} - MAY_SHARE_A_NAME


def test_the_package_has_few_top_level_entries():
    entries = [path.name for path in SOURCE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


OF_RESULTS = {"content", "structuredContent"}
"""Members of tool results, which drafts of the protocol replace."""


def test_one_module_defines_the_format_of_tool_results():
    folders = ("calls", "mcp_server", "proxy", "explorer", "codec", "tools", "cli")
    files = [path for folder in folders for path in (SOURCE / folder).rglob("*.py")]
    spelling = {
        str(path.relative_to(SOURCE))
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Subscript, ast.Call, ast.Dict, ast.Assign, ast.Compare))
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.Constant) and child.value in OF_RESULTS
    }
    assert spelling == {"codec/tool_results.py", "proxy/gateway/names.py"}  # the second: messages of prompts
