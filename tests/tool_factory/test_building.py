"""Tools built from plain functions: hidden parameters, memory, workspace and client."""

import functools
import inspect
from typing import Any

import pytest

from coatcheck.errors import SettingsError
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.tool_factory import (
    MemoryType,
    ToolConfig,
    WorkspaceMode,
    apply_client,
    apply_custom_args,
    apply_memory,
    apply_workspace,
    build_tool,
)


class Client:
    def __init__(self, name: str) -> None:
        self.name = name


def find(query: str, client: Client, workspace: str, limit: int = 10, tags: list[str] | None = None) -> dict[str, Any]:
    """Find documents.

    Args:
        query: What to look for.
        client: The client.
        workspace: The workspace.
        limit: The most documents.
        tags: Tags.
    """
    return {"query": query, "client": client.name, "workspace": workspace, "limit": limit, "tags": tags}


async def afind(query: str, client: Client, workspace: str, limit: int = 10, tags: list[str] | None = None) -> Any:
    """Find documents."""
    return find(query, client, workspace, limit, tags)


def names(func: Any) -> list[str]:
    return list(inspect.signature(func).parameters)


def test_custom_args_are_fixed_and_hidden() -> None:
    tool = apply_custom_args(find, ToolConfig(custom_args={"limit": 3, "workspace": "w"}))
    assert names(tool) == ["query", "client", "tags"]
    assert tool("q", Client("c"))["limit"] == 3
    assert "limit" not in (tool.__doc__ or "")
    with pytest.raises(TypeError, match="limit"):
        tool("q", Client("c"), limit=99)


def test_parameters_are_filled_by_their_providers_at_every_call() -> None:
    counter = iter(range(5))
    tool = apply_custom_args(find, ToolConfig(parameters={"limit": lambda: next(counter)}))
    assert [tool("q", Client("c"), "w")["limit"] for _ in range(2)] == [0, 1]


def test_an_empty_config_returns_the_function_itself(store: ObjectStore) -> None:
    config = ToolConfig()
    assert apply_custom_args(find, config) is find
    assert apply_memory(find, config, store) is find
    assert apply_workspace(find, config, WorkspaceMode.STATIC, None) is find
    assert apply_client(find, config, None) is find


@pytest.mark.parametrize("field", ["custom_args", "parameters"])
def test_a_misspelt_name_is_refused_with_function_and_parameters(field: str) -> None:
    with pytest.raises(SettingsError, match=r"'limt'.*find\(\).*mean 'limit'.*query, client"):
        apply_custom_args(find, ToolConfig(**{field: {"limt": lambda: 3}}))


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="'limit' is in custom_args and in parameters"):
        apply_custom_args(find, ToolConfig(custom_args={"limit": 1}, parameters={"limit": lambda: 1}))


@pytest.mark.parametrize("workspace", ["w", lambda: "w"])
def test_a_static_workspace_is_hidden_and_filled(workspace: Any) -> None:
    tool = apply_workspace(find, ToolConfig(needs_workspace=True), WorkspaceMode.STATIC, workspace)
    assert "workspace" not in names(tool)
    assert tool("q", Client("c"))["workspace"] == "w"


def test_a_dynamic_workspace_stays_a_parameter_of_the_model() -> None:
    tool = apply_workspace(find, ToolConfig(needs_workspace=True), WorkspaceMode("dynamic"), None)
    assert "workspace" in names(tool)


def test_a_missing_workspace_is_refused_immediately_or_when_the_provider_returns_none() -> None:
    config = ToolConfig(needs_workspace=True)
    with pytest.raises(SettingsError, match="needs a workspace"):
        apply_workspace(find, config, WorkspaceMode.STATIC, None)
    tool = apply_workspace(find, config, WorkspaceMode.STATIC, lambda: None)
    with pytest.raises(SettingsError, match="needs a workspace"):
        tool("q", Client("c"))


def test_a_missing_client_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"find\(\) needs a client"):
        apply_client(find, ToolConfig(needs_client=True), None)


@pytest.mark.parametrize("need", ["needs_client", "needs_workspace"])
@pytest.mark.parametrize("mode", list(WorkspaceMode))
def test_a_function_without_the_needed_parameter_is_refused(need: str, mode: WorkspaceMode) -> None:
    def bare(x: int) -> int:
        return x

    with pytest.raises(SettingsError, match=rf"{need} names"):
        build_tool(bare, ToolConfig(**{need: True}), client="c", workspace="w", workspace_mode=mode)


def test_an_unknown_workspace_mode_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"no workspace mode 'dynamc'; there are: static, dynamic\."):
        build_tool(find, ToolConfig(needs_workspace=True), "dynamc", "w")  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_an_async_tool_may_have_an_awaitable_client() -> None:
    async def connect() -> Client:
        return Client("awaited")

    tool = apply_client(afind, ToolConfig(needs_client=True), connect)
    assert (await tool("q", workspace="w"))["client"] == "awaited"


@pytest.mark.anyio
async def test_an_awaitable_provider_without_a_client_is_refused() -> None:
    async def connect() -> None:
        return None

    with pytest.raises(SettingsError, match="needs a client"):
        await apply_client(afind, ToolConfig(needs_client=True), connect)("q", workspace="w")


def test_memory_without_a_store_is_refused() -> None:
    with pytest.raises(SettingsError, match="needs an object_store"):
        apply_memory(find, ToolConfig(memory_type=MemoryType.BOTH), None)


def test_unknown_explorer_settings_are_refused(store: ObjectStore) -> None:
    with pytest.raises(SettingsError, match=r"'max_depth'.*preview_limit"):
        apply_memory(find, ToolConfig(memory_type=MemoryType.BOTH, explorer_config={"max_depth": 3}), store)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("preview_limit", 0, "must be at least 50, not 0"),
        ("response_limit", 200, "must be at least 500, not 200"),
        ("response_limit", None, "must be a whole number, not NoneType"),
    ],
)
def test_limits_in_which_no_answer_fits_are_refused(name: str, given: Any, expected: str) -> None:
    with pytest.raises(SettingsError, match=rf"^ToolConfig: explorer_config: {name} {expected}\.$"):
        ToolConfig(explorer_config={name: given})


@pytest.mark.parametrize("given", ["store", "object", "provider"])
def test_a_tool_has_its_own_preview_limits(store: ObjectStore, given: str) -> None:
    explorer = {"store": None, "object": Explorer(store), "provider": lambda: Explorer(store)}[given]

    def rows() -> list[str]:
        return ["some words"] * 5000

    config = ToolConfig(memory_type=MemoryType.EXPLORABLE, explorer_config={"preview_limit": 300})
    text = apply_memory(rows, config, store, explorer)()  # type: ignore[arg-type]
    assert "@obj_001" in text
    assert len(text) <= 300


@pytest.mark.parametrize("kind", list(MemoryType))
def test_each_memory_type_has_its_documented_effect(store: ObjectStore, kind: MemoryType) -> None:
    store.put("stored text")

    def tool(x: str) -> str:
        return f"<{x}>"

    answer = apply_memory(tool, ToolConfig(memory_type=kind), store)("@obj_001")
    refers, keeps = kind in {"referenceable", "both"}, kind in {"explorable", "both"}
    assert ("<stored text>" if refers else "<@obj_001>") in answer
    assert ("@obj_002" in answer) is keeps
    assert (store.get("obj_002") is not None) is keeps


def test_the_steps_can_be_applied_one_by_one(store: ObjectStore) -> None:
    config = ToolConfig(memory_type=MemoryType.BOTH, needs_client=True, needs_workspace=True)
    tool = apply_memory(apply_custom_args(find, config), config, store)
    tool = apply_client(apply_workspace(tool, config, WorkspaceMode.STATIC, "w"), config, FakeClient)
    assert names(tool) == ["query", "limit", "tags"]
    assert "@obj_001" in tool("q")
    assert store.get("obj_001") == {"query": "q", "client": "fake", "workspace": "w", "limit": 10, "tags": None}


class FakeClient:
    name = "fake"


@pytest.mark.anyio
@pytest.mark.parametrize("func", [find, afind])
async def test_a_built_tool_has_all_features_and_stays_sync_or_async(store: ObjectStore, func: Any) -> None:
    config = ToolConfig(
        memory_type=MemoryType.BOTH, custom_args={"limit": "@obj_404"}, needs_client=True, needs_workspace=True
    )
    tool = build_tool(func, config, object_store=store, workspace=lambda: "w", client=FakeClient)
    assert inspect.iscoroutinefunction(tool) is inspect.iscoroutinefunction(func)
    assert names(tool) == ["query", "tags"]
    assert tool.__annotations__["return"] is str
    store.put(["x"])
    answer = tool("q", tags="@obj_001")
    if inspect.isawaitable(answer):
        answer = await answer
    expected = {"query": "q", "client": "fake", "workspace": "w", "limit": "@obj_404", "tags": ["x"]}
    assert store.get("obj_002") == expected
    assert "@obj_002" in answer


def test_partials_methods_and_objects_become_tools(store: ObjectStore) -> None:
    class Lookup:
        def look(self, x: int, secret: int) -> list[int]:
            return [x, secret]

        def __call__(self, x: int, secret: int) -> list[int]:
            return [x, secret, 0]

    config = ToolConfig(memory_type=MemoryType.REFERENCEABLE, parameters={"secret": lambda: 7})
    store.put(5)
    assert build_tool(Lookup().look, config, object_store=store)("@obj_001") == [5, 7]
    assert build_tool(Lookup(), config, object_store=store)("@obj_001") == [5, 7, 0]
    partial = functools.partial(Lookup().look, x=9)
    assert build_tool(partial, ToolConfig(custom_args={"secret": 1}))() == [9, 1]


def test_arguments_are_accepted_by_keyword_and_position(store: ObjectStore) -> None:
    config = ToolConfig(memory_type=MemoryType.EXPLORABLE, needs_workspace=True)
    tool = build_tool(find, config, WorkspaceMode.STATIC, "w", object_store=store)
    assert "workspace" not in names(tool)
    assert apply_memory(base_func=find, config=ToolConfig(), store=None) is find
    assert apply_custom_args(base_func=find, config=ToolConfig()) is find
    assert "@obj_" in build_tool(base_func=find, config=config, workspace="w", object_store=store)("q", Client("c"))
