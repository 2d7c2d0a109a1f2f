"""The simulated platform: keys, rate limits, faults, and the command that starts it."""

import contextlib
import re
import subprocess
import threading
from collections.abc import Iterator

import httpx2
import pytest

from coatcheck.errors import SettingsError
from coatcheck.toolsets.deepset.client import DeepsetClient, NotAuthorized, RateLimited, RequestRejected, RetryPolicy
from coatcheck.toolsets.deepset.simulator import FaultRule, SimulatedPlatform
from tests.deepset.conftest import listening
from tests.deepset.serving import COATCHECK, START_SECONDS, environment

ONCE = RetryPolicy(attempts=1)


@contextlib.contextmanager
def simulated(*flags: str) -> Iterator[str]:
    """Run ``coatcheck deepset simulate`` on a free port, and yield its address."""
    process = subprocess.Popen(
        [*COATCHECK, "deepset", "simulate", "--port", "0", *flags],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    try:
        output = process.stderr.readline()
        found = re.search(r"(http://\S+)/api", output)
        assert found, output + process.stderr.read()
        assert "--docs-share-url 'https://" in process.stderr.readline()
        yield found[1]
    finally:
        timer.cancel()
        process.kill()
        process.wait(START_SECONDS)
        process.stderr.close()


@pytest.mark.anyio
async def test_the_command_accepts_keys_and_faults_and_more_faults_while_it_runs(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("# key name\nkey-of-ada ada\n\nkey-of-grace grace\n")
    with simulated("--keys", str(keys), "--faults", "status=418 path=v1/users/me times=1") as url:
        async with DeepsetClient("key-of-grace", base_url=f"{url}/api", retries=ONCE) as client:
            with pytest.raises(RequestRejected, match="418"):
                await client.users.me()
            assert (await client.users.me()).given_name == "Grace"
            async with httpx2.AsyncClient() as http:
                added = await http.post(f"{url}/simulator/faults", content="status=429 retry_after=90")
                assert added.json()[-1] == {"status": 429, "retry_after": 90.0}
                with pytest.raises(RateLimited):
                    await client.users.me()
                refused = await http.post(f"{url}/simulator/faults", content="stauts=1")
                assert refused.status_code == 400
                assert "stauts" in refused.json()["message"]
                await http.delete(f"{url}/simulator/faults")
            assert (await client.users.me()).given_name == "Grace"
        async with DeepsetClient("other", base_url=f"{url}/api", retries=ONCE) as stranger:
            with pytest.raises(NotAuthorized, match="not valid"):
                await stranger.users.me()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--keys", "/nowhere/keys"], "cannot be read"),
        (["--faults", "nonsense"], "word without '='"),
    ],
)
def test_invalid_flags_are_reported_without_a_traceback(command, flags, expected):
    done = command("deepset", "simulate", *flags)
    assert done.returncode in {1, 2}
    assert expected in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("rule", ["status=abc", "nonsense", "status='503", "stauts=500", "delay=-1"])
def test_an_invalid_fault_rule_is_reported_with_the_known_fields(rule):
    with pytest.raises(SettingsError, match="retry_after"):
        FaultRule.parse(rule)


def test_a_list_of_keys_is_parsed_strictly(tmp_path):
    from coatcheck.cli.deepset_simulator import read_keys

    file = tmp_path / "keys"
    for text, expected in (("", "empty"), ("s3cret\n", "Line 1"), ("a b c\n", "Line 1")):
        file.write_text(text)
        with pytest.raises(SettingsError, match=expected) as caught:
            read_keys(file)
        assert "s3cret" not in str(caught.value)


@pytest.mark.anyio
async def test_only_the_key_that_exceeds_its_rate_is_limited():
    platform = SimulatedPlatform(requests_per_second=5)
    with listening(platform) as url:
        async with (
            DeepsetClient("busy", base_url=f"{url}/api", retries=ONCE) as busy,
            DeepsetClient("calm", base_url=f"{url}/api", retries=ONCE) as calm,
        ):
            with pytest.raises(RateLimited) as caught:
                for _ in range(1000):
                    await busy.users.me()
            assert caught.value.retry_after == 1
            assert (await calm.users.me()).user_id


@pytest.mark.anyio
async def test_every_nth_request_may_fail(api_url, platform):
    platform.faults.add(FaultRule(status=500, every=3, times=2))
    async with httpx2.AsyncClient(headers={"Authorization": "Bearer key-of-ada"}) as http:
        codes = [(await http.get(f"{api_url}/v1/users/me")).status_code for _ in range(9)]
    assert codes == [200, 200, 500, 200, 200, 500, 200, 200, 200]


@pytest.mark.anyio
async def test_unknown_requests_get_an_error_in_the_format_of_the_api(api_url):
    async with httpx2.AsyncClient(headers={"Authorization": "Bearer key-of-ada"}) as http:
        bad = f"{api_url}/v1/workspaces/default"
        for url, params in (
            (f"{bad}/pipelines", {"limit": "0"}),
            (f"{bad}/pipelines", {"before": "nothing"}),
            (f"{bad}/search_history", {"field": "nonsense"}),
            (f"{bad}/search_history", {"filter": "query like 'x'"}),
        ):
            answered = await http.get(url, params=params)
            assert answered.status_code == 400, url
            assert answered.json()["message"]
        posted = await http.post(f"{bad}/pipelines", content=b"{")
        assert (posted.status_code, posted.json()["message"]) == (400, "The body is no JSON.")
        assert (await http.get(f"{api_url}/v1/nonsense")).status_code == 404


@pytest.mark.anyio
async def test_a_share_token_reads_the_shared_prototype_only(api_url, platform):
    async with DeepsetClient(platform.state.share_token, base_url=api_url, retries=ONCE) as client:
        with pytest.raises(NotAuthorized):
            await client.workspaces.list()


def test_the_sample_data_is_the_same_in_every_run():
    first, second = SimulatedPlatform(), SimulatedPlatform()
    one, two = (platform.state.workspaces["default"] for platform in (first, second))
    assert [p.versions for p in one.pipelines.values()] != []
    assert [p.record["pipeline_id"] for p in one.pipelines.values()] == [
        p.record["pipeline_id"] for p in two.pipelines.values()
    ]
    assert one.history == two.history
