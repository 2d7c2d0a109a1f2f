"""The deepset toolset with a simulated platform: what a model sees, and a pipeline that is created by reference.

``make demo-deepset`` runs it. ``coatcheck deepset simulate`` is the platform, ``coatcheck serve --toolset deepset`` the
server, over stdio with a real client. Every claim is checked; the exit code is 1 if one fails.
"""

import os
import re
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from claims import Claims, DemoError, program, run
from mcp import Client, StdioServerParameters, stdio_client
from terminal import Terminal

from coatcheck.toolsets.deepset.client import DeepsetClient, Page, sent
from demo import formatted, ratio, reference_in, tokens

PIPELINE = "support-answers"
ERRORS = "[.data[].message] | group_by(.) | map({message: .[0], count: length}) | sort_by(-.count)"
LOGGED = "rag-billing-00"
API_KEY = "any-key"
MOST_CHARACTERS = 4_000
"""Upper limit for the characters of every answer."""


@dataclass
class Row:
    """One line of the table.

    Attributes:
        call: The call.
        answer: Characters and tokens of the platform's answer.
        seen: Characters and tokens of the text that the model saw.
    """

    call: str
    answer: tuple[int, int]
    seen: tuple[int, int]


@dataclass
class DeepsetDemo:
    """One run.

    Attributes:
        client: The client of the server.
        platform: The platform itself, to check the effects of the calls.
        claims: The claims about it.
        rows: The calls.
        shown: All answers that the model saw.
        progress: Progress reports of the deployment.
    """

    client: Client
    platform: DeepsetClient
    claims: Claims
    rows: list[Row] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    progress: list[str] = field(default_factory=list)

    @property
    def terminal(self) -> Terminal:
        """The output."""
        return self.claims.terminal

    async def run(self) -> None:
        """Make the calls that a model would make, and check their effects."""
        workspace = self.platform.workspace("default")
        pipelines, templates = workspace.pipelines, workspace.templates

        self.terminal.heading("1. Which template fits, and what does it look like?")
        query = "retrieval augmented generation for billing"
        found = await self.see("search_templates", lambda: templates.list(limit=1000), query=query, top_k=3)
        name = str(re.findall(r'"pipeline_name": ?"([^"]+)"', found)[0])
        template = await self.see("get_template", lambda: templates.get(name), template_name=name)

        self.terminal.heading("2. Change one line of its YAML, and make a pipeline of it, all by reference")
        edited = await self.see(
            "object_store_sed",
            object_id=reference_in(template),
            path="query_yaml",
            pattern=r"temperature: \S+",
            replacement="temperature: 0.7",
        )
        changed = re.findall(r"^@obj_[\w-]+", edited, re.MULTILINE)[-1]
        await self.see("validate_pipeline", yaml_configuration=changed)
        await self.see("create_pipeline", pipeline_name=PIPELINE, yaml_configuration=changed)
        original = (await templates.get(name)).query_yaml or ""
        saved = (await pipelines.list_versions(PIPELINE)).data[0].config_yaml
        expected = re.sub(r"temperature: \S+", "temperature: 0.7", original)
        claim = "the platform has the template's YAML with one line changed, comments included"
        self.claims.check(saved == expected and saved != original, claim)

        self.terminal.heading("3. Deploy it, and search with it")
        deployed = await self.see("deploy_pipeline", pipeline_name=PIPELINE)
        self.claims.check('"deployed":true' in deployed, "the pipeline is deployed")
        self.claims.check(bool(self.progress), f"progress was reported, {len(self.progress)} times")
        question = "What is the notice period?"
        await self.see(
            "search_pipeline",
            lambda: workspace.searches.search(PIPELINE, question),
            pipeline_name=PIPELINE,
            query=question,
        )

        self.terminal.heading("4. Which errors does another pipeline log, and how often?")
        errors = await pipelines.logs(LOGGED, level="error", limit=1000)
        logs = await self.see(
            "get_pipeline_logs",
            lambda: pipelines.logs(LOGGED, level="error", limit=1000),
            pipeline_name=LOGGED,
            level="error",
            limit=1000,
        )
        counted = await self.see("object_store_query", object_id=reference_in(logs), filter=ERRORS)
        counts = [int(count) for count in re.findall(r'"count": ?(\d+)', counted)]
        self.claims.check(
            sum(counts) == len(errors.data) > 0, f"the counts add up to the {len(errors.data)} entries of the log"
        )

        self.terminal.heading("5. Lists that are larger than a model should read")
        await self.see("list_pipelines", lambda: pipelines.list(limit=20))
        await self.see("list_pipeline_versions", lambda: pipelines.list_versions(LOGGED), pipeline_name=LOGGED)
        await self.see("list_search_history", lambda: workspace.searches.history(limit=100), limit=100)
        await self.see("get_models", workspace.models.list)
        self.report()

    def report(self) -> None:
        """Print the sizes of the answers and of what the model saw."""
        self.terminal.heading("What the model saw")
        self.terminal.line()
        heads = [
            "\ncall",
            "on the platform\ncharacters",
            "\ntokens",
            "what the model saw\ncharacters",
            "\ntokens",
            "\nratio",
        ]
        figures = [(*row.answer, *row.seen) for row in self.rows]
        sums = tuple(map(sum, zip(*figures, strict=True)))
        calls = [*(row.call for row in self.rows), "together"]
        table = [
            [call, *(f"{figure:,}" for figure in each), ratio(each[1], each[3])]
            for call, each in zip(calls, [*figures, sums], strict=True)
        ]
        self.terminal.table(heads, table)
        self.terminal.line("  (tokens of OpenAI's vocabulary o200k; ratio of tokens)")
        self.terminal.line()
        longest = max(map(len, self.shown))
        claim = f"no answer had more than {MOST_CHARACTERS:,} characters (the longest: {longest:,})"
        self.claims.check(longest <= MOST_CHARACTERS, claim)

    async def see(self, tool: str, on_platform: Callable[[], Awaitable[Any]] | None = None, **arguments: Any) -> str:
        """Call a tool, print the call and the first lines of its answer.

        Args:
            tool: Its name.
            on_platform: Returns the platform's full answer, for the table.
            arguments: Its arguments.
        """

        async def report(progress: float, total: float | None, message: str | None) -> None:
            del progress, total
            self.progress.append(message or "")
            self.terminal.step(message or "")

        result = await self.client.call_tool(tool, arguments, progress_callback=report)
        answer = "\n".join(getattr(block, "text", "") for block in result.content)
        if result.is_error:
            raise DemoError(f"{tool}: {answer}")
        self.shown.append(answer)
        self.terminal.line()
        self.terminal.call(tool, [formatted({key: value}) for key, value in arguments.items()], answer)
        if on_platform is not None:
            whole = await on_platform()
            data = [sent(item) for item in whole.data] if isinstance(whole, Page) else sent(whole)
            text = orjson.dumps(data).decode()
            self.rows.append(Row(tool, (len(text), tokens(text)), (len(answer), tokens(answer))))
        return answer


@contextmanager
def simulated_platform(command: str) -> Iterator[str]:
    """Run the simulated platform and yield the URL of its API.

    Raises:
        DemoError: It does not start.
    """
    simulate = [command, "deepset", "simulate", "--port", "0", "--deploy-seconds", "2"]
    with subprocess.Popen(simulate, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        stderr = process.stderr
        assert stderr is not None
        reader = threading.Thread(target=stderr.read)
        try:
            found = re.search(r"http://\S+/api", stderr.readline())
            if found is None:
                raise DemoError("the simulated platform did not start")
            reader.start()
            yield found[0]
        finally:
            process.kill()
            if reader.is_alive():
                reader.join()


async def play(claims: Claims) -> None:
    """Create a pipeline on a simulated platform, as a model would."""
    coatcheck = program("coatcheck")
    with simulated_platform(coatcheck) as url:
        claims.terminal.line(f"coatcheck serve --toolset deepset --workspace default --api-url {url}")
        server = StdioServerParameters(
            command=coatcheck,
            args=["serve", "--toolset", "deepset", "--workspace", "default", "--api-url", url],
            env={**os.environ, "DEEPSET_API_KEY": API_KEY},
        )
        async with Client(stdio_client(server)) as client, DeepsetClient(API_KEY, base_url=url) as platform:
            await DeepsetDemo(client, platform, claims).run()


if __name__ == "__main__":
    command = "DEEPSET_API_KEY=… coatcheck serve --toolset deepset --workspace default"
    run(play, "With a platform of your own it is started like this", command)
