"""Each row of the API: the request that is sent, which the simulated platform must accept."""

from typing import Any, NamedTuple

import pytest

from coatcheck.toolsets.deepset.client import DocsShare, NotFound, RequestRejected, open_http_client
from coatcheck.toolsets.deepset.simulator.platform_state import stable_id
from coatcheck.toolsets.deepset.simulator.sample_yaml import indexing_yaml, rag_yaml
from tests.deepset.conftest import FAST_RETRIES

pytestmark = pytest.mark.anyio

WS = "v1/workspaces/default"
PIPELINE = "rag-billing-00"
QUERY_YAML = rag_yaml("test", "billing", 1)
INDEX_YAML = indexing_yaml("test", "billing", 1)
WORKSPACE_ID = stable_id("workspace", "default")
PIPELINE_ID = stable_id("pipeline", "default", PIPELINE)
VERSION_ID = stable_id("version", PIPELINE_ID, 3)
QUERY_ID = stable_id("query", PIPELINE, 5)
SPAN_ID = stable_id("span", QUERY_ID, "llm")
TRACES = f"v2/workspaces/{WORKSPACE_ID}/pipelines/{PIPELINE_ID}/search_history"
INDEX = "billing-files-00"
SECRET_ID = stable_id("secret", "OPENAI_API_KEY")


class Row(NamedTuple):
    """A call and its expected request."""

    call: Any
    method: str
    path: str
    query: dict[str, str] = {}  # noqa: RUF012
    body: Any = None


def pipelines(client):
    return client.workspace("default").pipelines


def searches(client):
    return client.workspace("default").searches


def indexes(client):
    return client.workspace("default").indexes


SEARCH_BODY = {"queries": ["notice period"], "debug": False, "view_prompts": False}
RUN_TYPE = "haystack.components.builders.prompt_builder.PromptBuilder"
RUN_BODY = {"component_type": RUN_TYPE, "init_params": {"template": "x"}, "input": {"documents": []}}
NEWEST = {"field": "created_at", "order": "DESC"}

ROWS = {
    "validate pipeline": Row(
        lambda c: pipelines(c).validate(QUERY_YAML, pipeline_id=PIPELINE_ID),
        "POST", f"{WS}/pipeline_validations", body={"query_yaml": QUERY_YAML, "pipeline_id": PIPELINE_ID},
    ),
    "validate index": Row(
        lambda c: indexes(c).validate(INDEX_YAML),
        "POST", f"{WS}/pipeline_validations", body={"indexing_yaml": INDEX_YAML},
    ),
    "pipelines": Row(lambda c: pipelines(c).list(limit=7), "GET", f"{WS}/pipelines", {"limit": "7"}),
    "pipelines, next page": Row(
        lambda c: pipelines(c).list(limit=7, after=PIPELINE_ID),
        "GET", f"{WS}/pipelines", {"limit": "7", "before": PIPELINE_ID},
    ),
    "pipeline": Row(lambda c: pipelines(c).get(PIPELINE), "GET", f"{WS}/pipelines/{PIPELINE}"),
    "create pipeline": Row(
        lambda c: pipelines(c).create("new", QUERY_YAML),
        "POST", f"{WS}/pipelines", body={"name": "new", "query_yaml": QUERY_YAML},
    ),
    "delete pipeline": Row(lambda c: pipelines(c).delete(PIPELINE), "DELETE", f"{WS}/pipelines/{PIPELINE}"),
    "versions": Row(
        lambda c: pipelines(c).list_versions(PIPELINE, limit=5, after=VERSION_ID),
        "GET", f"{WS}/pipelines/{PIPELINE}/versions",
        {"limit": "5", "order": "DESC", "field": "version_number", "after": VERSION_ID},
    ),
    "create version": Row(
        lambda c: pipelines(c).create_version(PIPELINE, QUERY_YAML, is_draft=True, description="Less heat"),
        "POST", f"{WS}/pipelines/{PIPELINE}/versions",
        body={"config_yaml": QUERY_YAML, "is_draft": True, "description": "Less heat"},
    ),
    "version": Row(
        lambda c: pipelines(c).get_version(PIPELINE, VERSION_ID),
        "GET", f"{WS}/pipelines/{PIPELINE}/versions/{VERSION_ID}",
    ),
    "patch version": Row(
        lambda c: pipelines(c).update_version(PIPELINE, VERSION_ID, is_draft=False),
        "PATCH", f"{WS}/pipelines/{PIPELINE}/versions/{VERSION_ID}", body={"is_draft": False},
    ),
    "restore version": Row(
        lambda c: pipelines(c).restore_version(PIPELINE, VERSION_ID),
        "POST", f"{WS}/pipelines/{PIPELINE}/versions/{VERSION_ID}/restore",
    ),
    "deploy": Row(lambda c: pipelines(c).deploy(PIPELINE), "POST", f"{WS}/pipelines/{PIPELINE}/deploy"),
    "deploy a version": Row(
        lambda c: pipelines(c).deploy(PIPELINE, version_id=VERSION_ID),
        "POST", f"{WS}/pipelines/{PIPELINE}/deploy", body={"pipeline_version_id": VERSION_ID},
    ),
    "logs": Row(
        lambda c: pipelines(c).logs(PIPELINE, limit=3, level="error"),
        "GET", f"{WS}/pipelines/{PIPELINE}/logs", {"limit": "3", "filter": "level eq 'error'"},
    ),
    "debug run": Row(
        lambda c: pipelines(c).debug(
            QUERY_YAML, {"retriever": {"query": "x"}}, break_at={"component_name": "llm", "visit_count": 0},
            files=None, pipeline_version_id=VERSION_ID,
        ),
        "POST", f"{WS}/haystack/pipelines/debug",
        body={
            "pipeline_config": QUERY_YAML, "inputs": {"retriever": {"query": "x"}}, "dry_run": False,
            "break_at": {"component_name": "llm", "visit_count": 0}, "pipeline_version_id": VERSION_ID,
        },
    ),
    "search": Row(
        lambda c: searches(c).search(PIPELINE, "notice period"),
        "POST", f"{WS}/pipelines/{PIPELINE}/search", body=SEARCH_BODY,
    ),
    "search with params and filters": Row(
        lambda c: searches(c).search(
            PIPELINE, "notice period", params={"retriever": {"top_k": 2}},
            filters={"field": "meta.category", "operator": "==", "value": "billing"}, view_prompts=True,
        ),
        "POST", f"{WS}/pipelines/{PIPELINE}/search",
        body={
            **SEARCH_BODY, "view_prompts": True, "params": {"retriever": {"top_k": 2}},
            "filters": {"field": "meta.category", "operator": "==", "value": "billing"},
        },
    ),
    "search stream": Row(
        lambda c: collect_events(searches(c).stream(PIPELINE, "notice period")),
        "POST", f"{WS}/pipelines/{PIPELINE}/search-stream",
        body={"query": "notice period", "include_result": True, "debug": False, "view_prompts": False},
    ),
    "indexes": Row(
        lambda c: indexes(c).list(limit=4, after=stable_id("index", "default", INDEX)),
        "GET", f"{WS}/indexes", {"limit": "4", "before": stable_id("index", "default", INDEX)},
    ),
    "index": Row(lambda c: indexes(c).get(INDEX), "GET", f"{WS}/indexes/{INDEX}"),
    "create index": Row(
        lambda c: indexes(c).create("new", INDEX_YAML, description="Bills"),
        "POST", f"{WS}/indexes", body={"name": "new", "config_yaml": INDEX_YAML, "description": "Bills"},
    ),
    "update index": Row(
        lambda c: indexes(c).update(INDEX, config_yaml=INDEX_YAML),
        "PATCH", f"{WS}/indexes/{INDEX}", body={"config_yaml": INDEX_YAML},
    ),
    "delete index": Row(lambda c: indexes(c).delete(INDEX), "DELETE", f"{WS}/indexes/{INDEX}"),
    "deploy index": Row(lambda c: indexes(c).deploy(INDEX), "POST", f"{WS}/indexes/{INDEX}/deploy"),
    "templates": Row(
        lambda c: c.workspace("default").templates.list(limit=9, pipeline_type="query"),
        "GET", f"{WS}/pipeline_templates", {"limit": "9", **NEWEST, "filter": "pipeline_type eq 'QUERY'"},
    ),
    "template": Row(
        lambda c: c.workspace("default").templates.get("retrieval-billing-00"),
        "GET", f"{WS}/pipeline_templates/retrieval-billing-00",
    ),
    "search history": Row(
        lambda c: searches(c).history(limit=6, query_filter="contains(query,'notice')", field="query", order="ASC"),
        "GET", f"{WS}/search_history",
        {"limit": "6", "field": "query", "order": "ASC", "filter": "contains(query,'notice')"},
    ),
    "search history of a pipeline": Row(
        lambda c: searches(c).history(pipeline=PIPELINE, limit=6),
        "GET", f"{WS}/pipelines/{PIPELINE}/search_history_archive", {"limit": "6"},
    ),
    "traces": Row(
        lambda c: searches(c).traces(PIPELINE, limit=2, field="created_at", order="DESC"),
        "GET", f"{TRACES}/traces", {"limit": "2", **NEWEST},
    ),
    "trace": Row(lambda c: searches(c).trace(PIPELINE, QUERY_ID), "GET", f"{TRACES}/{QUERY_ID}/trace/export"),
    "trace tags": Row(
        lambda c: searches(c).trace_span_tags(PIPELINE, QUERY_ID, SPAN_ID),
        "GET", f"{TRACES}/{QUERY_ID}/trace/tags/{SPAN_ID}",
    ),
    "trace logs": Row(lambda c: searches(c).trace_logs(PIPELINE, QUERY_ID), "GET", f"{TRACES}/{QUERY_ID}/trace/logs"),
    "models": Row(
        lambda c: c.workspace("default").models.list(limit=5, page_number=2, connected=True),
        "GET", f"v2/workspaces/{WORKSPACE_ID}/models", {"limit": "5", "page_number": "2", "connected": "true"},
    ),
    "components": Row(lambda c: c.components.schema(), "GET", "v1/haystack/components"),
    "component inputs and outputs": Row(
        lambda c: c.components.input_output("PromptBuilder"),
        "GET", "v1/haystack/components/input-output", {"domain": "deepset-cloud", "names": "PromptBuilder"},
    ),
    "run component": Row(
        lambda c: c.components.run(RUN_TYPE, {"template": "x"}, {"documents": []}, input_types={"documents": "list"}),
        "POST", "v1/haystack/components/run", body={**RUN_BODY, "input_types": {"documents": "list"}},
    ),
    "run component in a workspace": Row(
        lambda c: c.components.run(RUN_TYPE, {"template": "x"}, {"documents": []}, workspace="default"),
        "POST", f"{WS}/haystack/components/run", body=RUN_BODY,
    ),
    "custom components": Row(
        lambda c: c.custom_components.list(limit=5, after=stable_id("installation", 9)),
        "GET", "v2/custom_components", {"limit": "5", **NEWEST, "before": stable_id("installation", 9)},
    ),
    "custom component logs": Row(lambda c: c.custom_components.latest_logs(), "GET", "v2/custom_components/logs"),
    "secrets": Row(
        lambda c: c.secrets.list(limit=5, after=SECRET_ID),
        "GET", "v2/secrets", {"limit": "5", **NEWEST, "before": SECRET_ID},
    ),
    "create secret": Row(
        lambda c: c.secrets.create("NEW", "hidden"), "POST", "v2/secrets", body={"name": "NEW", "secret": "hidden"}
    ),
    "secret": Row(lambda c: c.secrets.get(SECRET_ID), "GET", f"v2/secrets/{SECRET_ID}"),
    "delete secret": Row(lambda c: c.secrets.delete(SECRET_ID), "DELETE", f"v2/secrets/{SECRET_ID}"),
    "integrations": Row(lambda c: c.integrations.list(), "GET", "v1/model_registry_tokens"),
    "integration": Row(lambda c: c.integrations.get("openai"), "GET", "v1/model_registry_tokens/openai"),
    "workspaces": Row(lambda c: c.workspaces.list(), "GET", "v1/workspaces"),
    "create workspace": Row(lambda c: c.workspaces.create("lab"), "POST", "v1/workspaces", body={"name": "lab"}),
    "workspace": Row(lambda c: c.workspaces.get("default"), "GET", WS),
    "delete workspace": Row(lambda c: c.workspaces.delete("default"), "DELETE", WS),
    "user": Row(lambda c: c.users.get(stable_id("user", "grace")), "GET", f"v1/users/{stable_id('user', 'grace')}"),
    "me": Row(lambda c: c.users.me(), "GET", "v1/users/me"),
}  # fmt: skip


async def collect_events(stream):
    return [event async for event in stream]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_a_call_sends_what_the_api_documents(row: Row, client, platform):
    await row.call(client)
    sent = platform.requests[-1]
    assert (sent.method, sent.path, sent.query, sent.body) == (row.method, row.path, row.query, row.body)
    assert sent.headers["authorization"] == "Bearer key-of-ada"
    assert sent.headers["accept"] == "application/json"
    if row.body is not None:
        assert sent.headers["content-type"] == "application/json"


async def test_ids_for_traces_are_looked_up_by_name_first(client, platform):
    await searches(client).traces(PIPELINE)
    looked_up = {request.path for request in list(platform.requests)[:2]}
    assert looked_up == {WS, f"{WS}/pipelines/{PIPELINE}"}


async def test_the_id_of_a_workspace_is_looked_up_for_its_models(client, platform):
    await client.workspace("default").models.list()
    assert [request.path for request in platform.requests] == [WS, f"v2/workspaces/{WORKSPACE_ID}/models"]


@pytest.mark.parametrize("name", ["a/b", "50 % off?", "größer#1", "..a", "a+b&c=d", "%2F"])
async def test_every_character_of_a_name_is_sent(name, client, platform):
    await pipelines(client).create(name, QUERY_YAML)
    found = await pipelines(client).get(name)
    assert found.name == name
    assert "/" not in platform.requests[-1].path.removeprefix(f"{WS}/pipelines/")


@pytest.mark.parametrize("name", ["", ".", "..", " ", "x" * 501])
async def test_a_name_that_would_change_the_path_is_refused_before_anything_is_sent(name, client, platform):
    with pytest.raises(RequestRejected, match="cannot be a name"):
        await pipelines(client).delete(name)
    assert not platform.requests


async def test_docs_are_searched_with_the_token_of_the_share(platform, api_url):
    async with open_http_client() as http:
        share = DocsShare(platform.share_url(), http, base_url=api_url, retries=FAST_RETRIES)
        assert not platform.requests
        result = await share.search("deploy a pipeline")
        await share.search("indexes")
    share_id = "8f14e45f-ceea-467f-a0e6-0d5f1c2a7b90"
    paths = [(request.method, request.path) for request in platform.requests]
    assert paths == [
        ("GET", f"v1/workspaces/docs/shared_prototypes/{share_id}"),
        ("POST", "v1/workspaces/docs/shared_prototype_users"),
        ("POST", "v1/workspaces/docs/pipelines/documentation-search/search"),
        ("POST", "v1/workspaces/docs/pipelines/documentation-search/search"),
    ]
    keys = [request.headers["authorization"].removeprefix("Bearer ") for request in platform.requests]
    assert keys[0] == keys[1] == platform.state.share_token
    assert keys[2] == keys[3] in platform.state.share_user_tokens
    assert result.documents


async def test_a_share_is_resolved_again_when_its_token_expires(platform, api_url):
    async with open_http_client() as http:
        share = DocsShare(platform.share_url(), http, base_url=api_url, retries=FAST_RETRIES)
        await share.search("deploy")
        platform.state.share_user_tokens.clear()
        assert (await share.search("deploy")).documents
    assert [request.path.rpartition("/")[2] for request in platform.requests].count("shared_prototype_users") == 2


async def test_components_that_do_not_exist_have_no_inputs(client):
    with pytest.raises(NotFound, match="Nonsense"):
        await client.components.input_output("Nonsense")
