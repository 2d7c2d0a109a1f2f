"""``coatcheck demo``: the text that a model reads from an included server, without and with coatcheck."""

import json
import os
import re
import sys
from collections.abc import Sequence

import anyio
from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, TextContent

from coatcheck.cli.printing import print_data, print_message
from coatcheck.errors import CoatcheckError
from coatcheck.explorer.previews.token_estimate import estimate_tokens

SERVER = (sys.executable, "-m", "coatcheck.cli.demo_server")
DEADLINE_SECONDS = 60.0
SHOWN_LINES = 12


def run_demo() -> int:
    """Call the server twice, print the sizes of both answers and the preview; return 1 on failure."""
    try:
        return anyio.run(_demo)
    except TimeoutError:
        raise CoatcheckError(f"The demo was not done after {DEADLINE_SECONDS:.0f} s.") from None


async def _demo() -> int:
    with anyio.fail_after(DEADLINE_SECONDS):
        print_message("starting the included server, directly …")
        async with _connect(SERVER) as client:
            plain = _text_for_model(await client.call_tool("list_orders", {}))
        print_message("starting it behind `coatcheck wrap` …")
        async with _connect((sys.executable, "-m", "coatcheck", "wrap", "--", *SERVER)) as client:
            preview = _text_for_model(await client.call_tool("list_orders", {}))
            found = re.match(r"@obj_[\w-]+", preview)
            if found is None:
                raise CoatcheckError(f"The result was not kept; the answer begins: {preview[:200]}")
            reference = found[0]
            total = _text_for_model(await client.call_tool("total", {"orders": reference}))
    expected = sum(item["price"] for order in json.loads(plain) for item in order["items"])
    lines = preview.splitlines()
    print_data(
        "\n".join(
            [
                "list_orders() returns 2,000 orders. A model reads",
                f"  directly           {_size(plain)}",
                f"  through coatcheck  {_size(preview)}:",
                "",
                *(f"    {line}" for line in lines[:SHOWN_LINES]),
                *([f"    … {len(lines) - SHOWN_LINES} more lines"] if len(lines) > SHOWN_LINES else []),
                "",
                "Another tool of the same server takes the reference in place of the orders:",
                f'  total(orders="{reference}") = {total}',
                "",
                "Put it in front of your own server:",
                "  coatcheck wrap -- YOUR-SERVER-COMMAND",
                "or let it edit your client's configuration:",
                "  coatcheck install CLIENT --dry-run",
                "",
            ]
        )
    )
    if total.strip() != str(expected):
        print_message(f"the total should be {expected:,}")
        return 1
    return 0


def _size(text: str) -> str:
    return f"{len(text):>9,} characters, ~{estimate_tokens(text, len(text)):,} tokens"


def _connect(command: Sequence[str]) -> Client:
    # All variables, not only those that the SDK passes on: PYTHONPATH may say where coatcheck is.
    return Client(stdio_client(StdioServerParameters(command=command[0], args=list(command[1:]), env={**os.environ})))


def _text_for_model(result: CallToolResult) -> str:
    """Return the text of a result that a model reads, or its structured content if a host shows that."""
    if result.is_error:
        raise CoatcheckError("A tool of the included server failed: " + "".join(map(str, result.content))[:300])
    structured = result.structured_content
    if structured is not None and "result" in structured:
        value = structured["result"]
        return value if isinstance(value, str) else json.dumps(value)
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))
