"""The client with a slow, overloaded, broken or unusual platform; over real HTTP."""

import contextlib
import logging
import socket

import anyio
import anyio.lowlevel
import pytest

from coatcheck.errors import SettingsError
from coatcheck.toolsets.deepset.client import (
    DeepsetClient,
    DeepsetError,
    NotAuthorized,
    NotFound,
    PlatformFailed,
    PlatformTimeout,
    PlatformUnreachable,
    RateLimited,
    RequestRejected,
    RetryPolicy,
    Timeouts,
    UnexpectedAnswer,
    open_http_client,
)
from coatcheck.toolsets.deepset.client.api_connection import ApiConnection
from coatcheck.toolsets.deepset.client.pipelines_api import validation_faults
from coatcheck.toolsets.deepset.client.retry_policy import retry_after_seconds
from coatcheck.toolsets.deepset.simulator import FaultRule
from tests.deepset.conftest import FAST_RETRIES, listening
from tests.deepset.test_api_requests import PIPELINE, QUERY_YAML, pipelines, searches

pytestmark = pytest.mark.anyio


def paths(platform) -> list[str]:
    return [f"{request.method} {request.path.rpartition('/')[2]}" for request in platform.requests]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_read_is_repeated_until_the_platform_answers(status, client, platform):
    platform.faults.add(FaultRule(status=status, times=2))
    assert (await pipelines(client).get(PIPELINE)).name == PIPELINE
    assert len(platform.requests) == 3


async def test_a_read_is_repeated_after_a_broken_connection(client, platform):
    platform.faults.add(FaultRule(drop=True, times=1))
    assert (await pipelines(client).get(PIPELINE)).name == PIPELINE
    assert len(platform.requests) == 2


@pytest.mark.parametrize("status", [429, 503])
async def test_a_write_is_repeated_if_the_platform_did_not_execute_it(status, client, platform):
    platform.faults.add(FaultRule(status=status, times=1))
    await pipelines(client).create("new", QUERY_YAML)
    assert paths(platform) == ["POST pipelines"] * 2


@pytest.mark.parametrize("rule", [FaultRule(status=502), FaultRule(status=504), FaultRule(drop=True)])
async def test_a_write_that_may_have_been_executed_is_not_repeated(rule, client, platform):
    platform.faults.add(rule)
    with pytest.raises(DeepsetError):
        await pipelines(client).create("new", QUERY_YAML)
    assert paths(platform) == ["POST pipelines"]


async def test_retries_are_bounded(client, platform):
    platform.faults.add(FaultRule(status=503))
    with pytest.raises(PlatformFailed) as caught:
        await pipelines(client).get(PIPELINE)
    assert caught.value.status == 503
    assert len(platform.requests) == FAST_RETRIES.attempts


async def test_a_500_is_not_repeated(client, platform):
    platform.faults.add(FaultRule(status=500))
    with pytest.raises(PlatformFailed, match=r"Simulated failure 500"):
        await pipelines(client).get(PIPELINE)
    assert len(platform.requests) == 1


async def test_retry_after_is_respected(api_url, platform):
    platform.faults.add(FaultRule(status=429, times=1, retry_after=1))
    began = anyio.current_time()
    async with DeepsetClient("key-of-ada", base_url=api_url, retries=RetryPolicy(first_delay=0.01)) as client:
        assert (await pipelines(client).get(PIPELINE)).name == PIPELINE
    assert anyio.current_time() - began >= 1
    assert len(platform.requests) == 2


async def test_a_retry_after_that_is_too_long_is_an_error(client, platform):
    platform.faults.add(FaultRule(status=429, times=1, retry_after=60))
    with pytest.raises(RateLimited) as caught:
        await pipelines(client).get(PIPELINE)
    assert caught.value.retry_after == 60
    assert len(platform.requests) == 1


def test_retry_after_may_be_seconds_or_a_date():
    assert retry_after_seconds("7") == 7
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after_seconds(None) is None
    assert retry_after_seconds("soon") is None


def test_pauses_grow_and_are_bounded():
    policy = RetryPolicy(attempts=6, first_delay=1, longest_delay=4)
    pauses = [policy.delay(attempt, None) for attempt in range(1, 7)]
    assert pauses[5] is None
    for pause, longest in zip(pauses[:5], [1, 2, 4, 4, 4], strict=True):
        assert longest / 2 <= pause <= longest
    assert policy.delay(1, 3.5) == 3.5
    assert policy.delay(1, 4.5) is None


async def test_a_slow_response_times_out(api_url, platform):
    platform.faults.add(FaultRule(delay=60, path="*/pipelines/*"))
    async with DeepsetClient("key-of-ada", base_url=api_url, timeouts=Timeouts(default=0.1)) as client:
        with anyio.fail_after(30), pytest.raises(PlatformTimeout, match=r"within 0\.1 s"):
            await pipelines(client).get(PIPELINE)


async def test_a_slow_platform_does_not_block_other_calls(client, platform):
    platform.faults.add(FaultRule(delay=60, path="*/search"))
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(searches(client).search, PIPELINE, "x")
            while not platform.requests:
                await anyio.lowlevel.checkpoint()
            assert (await pipelines(client).get(PIPELINE)).name == PIPELINE
            tasks.cancel_scope.cancel()


async def test_each_kind_of_call_has_its_own_timeout(api_url, platform):
    platform.faults.add(FaultRule(delay=0.5, path="*/search"))
    async with DeepsetClient("key-of-ada", base_url=api_url, timeouts=Timeouts(default=0.2, search=30)) as client:
        assert (await searches(client).search(PIPELINE, "notice")).documents
    platform.faults.clear()
    platform.faults.add(FaultRule(delay=30, path="*/search"))
    async with DeepsetClient("key-of-ada", base_url=api_url, timeouts=Timeouts(default=30, search=0.2)) as client:
        with pytest.raises(PlatformTimeout):
            await searches(client).search(PIPELINE, "notice")


def test_the_timeouts_are_those_of_the_api():
    assert Timeouts() == Timeouts(default=5, search=180, trace_export=70)


async def test_an_unreachable_platform_is_reported(platform):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with DeepsetClient(
        "key-of-ada", base_url=f"http://127.0.0.1:{port}/api", retries=RetryPolicy(attempts=2, first_delay=0.01)
    ) as client:
        with pytest.raises(PlatformUnreachable, match=f"No answer from http://127.0.0.1:{port}/api"):
            await pipelines(client).create("new", QUERY_YAML)


async def test_a_wrong_key_is_distinguished(api_url, caplog):
    with caplog.at_level(logging.DEBUG, "coatcheck"):
        async with DeepsetClient("not-a-key", base_url=api_url, retries=FAST_RETRIES) as client:
            with pytest.raises(NotAuthorized) as caught:
                await client.users.me()
    assert caught.value.status == 401
    assert "not-a-key" not in caplog.text + str(caught.value) + repr(client)


async def test_not_found_is_distinguished(client):
    with pytest.raises(NotFound, match="Workspace 'nowhere' not found") as caught:
        await client.workspace("nowhere").pipelines.list()
    assert (caught.value.method, caught.value.path) == ("GET", "v1/workspaces/nowhere/pipelines")


async def test_an_error_carries_its_details(client):
    await pipelines(client).create("broken", "components:\n  a:\n    type: nothing.Such\n")
    with pytest.raises(RequestRejected) as caught:
        await pipelines(client).deploy("broken")
    assert caught.value.status == 400
    assert [fault.code for fault in validation_faults(caught.value)] == [
        "unknown_component", "missing_input", "missing_output",
    ]  # fmt: skip
    assert "There is no component of the type 'nothing.Such'. (at /components/a/type)" in str(caught.value)


async def test_yaml_that_cannot_be_parsed_is_a_result_of_validating(client):
    result = await pipelines(client).validate("components: [")
    assert not result.valid
    assert result.errors[0].category == "syntax"
    assert "line 1" in result.errors[0].message


async def test_an_error_may_be_a_text_or_a_page(client, platform):
    platform.faults.add(FaultRule(status=500, body="upstream connect error", times=1))
    with pytest.raises(PlatformFailed, match="upstream connect error"):
        await client.users.me()
    platform.faults.add(FaultRule(status=500, html=True, times=1))
    with pytest.raises(PlatformFailed) as caught:
        await client.users.me()
    assert "<" not in str(caught.value)


async def test_an_error_that_repeats_the_key_does_not_show_it(client, platform):
    platform.faults.add(FaultRule(status=400, body='{"message": "Bad key key-of-ada", "details": "key-of-ada"}'))
    with pytest.raises(RequestRejected) as caught:
        await client.users.me()
    assert "key-of-ada" not in str(caught.value)


async def test_a_long_error_is_cut(client, platform):
    faults = ",".join('{"message": "%s"}' % ("x" * 2000) for _ in range(100))
    platform.faults.add(FaultRule(status=400, body=f'{{"message": "{"y" * 5000}", "details": [{faults}]}}'))
    with pytest.raises(RequestRejected) as caught:
        await client.users.me()
    assert len(str(caught.value)) < 9000
    assert "and 80 more" in str(caught.value)


@pytest.mark.parametrize("body", ["[" * 100_000, '{"data": 5}', "null", "5", '{"data": [{"no": "name"}]}', "<html>"])
async def test_an_undocumented_response_is_an_error(body, client, platform):
    platform.faults.add(FaultRule(status=200, body=body))
    with pytest.raises(UnexpectedAnswer):
        await pipelines(client).list()


async def test_a_response_over_the_limit_is_cancelled(client):
    connection = pipelines(client).connection
    small = ApiConnection(connection.http, connection.api_key, connection.base_url, max_response_bytes=1000)
    with pytest.raises(UnexpectedAnswer, match="larger than 1,000 bytes"):
        await small.get("v1", "haystack", "components")


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel"])
def test_a_key_that_is_invalid_in_a_header_is_refused(key):
    with pytest.raises(SettingsError, match="API key") as caught:
        DeepsetClient(key)
    assert not key or key not in str(caught.value)


async def test_lists_are_paged_to_the_end(client, platform):
    names = [pipeline.name async for pipeline in pipelines(client).iterate(page_size=10)]
    assert names == list(platform.state.workspaces["default"].pipelines)
    assert len(platform.requests) == 7
    logs = [entry.log_id async for entry in pipelines(client).iterate_logs(PIPELINE, page_size=50)]
    assert len(logs) == len(set(logs)) == 240
    history = [entry.query_id async for entry in searches(client).iterate_history(page_size=100)]
    assert len(history) == len(set(history)) == len(platform.state.workspaces["default"].history)
    secrets = [secret.name async for secret in client.secrets.iterate(page_size=15)]
    assert len(secrets) == len(platform.state.secrets)
    installed = [each.version async for each in client.custom_components.iterate(page_size=7)]
    assert len(installed) == 30
    indexes = [index.name async for index in client.workspace("default").indexes.iterate(page_size=9)]
    assert len(indexes) == len(set(indexes)) == 24


async def test_a_list_is_fetched_lazily(client, platform):
    async with contextlib.aclosing(pipelines(client).iterate(page_size=10)) as names:
        async for _ in names:
            break
    assert len(platform.requests) == 1


async def test_a_list_that_never_ends_is_an_error(client, platform):
    platform.faults.add(FaultRule(status=200, body='{"data": [{"name": "a", "pipeline_id": "1"}], "has_more": true}'))
    with pytest.raises(UnexpectedAnswer, match="does not end"):
        [item async for item in pipelines(client).iterate()]
    assert len(platform.requests) == 2


async def test_templates_are_paged_although_the_api_does_not(client, platform):
    templates = client.workspace("default").templates
    first = await templates.list(limit=20)
    second = await templates.list(limit=20, after=first.next_cursor)
    third = await templates.list(limit=20, after=second.next_cursor)
    names = [template.pipeline_name for page in (first, second, third) for template in page.data]
    assert names == list(platform.state.workspaces["default"].templates)
    assert third.next_cursor is None
    with pytest.raises(RequestRejected, match="no template"):
        await templates.list(after="nonsense")


async def test_models_are_filtered_over_all_pages(client, platform):
    page = await client.workspace("default").models.list(provider="Cohere", model="MODEL-4", limit=3, page_number=2)
    assert [model.model for model in page.data] == ["cohere-model-43", "cohere-model-44", "cohere-model-45"]
    assert (page.total, page.has_more) == (6, False)
    assert paths(platform) == ["GET default", "GET models", "GET models", "GET models"]


async def test_a_search_streams_its_answer(client):
    events = [event async for event in searches(client).stream(PIPELINE, "notice period in billing")]
    text = "".join(event.delta["text"] for event in events if event.type == "delta")
    assert len(events) > 10
    assert events[-1].result.answers[0]["answer"] == text


async def test_a_stream_that_fails_immediately_is_an_error(client):
    with pytest.raises(NotFound):
        [event async for event in searches(client).stream("nothing", "x")]


async def test_a_stream_may_be_left_early(client):
    async with contextlib.aclosing(searches(client).stream(PIPELINE, "notice period")) as stream:
        async for event in stream:
            assert event.type == "delta"
            break
    assert (await pipelines(client).get(PIPELINE)).name == PIPELINE


async def test_a_stream_that_does_not_start_times_out(api_url, platform):
    platform.faults.add(FaultRule(delay=60, path="*/search-stream"))
    async with DeepsetClient("key-of-ada", base_url=api_url, timeouts=Timeouts(search=0.1)) as client:
        with anyio.fail_after(30), pytest.raises(PlatformTimeout):
            [event async for event in searches(client).stream(PIPELINE, "x")]


async def test_a_deployment_is_waited_for(client, platform):
    platform.state.deploy_seconds = 0.2
    seen = []

    async def on_status(status, seconds):
        seen.append(status)

    await pipelines(client).deploy(PIPELINE)
    deployed = await pipelines(client).wait_until_deployed(PIPELINE, poll_interval=0.02, on_status=on_status)
    assert deployed.status == "DEPLOYED"
    assert seen[0] == "DEPLOYMENT_IN_PROGRESS"
    assert seen[-1] == "DEPLOYED"


async def test_a_deployment_that_fails_or_takes_too_long_is_reported(client, platform):
    platform.state.deploy_seconds = 1000
    await pipelines(client).deploy(PIPELINE)
    with pytest.raises(PlatformTimeout, match="DEPLOYMENT_IN_PROGRESS"):
        await pipelines(client).wait_until_deployed(PIPELINE, timeout_seconds=0.1, poll_interval=0.02)
    platform.state.deploy_seconds = 0
    await pipelines(client).create("unset", QUERY_YAML.replace("OPENAI_API_KEY", "NOT_THERE"))
    await pipelines(client).deploy("unset")
    with pytest.raises(PlatformFailed, match="deployment of unset failed"):
        await pipelines(client).wait_until_deployed("unset", poll_interval=0.02)
    assert "NOT_THERE" in (await pipelines(client).logs("unset", level="error")).data[0].message


async def test_a_deployment_is_waited_for_even_if_a_status_request_fails(client, platform):
    await pipelines(client).deploy(PIPELINE)
    looks = FaultRule(status=503, method="GET", path=f"*/pipelines/{PIPELINE}", times=2 * FAST_RETRIES.attempts)
    platform.faults.add(looks)
    assert (await pipelines(client).wait_until_deployed(PIPELINE, poll_interval=0.01)).status == "DEPLOYED"
    platform.faults.clear()
    platform.faults.add(FaultRule(status=503))
    platform.requests.clear()
    with pytest.raises(PlatformFailed, match="503"):
        await pipelines(client).wait_until_deployed(PIPELINE, poll_interval=0.01)
    assert len(platform.requests) == 5 * FAST_RETRIES.attempts


async def test_secrets_are_returned_without_their_values_even_if_the_platform_sends_them(client, platform):
    secret = '{"name": "A", "secret_id": "1", "secret": "leaked-value"}'
    platform.faults.add(FaultRule(status=200, body=secret, path="v2/secrets/1"))
    platform.faults.add(FaultRule(status=200, body=f'{{"data": [{secret}]}}', path="v2/secrets"))
    token = '[{"provider": "openai", "token": "leaked-value", "api_key": "leaked-value", "provider_domain": "d"}]'
    platform.faults.add(FaultRule(status=200, body=token, path="v1/model_registry_tokens"))
    assert (await client.secrets.get("1")).model_dump() == {"name": "A", "secret_id": "1"}
    assert "leaked" not in (await client.secrets.list()).model_dump_json()
    integrations = await client.integrations.list()
    assert "leaked" not in integrations[0].model_dump_json()
    assert integrations[0].provider_domain == "d"


async def test_keys_share_a_connection_pool_but_not_cookies():
    cookies = []

    async def tracking(scope, receive, send):
        cookies.append(dict(scope["headers"]).get(b"cookie"))
        headers = [(b"set-cookie", b"session=of-ada"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"given_name": "Ada"}'})

    with listening(tracking) as url:
        async with open_http_client() as http:
            ada = DeepsetClient("key-of-ada", base_url=url, http=http)
            grace = DeepsetClient("key-of-grace", base_url=url, http=http)
            await ada.users.me()
            await ada.aclose()  # a given pool stays open
            assert (await grace.users.me()).given_name == "Ada"
    assert cookies == [None, None]
