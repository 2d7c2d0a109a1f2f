"""Calls every tool once, in an order that a model would use."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from mcp import Client

from coatcheck.toolsets.deepset.simulator.platform_state import stable_id
from tests.results import reference_in, text_of

PIPELINE = "rag-billing-00"
QUERY_ID = stable_id("query", PIPELINE, 5)
PROMPT_BUILDER = "haystack.components.builders.prompt_builder.PromptBuilder"
NO_WORKSPACE = {
    "list_component_families", "get_component_definition", "search_component_definitions", "get_custom_components",
    "run_component", "list_secrets", "get_secret", "list_workspaces", "get_workspace", "create_workspace",
    "search_docs", "load_skill",
}  # fmt: skip


class Session:
    """A model's session with the server.

    Attributes:
        client: The MCP client.
        workspace: The workspace argument of the model; ``None`` if the host fixes it.
        tag: Part of all created names, so that several sessions do not collide.
        called: The tools that were called.
        answers: All answers.
    """

    def __init__(self, client: Client, workspace: str | None, tag: str = "one") -> None:
        self.client = client
        self.workspace = workspace
        self.tag = tag
        self.called: list[str] = []
        self.answers: list[str] = []

    async def call(self, name: str, expected: str = "", /, **arguments: Any) -> str:
        if self.workspace is not None and name not in NO_WORKSPACE and not name.startswith("object_store_"):
            arguments["workspace"] = self.workspace
        result = await self.client.call_tool(name, arguments)
        answer = text_of(result)
        assert not result.is_error, f"{name}: {answer}"
        assert expected in answer, f"{name}: {answer}"
        self.called.append(name)
        self.answers.append(answer)
        return answer

    async def ask(self, reference: str, jq: str) -> str:
        return await self.call("object_store_query", object_id=reference, filter=jq)


async def pipelines(s: Session) -> None:
    listed = await s.call("list_pipelines", '"total":64')
    cursor = (await s.ask(reference_in(listed), ".next_cursor")).strip().strip('"')
    await s.call("list_pipelines", "has_more", after=cursor)
    pipeline = await s.call("get_pipeline", "config_yaml", pipeline_name=PIPELINE)
    config = f"{reference_in(pipeline)}.config_yaml"
    await s.call("validate_pipeline", '"valid":true', yaml_configuration=config)
    name = f"faq/{s.tag}"
    await s.call("create_pipeline", '"created":true', pipeline_name=name, yaml_configuration=config)
    broken = await s.call("create_pipeline", '"valid":false', pipeline_name=f"{name}-broken", yaml_configuration="a: b")
    assert "missing_components" in broken
    warmer = await s.call(
        "object_store_sed",
        object_id=reference_in(pipeline),
        path="config_yaml",
        pattern=r"top_k: 8",
        replacement="top_k: 4",
    )
    version = await s.call(
        "create_pipeline_version", '"version_number":2',
        pipeline_name=name, yaml_configuration=re.findall(r"^@obj_[\w-]+", warmer, re.MULTILINE)[-1], description="Fewer",
    )  # fmt: skip
    version_id = (await s.ask(reference_in(version), ".version_id")).strip().strip('"')
    await s.call("list_pipeline_versions", "version_number", pipeline_name=name)
    await s.call("get_pipeline_version", "config_yaml", pipeline_name=name, version_id=version_id)
    await s.call(
        "patch_pipeline_version", "Four", pipeline_name=name, version_id=version_id, description="Four", is_draft=False
    )
    await s.call("restore_pipeline_version", "Restored from version 2", pipeline_name=name, version_id=version_id)
    await s.call("deploy_pipeline", '"deployed":true', pipeline_name=name, version_id=version_id)
    await s.call("get_pipeline_logs", "Pipeline deployed.", pipeline_name=name, level="info")
    await s.call("debug_pipeline", "completed", yaml_configuration=config, inputs={"retriever": {"query": "x"}})
    stopped = await s.call("debug_pipeline", "stopped", yaml_configuration=config, break_at_component_name="llm")
    snapshot = f"{reference_in(stopped)}.snapshot"
    await s.call("debug_pipeline", "completed", yaml_configuration=config, resume_from=snapshot, dry_run=True)


async def searches(s: Session) -> None:
    billing = {"field": "meta.category", "operator": "==", "value": "billing"}
    found = await s.call("search_pipeline", "answers", pipeline_name=PIPELINE, query="What is the notice period?")
    assert (await s.ask(reference_in(found), ".documents | length")).strip() == "10"
    filtered = await s.call(
        "search_pipeline_with_filters", pipeline_name=PIPELINE, query="working days", filters=billing
    )
    assert (await s.ask(reference_in(filtered), "[.documents[].meta.category] | unique[]")).strip() == "billing"
    few = await s.call(
        "search_pipeline_with_params", pipeline_name=PIPELINE, query="notice", params={"retriever": {"top_k": 2}}
    )
    assert (await s.ask(reference_in(few), ".documents | length")).strip() == "2"
    await s.call("list_search_history", "pipeline_name", limit=5)
    await s.call(
        "list_pipeline_search_history", "data", pipeline_name=PIPELINE, limit=5,
        query_filter="contains(query,'notice')", sort_field="duration", sort_order="DESC",
    )  # fmt: skip
    await s.call("list_pipeline_traces", "query_id", pipeline_name=PIPELINE, limit=3)
    trace = await s.call("get_pipeline_trace", "haystack_trace", pipeline_name=PIPELINE, query_id=QUERY_ID)
    span_id = (await s.ask(reference_in(trace), ".haystack_trace.traces[0].span_id")).strip().strip('"')
    await s.call(
        "get_pipeline_trace_span_tags", "haystack.component.name",
        pipeline_name=PIPELINE, query_id=QUERY_ID, span_id=span_id,
    )  # fmt: skip
    await s.call("get_pipeline_trace_logs", "Running retriever", pipeline_name=PIPELINE, query_id=QUERY_ID)


async def indexes(s: Session) -> None:
    await s.call("list_indexes", "pipeline_index_id")
    index = await s.call("get_index", "config_yaml", index_name="billing-files-00")
    config = f"{reference_in(index)}.config_yaml"
    await s.call("validate_index", '"valid":true', yaml_configuration=config)
    name = f"index-{s.tag}"
    await s.call("create_index", name, index_name=name, yaml_configuration=config, description="Bills")
    updated = await s.call(
        "update_index", name, index_name=name,
        original_config_snippet="split_overlap: 30", replacement_config_snippet="split_overlap: 40",
    )  # fmt: skip
    kept = '.config_yaml | contains("split_overlap: 40") and contains("# words")'
    assert (await s.ask(reference_in(updated), kept)).strip() == "true"
    await s.call(
        "object_store_grep", "split_overlap", object_id=reference_in(updated), path="config_yaml", pattern="split_o"
    )
    await s.call("deploy_index", '"deployed":true', index_name=name)
    await s.call("list_templates", "pipeline_name", limit=100, pipeline_type="indexing")
    found = await s.call("search_templates", "extractive-onboarding", query="extractive answers for onboarding")
    name = (await s.ask(reference_in(found), ".data[0].pipeline_name")).strip().strip('"')
    template = await s.call("get_template", "query_yaml", template_name=name)
    await s.call("validate_pipeline", '"valid":true', yaml_configuration=f"{reference_in(template)}.query_yaml")


async def organization(s: Session) -> None:
    await s.call("get_models", '"total":46', provider="cohere", limit=3)
    await s.call("list_custom_component_installations", "custom_component_id", limit=5)
    await s.call("get_latest_custom_component_installation_logs", "Step 0 of installing")
    await s.call("list_component_families", "retrievers")
    await s.call("get_component_definition", "required", component_type=PROMPT_BUILDER)
    await s.call("search_component_definitions", "SimilarityRanker", query="rank documents by similarity")
    await s.call("get_custom_components", "AcmeRedactor")
    await s.call(
        "run_component",
        "output",
        component_type=PROMPT_BUILDER,
        init_params={"template": "x"},
        input_data={"documents": []},
    )
    secrets = await s.call("list_secrets", "integrations")
    assert "value-of" not in secrets
    await s.call("get_secret", "OPENAI_API_KEY", secret_id=stable_id("secret", "OPENAI_API_KEY"))
    await s.call("list_workspaces", "default")
    await s.call("get_workspace", "workspace_id", workspace_name="default")
    await s.call("create_workspace", f"lab-{s.tag}", name=f"lab-{s.tag}")
    docs = await s.call("search_docs", "docs/pipelines/create-a-pipeline", query="deploy a pipeline")
    assert len(docs) <= 20_000
    await s.call("load_skill", "object_store_sed", skill_name="edit-a-pipeline")


PARTS: list[Callable[[Session], Awaitable[None]]] = [pipelines, searches, indexes, organization]
