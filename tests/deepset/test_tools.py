"""The output of the tools, and their behavior if the platform fails; with the toolset's container."""

import contextlib
import re
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import httpx2
import pytest
from dependency_injector import providers
from fastmcp import Client as FastMCPClient
from fastmcp import FastMCP
from mcp import Client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from pydantic import SecretStr

from coatcheck.errors import SettingsError
from coatcheck.lifecycle import running
from coatcheck.server import attach, configure_mcp_server
from coatcheck.settings import Settings
from coatcheck.tool_factory import WorkspaceMode, register_tools
from coatcheck.toolsets.deepset import DeepsetContainer, DeepsetSettings, EmbeddingRanker
from coatcheck.toolsets.deepset.client_pool import ClientPool
from coatcheck.toolsets.deepset.simulator import FaultRule, SimulatedPlatform
from tests.deepset.conftest import FAST_RETRIES, listening
from tests.deepset.scenario import PIPELINE, Session
from tests.deepset.serving import client_of
from tests.results import reference_in, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def without_environment(monkeypatch):
    for name in ("API_KEY", "API_URL", "WORKSPACE", "DOCS_SHARE_URL", "CLIENT_TIMEOUT", "WORKSPACE_MODE"):
        monkeypatch.delenv(f"DEEPSET_{name}", raising=False)


def settings_for(api_url, **values) -> DeepsetSettings:
    return DeepsetSettings(**{"api_url": api_url, "api_key": "key-of-ada", "workspace": "default"} | values)


def host_for(settings, **providers_of) -> DeepsetContainer:
    host = DeepsetContainer(
        settings=settings, core_settings=Settings(), deployment=providers.Dict(poll_interval=0.02), **providers_of
    )
    host.clients.override(providers.ThreadSafeSingleton(ClientPool, settings, FAST_RETRIES))
    return host


@contextlib.asynccontextmanager
async def served(host) -> AsyncIterator[Client]:
    server = MCPServer("deepset")
    configure_mcp_server(server, toolsets=[host.installation()], container=host.coatcheck())
    async with running(host.coatcheck()), Client(server) as client:
        yield client
    await host.clients().aclose()


@pytest.fixture
async def client(api_url) -> AsyncIterator[Client]:
    async with served(host_for(settings_for(api_url))) as made:
        yield made


async def error_of(client, name, **arguments) -> str:
    result = await client.call_tool(name, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


async def test_the_error_for_a_bad_key_refers_to_the_user(api_url):
    async with served(host_for(settings_for(api_url, api_key="wrong-key"))) as client:
        answer = await error_of(client, "list_pipelines")
    assert "(401)" in answer
    assert "ask the user to check the deepset API key" in answer
    assert "wrong-key" not in answer


async def test_the_error_for_an_unknown_workspace_names_the_tool_that_lists_them(api_url):
    async with served(host_for(settings_for(api_url, workspace="nowhere"))) as client:
        answer = await error_of(client, "list_pipelines")
    assert "Workspace 'nowhere' not found (404)" in answer
    assert "list_workspaces names the workspaces" in answer


async def test_on_a_fastmcp_server_a_pipeline_is_created_by_reference(api_url, platform):
    host = host_for(settings_for(api_url))
    brought, core = host.installation(), host.coatcheck()
    server = FastMCP("fast")
    register_tools(
        server, brought.registry, object_store=core.store, workspace_mode=brought.workspace_mode,
        workspace=brought.workspace, client=brought.client,
    )  # fmt: skip
    attach(server, core)
    notified = []

    async def progress(now, total, message):
        notified.append(message)

    async with running(core), FastMCPClient(server) as client:
        tools = {tool.name: tool for tool in await client.list_tools()}
        assert "object_store_sed" in tools
        assert list(tools["deploy_pipeline"].input_schema["properties"]) == ["pipeline_name", "version_id"]
        config = reference_in(text_of(await client.call_tool("get_pipeline", {"pipeline_name": PIPELINE})))
        arguments = {"pipeline_name": "fast", "yaml_configuration": f"{config}.config_yaml"}
        assert '"created":true' in text_of(await client.call_tool("create_pipeline", arguments)).replace(" ", "")
        deployed = await client.call_tool("deploy_pipeline", {"pipeline_name": "fast"}, progress_handler=progress)
        assert '"deployed":true' in text_of(deployed).replace(" ", "")
        assert notified == ["fast: DEPLOYED after 0 s"]
    await host.clients().aclose()
    made = platform.state.workspaces["default"].pipelines
    assert made["fast"].versions[0]["config_yaml"] == made[PIPELINE].versions[0]["config_yaml"]


async def test_unlisted_tools_are_not_mentioned(api_url):
    host = host_for(settings_for(api_url))
    chosen = [
        "get_pipeline",
        "create_pipeline",
        "create_pipeline_version",
        "get_secret",
        "get_index",
        "get_pipeline_logs",
    ]
    server = MCPServer("deepset")
    configure_mcp_server(server, chosen, toolsets=[host.installation()], container=host.coatcheck())
    others = re.compile(rf"\b({'|'.join({*host.registry(), *host.coatcheck().registry()}.difference(chosen))})\b")
    async with running(host.coatcheck()), Client(server) as client:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == set(chosen)
        for tool in tools:
            assert tool.description
            assert not others.search(f"{tool.description} {tool.input_schema}"), tool.name
        for name, arguments in (("get_pipeline", {"pipeline_name": "no"}), ("get_index", {"index_name": "no"})):
            answer = await error_of(client, name, **arguments)
            assert answer.endswith("Check the spelling.")
            assert not others.search(answer)
    await host.clients().aclose()


async def test_a_wrong_address_is_named_as_a_cause_if_nothing_is_found(api_url):
    async with served(host_for(settings_for(api_url.removesuffix("/api")))) as client:
        assert (await error_of(client, "list_pipelines")).endswith("check DEEPSET_API_URL: it ends with /api.")
    async with served(host_for(settings_for(api_url))) as client:
        assert "DEEPSET_API_URL" not in await error_of(client, "get_pipeline", pipeline_name="no")


async def test_a_yaml_error_is_reported_with_its_line(client):
    result = text_of(await client.call_tool("validate_pipeline", {"yaml_configuration": "components: [\n"}))
    assert '"valid":false' in result
    assert "line 2" in result


async def test_errors_of_a_configuration_are_reported_with_their_paths(client):
    yaml = "components:\n  a:\n    type: no.Such\n"
    result = text_of(await client.call_tool("validate_pipeline", {"yaml_configuration": yaml}))
    assert "/components/a/type" in result
    created = await client.call_tool("create_pipeline", {"pipeline_name": "broken", "yaml_configuration": yaml})
    assert '"created":true' in text_of(created)
    deployed = text_of(await client.call_tool("deploy_pipeline", {"pipeline_name": "broken"}))
    assert '"deployed":false' in deployed
    assert "no.Such" in deployed


async def test_a_whole_object_in_place_of_its_configuration_is_refused(client, platform):
    reference = reference_in(text_of(await client.call_tool("get_pipeline", {"pipeline_name": PIPELINE})))
    answer = await error_of(client, "create_pipeline", pipeline_name="whole", yaml_configuration=reference)
    assert "Add .config_yaml to the reference" in answer
    assert "whole" not in platform.state.workspaces["default"].pipelines


async def test_a_timeout_says_what_to_do(api_url, platform):
    platform.faults.add(FaultRule(delay=60))
    async with served(host_for(settings_for(api_url, client_timeout=0.1))) as client:
        assert "Try again later" in await error_of(client, "list_pipelines")
        answer = await error_of(client, "create_pipeline_version", pipeline_name=PIPELINE, yaml_configuration="a: b")
    assert "It may have been carried out nevertheless" in answer


async def test_a_failure_of_the_platform_says_what_to_do(client, platform):
    platform.faults.add(FaultRule(status=500))
    answer = await error_of(client, "get_pipeline", pipeline_name=PIPELINE)
    assert "(500)" in answer
    assert "try once more in a minute" in answer


async def test_a_rate_limit_says_how_long_to_wait(client, platform):
    platform.faults.add(FaultRule(status=429, retry_after=40))
    assert "wait 40 s, then make the same call again" in await error_of(client, "list_indexes")


async def test_the_error_for_an_unreachable_platform_says_what_to_check():
    settings = DeepsetSettings(api_url="http://127.0.0.1:9/api", api_key="k", workspace="default")
    async with served(host_for(settings)) as client:
        assert "check DEEPSET_API_URL" in await error_of(client, "list_pipelines")


async def test_a_pipeline_that_is_not_deployed_is_not_searched(client):
    answer = await error_of(client, "search_pipeline", pipeline_name="faq-onboarding-02", query="x")
    assert "is not deployed" in answer
    assert "deploy_pipeline" in answer


async def test_a_slow_platform_blocks_no_other_tool_call(client, platform):
    platform.faults.add(FaultRule(delay=60, path="*/search"))
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "search_pipeline", {"pipeline_name": PIPELINE, "query": "x"})
            while not platform.requests:
                await anyio.lowlevel.checkpoint()
            assert not (await client.call_tool("list_pipelines", {})).is_error
            tasks.cancel_scope.cancel()


async def test_a_deployment_reports_progress_and_can_be_cancelled(client, platform):
    platform.state.deploy_seconds = 1000
    notified = anyio.Event()
    messages = []

    async def on_progress(progress, total, message):
        messages.append(message)
        notified.set()

    async def deploy():
        await client.call_tool("deploy_pipeline", {"pipeline_name": PIPELINE}, progress_callback=on_progress)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(deploy)
            await notified.wait()
            tasks.cancel_scope.cancel()
        assert "DEPLOYMENT_IN_PROGRESS" in messages[0]
        platform.requests.clear()
        assert not (await client.call_tool("get_pipeline", {"pipeline_name": PIPELINE})).is_error
    looked = [request.path for request in platform.requests if request.path.endswith(f"/pipelines/{PIPELINE}")]
    assert len(looked) <= 2  # polling has stopped


async def test_a_deployment_that_fails_says_where_to_look(client, platform):
    config = platform.state.workspaces["default"].pipelines[PIPELINE].versions[0]["config_yaml"]
    yaml = config.replace("OPENAI_API_KEY", "NOT_THERE")
    await client.call_tool("create_pipeline", {"pipeline_name": "unset", "yaml_configuration": yaml})
    answer = await error_of(client, "deploy_pipeline", pipeline_name="unset")
    assert 'get_pipeline_logs(pipeline_name="unset", level="error")' in answer
    logs = text_of(await client.call_tool("get_pipeline_logs", {"pipeline_name": "unset", "level": "error"}))
    assert "The secret NOT_THERE is not set" in logs


async def test_a_tool_accepts_the_reference_that_a_preview_suggests(client):
    """Including a tool whose results only are kept, and whose parameters are short texts and objects."""
    preview = text_of(await client.call_tool("list_pipelines", {}))
    offered = re.search(r"or a part such as (@obj_\w+)(\S+)\.$", preview, re.MULTILINE)
    assert offered, preview
    names = await client.call_tool("object_store_get", {"object_id": offered[1], "path": "data[1].name"})
    shown = text_of(await client.call_tool("get_pipeline", {"pipeline_name": f"{offered[1]}.data[1].name"}))
    assert text_of(names).strip('"') in shown
    stored = text_of(await client.call_tool("object_store_put", {"value": {"retriever": {"top_k": 2}}}))
    found = await client.call_tool(
        "search_pipeline_with_params",
        {
            "pipeline_name": "rag-billing-00",
            "query": "notice period",
            "params": stored.removeprefix("Stored as ").rstrip("."),
        },
    )
    assert not found.is_error, text_of(found)
    wrong = await client.call_tool("get_pipeline", {"pipeline_name": f"{offered[1]}.nope"})
    assert '".nope" leads nowhere' in text_of(wrong)


async def test_schemas_say_where_references_are_accepted(client):
    tools = {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}
    assert "@obj_1" in str(tools["search_pipeline_with_params"]["params"])
    assert "@obj_1" not in str(tools["get_pipeline"])
    assert not [name for name, properties in tools.items() if "_filter" in properties]


async def test_a_configuration_passes_by_reference_byte_for_byte(client, platform):
    pipelines = platform.state.workspaces["default"].pipelines
    config = pipelines[PIPELINE].versions[0]["config_yaml"]
    shown = text_of(await client.call_tool("get_pipeline", {"pipeline_name": PIPELINE}))
    assert "prompt_builder.question" not in shown  # the text for the model is bounded
    await client.call_tool(
        "create_pipeline_version",
        {"pipeline_name": PIPELINE, "yaml_configuration": f"{reference_in(shown)}.config_yaml"},
    )
    assert platform.requests[-1].body["config_yaml"] == config
    assert "# keywords and vectors together" in config


@pytest.mark.parametrize(
    ("snippet", "expected"),
    [("top_k: 99", "is not in the configuration"), ("- sender:", "is in the configuration 4 times")],
)
async def test_a_snippet_must_occur_exactly_once(snippet, expected, client, platform):
    answer = await error_of(
        client, "update_index", index_name="billing-files-00", original_config_snippet=snippet,
        replacement_config_snippet="x",
    )  # fmt: skip
    assert expected in answer
    assert "PATCH" not in {request.method for request in platform.requests}


async def test_nothing_to_change_is_an_error(client):
    answer = await error_of(client, "patch_pipeline_version", pipeline_name=PIPELINE, version_id="v")
    assert "Nothing to change" in answer


async def test_hidden_parameters_are_not_shown_and_cannot_be_set(client, platform):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for tool in tools.values():
        shown = set(tool.input_schema.get("properties", {}))
        hidden = {"client", "workspace", "ranker", "docs", "response_limit", "poll_interval", "ctx"}
        assert not shown & (hidden | {"skip_validation_errors", "wait_for_deployment", "timeout_seconds"}), tool.name
    await client.call_tool("list_pipelines", {})
    for name in ("workspace", "client"):
        refused = await client.call_tool("list_pipelines", {name: "mine"})
        assert refused.is_error
        assert f'There is no argument "{name}". This tool takes' in text_of(refused)
    assert [request.path for request in platform.requests] == ["v1/workspaces/default/pipelines"]


async def test_a_missing_argument_is_named_and_a_filter_is_no_argument_of_the_tool(client):
    assert 'The argument "pipeline_name" is missing.' in text_of(await client.call_tool("get_pipeline", {}))
    assert not (await client.call_tool("list_pipelines", {"_filter": "."})).is_error


async def test_tools_have_annotations_for_hosts(client):
    hints = {tool.name: tool.annotations for tool in (await client.list_tools()).tools}
    assert hints["list_pipelines"].read_only_hint is True
    assert hints["create_pipeline"].destructive_hint is False
    assert hints["create_pipeline"].idempotent_hint is False
    assert hints["deploy_pipeline"].destructive_hint is True
    assert hints["patch_pipeline_version"].idempotent_hint is True


async def test_the_model_names_the_workspace_if_none_is_fixed(api_url, platform):
    async with served(host_for(settings_for(api_url, workspace=None))) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert "workspace" in tools["list_pipelines"].input_schema["required"]
        assert "workspace" not in tools["list_secrets"].input_schema["properties"]
        await Session(client, "default").call("list_pipelines", "total")
        assert "Workspace 'lab' not found" in await error_of(client, "list_pipelines", workspace="lab")
        assert "cannot be a name" in await error_of(client, "list_pipelines", workspace="..")


async def test_docs_are_offered_only_with_a_share_url(client, api_url, platform):
    assert "search_docs" not in {tool.name for tool in (await client.list_tools()).tools}
    core = Settings(response_limit=1500)
    settings = settings_for(api_url, docs_share_url=platform.share_url())
    host = DeepsetContainer(settings=settings, core_settings=core)
    async with served(host) as with_docs:
        answer = text_of(await with_docs.call_tool("search_docs", {"query": "create a pipeline"}))
        assert len(answer) <= 1500
        assert answer.count("## docs/") >= 2
        headings = [line for line in answer.splitlines() if line and not line.startswith("> ")]
        assert all(line.startswith("## docs/") or "more pages" in line for line in headings)


async def test_guides_are_listed_in_the_description(client):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert "- build-a-pipeline: From a task to a deployed pipeline" in tools["load_skill"].description
    assert "there are: analyse-searches, build-a-pipeline" in await error_of(client, "load_skill", skill_name="x")


async def test_an_embedding_model_may_rank_instead_of_words(api_url):
    asked = []

    def embed(texts):
        asked.append(len(texts))
        return [[1.0, float("contracts" in text.lower())] if place else [0.0, 1.0] for place, text in enumerate(texts)]

    ranker = providers.Object(EmbeddingRanker(embed, threshold=0.1))
    async with served(host_for(settings_for(api_url), ranker=ranker)) as client:
        found = text_of(await client.call_tool("search_templates", {"query": "agreements", "top_k": 3}))
    assert asked == [49]
    assert "contracts" in found
    assert "billing" not in found


async def test_words_without_a_match_find_nothing(client):
    assert '"data":[]' in text_of(await client.call_tool("search_templates", {"query": "xyzzy the of"}))


async def test_the_plan_s_parameters_configure_a_server(api_url, platform):
    server = MCPServer("mine")
    container = configure_mcp_server(
        server,
        {"list_pipelines", "search_docs", "object_store_get"},
        workspace_mode=WorkspaceMode.STATIC,
        deepset_api_key="key-of-ada",
        deepset_api_url=api_url,
        deepset_workspace="default",
        deepset_docs_shareable_prototype_url=platform.share_url(),
        object_store_ttl=60,
    )
    async with running(container), Client(server) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "list_pipelines", "search_docs", "object_store_get",
        }  # fmt: skip
        assert not (await client.call_tool("list_pipelines", {})).is_error
    assert container.store().ttl == 60


async def test_a_custom_server_takes_keys_from_requests(api_url, platform):
    made = []
    server = MCPServer("mine", lifespan=lambda _: running(made[0]))
    container = configure_mcp_server(
        server, deepset_api_url=api_url, deepset_workspace="default", get_api_key_from_authorization_header=True
    )
    made.append(container)
    assert container.store().ttl == 900
    application = server.streamable_http_app(host="127.0.0.1")

    with listening(application, lifespan="on") as url:
        async with client_of(f"{url}/mcp", "key-of-ada") as ada, client_of(f"{url}/mcp", "key-of-grace") as grace:
            kept = reference_in(text_of(await ada.call_tool("list_pipelines", {})))
            assert not (await ada.call_tool("object_store_get", {"object_id": kept})).is_error
            assert "not found" in await error_of(grace, "object_store_get", object_id=kept)
            assert kept not in text_of(await grace.call_tool("object_store_list", {}))
        sent = len(platform.requests)
        async with httpx2.AsyncClient(timeout=60) as http:
            with pytest.raises((MCPError, BaseExceptionGroup)):
                async with client_of(f"{url}/mcp", None):
                    pass
            del http
        assert len(platform.requests) == sent


async def test_objects_of_request_keys_need_a_short_lifetime(api_url):
    settings = settings_for(api_url, api_key=None, api_key_from_auth_header=True)
    assert DeepsetContainer(settings=settings, core_settings=Settings()).coatcheck().store().ttl == 900
    brief = Settings(object_store_ttl=30)
    assert DeepsetContainer(settings=settings, core_settings=brief).coatcheck().store().ttl == 30
    forever = Settings(object_store_ttl=0)
    assert DeepsetContainer(settings=settings, core_settings=forever).coatcheck().store().ttl == 900
    own = DeepsetContainer(settings=settings_for(api_url), core_settings=Settings()).coatcheck()
    with pytest.raises(SettingsError, match="a revoked key must not read for long"):
        configure_mcp_server(
            MCPServer("mine"), container=own, deepset_workspace="default", get_api_key_from_authorization_header=True
        )


async def test_clients_are_bounded_and_removed_when_unused(api_url):
    now = 0.0
    pool = ClientPool(settings_for(api_url), max_clients=3, idle_seconds=10, clock=lambda: now)
    first = pool.client("a")
    assert pool.client("a") is first
    for key in "bcd":
        pool.client(key)
    assert len(pool) == 3
    assert pool.client("a") is not first
    now = 20.0
    pool.client("e")
    assert len(pool) == 1
    await pool.aclose()
    assert len(pool) == 0


async def test_the_pool_is_closed_with_the_container(api_url):
    host = DeepsetContainer(settings=settings_for(api_url), core_settings=Settings())
    async with running(host.coatcheck()):
        http = host.clients()._connections()
        await host.client().users.me()
    assert http.is_closed


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"api_key": None}, "DEEPSET_API_KEY"),
        ({"api_key_from_auth_header": True}, "choose one"),
        ({"workspace": None, "workspace_mode": "static"}, "needs a workspace"),
        ({"workspace_mode": "dynamic"}, "leave out --workspace"),
        ({"workspace_mode": "both"}, "static"),
        ({"api_url": "ftp://x"}, "api_url"),
        ({"client_timeout": 0}, "client_timeout"),
        ({"api_key": "s3cret-key with spaces"}, "without spaces"),
        ({"docs_share_url": "https://x/?share_token=s3cret-key"}, "share URL"),
    ],
)
def test_invalid_settings_are_refused_with_a_remedy(values, expected):
    from coatcheck.toolsets.deepset import TOOLSET

    options = {"api_key": "s3cret-key", "workspace": "default"} | values
    with pytest.raises(SettingsError, match=expected) as caught:
        TOOLSET.load_settings({name: value for name, value in options.items() if value is not None})
    assert "s3cret-key" not in str(caught.value)


def test_printed_settings_contain_no_secrets():
    share_url = SimulatedPlatform().share_url()
    settings = DeepsetSettings(api_key=SecretStr("s3cret-key"), workspace="w", docs_share_url=SecretStr(share_url))
    assert "s3cret" not in repr(settings)
    assert "prototype_" not in repr(settings)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "DEEPSET_API_KEY"),
        ({"api_key": "s3cret key"}, "without spaces or line breaks"),
        ({"api_key": "s3cret", "client_timeout": -1}, "client_timeout: a number greater than 0 is expected"),
        ({"api_key": "s3cret", "worksapce": "w"}, "worksapce"),
    ],
)
def test_settings_in_code_that_do_not_fit_are_an_error_of_the_settings(values, expected):
    with pytest.raises(SettingsError, match=expected) as caught:
        DeepsetSettings(**values)
    assert "s3cret" not in str(caught.value)
