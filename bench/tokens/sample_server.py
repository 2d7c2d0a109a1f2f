"""A server on the official SDK with common kinds of results: pages of edges, tables, snapshots, blocks."""

import json
import random
from typing import Any

from mcp.server import MCPServer
from mcp.types import TextContent
from pydantic import BaseModel

server = MCPServer("samples")
random.seed(7)
WORDS = (
    "login page export invoice search filter upload preview session token cache index retry timeout webhook"
).split()
PEOPLE = ("ana", "boris", "chen", "dalia", "emeka", "farah", "goran", "hana")


class Row(BaseModel):
    """A row of the ledger."""

    id: int
    account: str
    amount: float
    currency: str
    booked: str


class Ledger(BaseModel):
    """Rows with a total."""

    rows: list[Row]
    total: float


@server.tool(structured_output=False)
def issues_graphql() -> str:
    """Issues in the form of GitHub's GraphQL API."""
    edges = [
        {
            "cursor": f"Y3Vyc29yOnYyOpHOA{number:05d}",
            "node": {
                "id": f"I_kwDOA{number:06d}",
                "number": number,
                "title": f"{random.choice(WORDS)} {random.choice(('fails', 'hangs', 'is slow', 'loses data'))} "
                f"after {random.choice(WORDS)}",
                "state": random.choice(("OPEN", "CLOSED", "CLOSED")),
                "author": {"login": random.choice(PEOPLE)},
                "labels": {"nodes": [{"name": name} for name in random.sample(("bug", "docs", "ui", "api"), 2)]},
                "comments": {"totalCount": random.randrange(40)},
            },
        }
        for number in range(120, 0, -1)
    ]
    page = {"hasNextPage": True, "endCursor": edges[-1]["cursor"]}
    return json.dumps({"data": {"repository": {"issues": {"totalCount": 873, "edges": edges, "pageInfo": page}}}})


@server.tool(structured_output=False)
def query_columns() -> str:
    """Rows in the form of database servers: names of columns once, rows as arrays."""
    rows = [
        [number, f"C{number % 60:03d}", random.choice(("paid", "open", "refunded")), round(random.uniform(5, 900), 2)]
        for number in range(1, 601)
    ]
    columns = [
        {"name": name, "type": kind}
        for name, kind in zip(
            ("order_id", "customer", "status", "amount"), ("INTEGER", "VARCHAR", "VARCHAR", "DOUBLE"), strict=True
        )
    ]
    return json.dumps({"success": True, "columns": columns, "rows": rows, "rowCount": len(rows)})


@server.tool(structured_output=False)
def frame_split() -> str:
    """A pandas frame with ``orient="split"``."""
    data = [
        [f"2026-{1 + day // 28:02d}-{1 + day % 28:02d}", random.choice(("north", "south")), random.randrange(100, 999)]
        for day in range(300)
    ]
    return json.dumps({"columns": ["date", "region", "units"], "index": list(range(300)), "data": data})


@server.tool(structured_output=False)
def page_snapshot() -> str:
    """The accessibility tree of a browser page as text."""
    lines = ["- Page URL: http://localhost/orders", "- Page Title: Orders", "- Page Snapshot:", "```yaml"]
    lines += ["- generic [ref=e1]:", "  - banner [ref=e2]:", '    - link "Home" [ref=e3] [cursor=pointer]:']
    lines += ["      - /url: /", '    - searchbox "Search orders" [ref=e4]', '  - heading "Orders" [level=1] [ref=e5]']
    ref = 6
    lines.append(f'  - table "Orders" [ref=e{ref}]:')
    for number in range(90):
        lines.append(f'    - row "{1000 + number} {PEOPLE[number % 8]} open" [ref=e{ref + 1}]:')
        lines.append(f'      - cell "{1000 + number}" [ref=e{ref + 2}]')
        lines.append(f'      - cell "{PEOPLE[number % 8]}" [ref=e{ref + 3}]')
        lines.append(f"      - generic [ref=e{ref + 4}]: {random.choice(WORDS)} {random.choice(WORDS)}")
        ref += 5
    lines.append(f'  - heading "Actions" [level=2] [ref=e{ref}]')
    lines.append(f'  - button "Export as CSV" [ref=e{ref + 1}] [cursor=pointer]')
    lines.append(f'  - button "Delete selected" [disabled] [ref=e{ref + 2}]')
    return "\n".join([*lines, "```"])


@server.tool(structured_output=False)
def blocks_json() -> list[TextContent]:
    """One text block for each record."""
    return [
        TextContent(
            type="text",
            text=json.dumps(
                {
                    "id": f"msg-{number:04d}",
                    "from": random.choice(PEOPLE),
                    "subject": " ".join(random.sample(WORDS, 4)),
                    "unread": random.random() < 0.3,
                    "size": random.randrange(400, 90_000),
                }
            ),
        )
        for number in range(150)
    ]


@server.tool()
def rows_typed() -> Ledger:
    """Rows with an output schema."""
    rows = [
        Row(
            id=number,
            account=f"DE{random.randrange(10**10):010d}",
            amount=round(random.uniform(-500, 2500), 2),
            currency=random.choice(("EUR", "USD", "CHF")),
            booked=f"2026-0{1 + number % 9}-1{number % 10}",
        )
        for number in range(400)
    ]
    return Ledger(rows=rows, total=round(sum(row.amount for row in rows), 2))


@server.tool(structured_output=False)
def report_prose() -> str:
    """A sentence, a fenced JSON document, and a sentence."""
    hosts: list[dict[str, Any]] = [
        {
            "host": f"node-{number:02d}",
            "cpu": random.randrange(5, 99),
            "disk_free_gb": random.randrange(2, 900),
            "kernel": random.choice(("6.12.4", "6.12.9", "6.1.119")),
        }
        for number in range(110)
    ]
    document = json.dumps({"checked": "2026-03-02", "hosts": hosts}, indent=2)
    return f"Checked 110 hosts, all reachable.\n\n```json\n{document}\n```\n\nRun again with `verbose` for more."


if __name__ == "__main__":
    server.run("stdio")
