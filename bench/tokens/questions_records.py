"""Questions about results that contain records: JSON, tables, rows."""

import ast
import csv
import io
import json
from typing import Any

from corpus import data, result, text
from question import Question, get, grep, query


def _csv(name: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(name)), delimiter=delimiter))


def _requests() -> list[dict[str, Any]]:
    return [json.loads(line) for line in text("requests_jsonl").splitlines()]


def _blocks() -> list[dict[str, Any]]:
    return [json.loads(block["text"]) for block in result("blocks_json")["content"]]


def _rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ast.literal_eval(text("sqlite_rows"))
    return found


def _hosts() -> list[dict[str, Any]]:
    prose = text("report_prose")
    found: list[dict[str, Any]] = json.loads(prose[prose.index("{") : prose.rindex("}") + 1])["hosts"]
    return found


def _edges() -> list[dict[str, Any]]:
    return [edge["node"] for edge in data("issues_graphql")["data"]["repository"]["issues"]["edges"]]


def _operations() -> list[dict[str, Any]]:
    return [operation for path in data("openapi")["paths"].values() for operation in path.values()]


def _files(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for child in node for name in _files(child)]
    return [node["name"]] if node["type"] == "file" else _files(node["children"])


NAMED = "map([$c, .] | transpose | map({(.[0]): .[1]}) | add)"

QUESTIONS = [
    Question(
        "package_lock",
        "Which version of debug does the project lock?",
        lambda: data("package_lock")["packages"]["node_modules/debug"]["version"],
        (get('packages["node_modules/debug"].version'),),
        "node_modules/debug",
    ),
    Question(
        "package_lock",
        "How many of its packages have the ISC licence?",
        lambda: sum(package.get("license") == "ISC" for package in data("package_lock")["packages"].values()),
        (query('[.packages[] | select(.license == "ISC")] | length'),),
        "ISC",
    ),
    Question(
        "openapi",
        "What is the most that list_hooks gives on one page?",
        lambda: data("openapi")["paths"]["/hooks"]["get"]["parameters"][0]["schema"]["maximum"],
        (query('.paths["/hooks"].get.parameters[0].schema'),),
        "list_hooks",
    ),
    Question(
        "openapi",
        "Which operations are deprecated?",
        lambda: [operation["operationId"] for operation in _operations() if operation.get("deprecated")],
        (query("[.paths[][] | select(.deprecated) | .operationId]"),),
        "deprecated",
    ),
    Question(
        "cars_json",
        "Which car has the most horsepower?",
        lambda: max(data("cars_json"), key=lambda car: car["Horsepower"] or 0)["Name"],
        (query("max_by(.Horsepower) | {Name, Horsepower}"),),
        "Horsepower",
    ),
    Question(
        "cars_json",
        "How many cars come from each origin?",
        lambda: [sum(car["Origin"] == origin for car in data("cars_json")) for origin in ("Europe", "Japan", "USA")],
        (query("group_by(.Origin) | map({(.[0].Origin): length}) | add"),),
        "Origin",
    ),
    Question(
        "weather_csv",
        "Which day was the hottest?",
        lambda: max(_csv("weather_csv"), key=lambda row: float(row["temp_max"]))["date"],
        (query("max_by(.temp_max)"),),
        "temp_max",
    ),
    Question(
        "weather_csv",
        "On how many days did it snow?",
        lambda: sum(row["weather"] == "snow" for row in _csv("weather_csv")),
        (query('map(select(.weather == "snow")) | length'),),
        "snow",
    ),
    Question(
        "airports_csv",
        "In which city is the airport ZZV?",
        lambda: next(row["city"] for row in _csv("airports_csv") if row["iata"] == "ZZV"),
        (query('.[] | select(.iata == "ZZV") | .city'),),
        "ZZV",
    ),
    Question(
        "airports_csv",
        "How many of the airports are in Alaska?",
        lambda: sum(row["state"] == "AK" for row in _csv("airports_csv")),
        (query('map(select(.state == "AK")) | length'),),
        "AK",
    ),
    Question(
        "stocks_tsv",
        "What was the highest price of IBM?",
        lambda: max(float(row["price"]) for row in _csv("stocks_tsv", "\t") if row["symbol"] == "IBM"),
        (query('map(select(.symbol == "IBM")) | max_by(.price)'),),
        "IBM",
    ),
    Question(
        "stocks_tsv",
        "How many prices are there of each company?",
        lambda: [
            sum(row["symbol"] == symbol for row in _csv("stocks_tsv", "\t"))
            for symbol in ("AAPL", "AMZN", "GOOG", "IBM", "MSFT")
        ],
        (query("group_by(.symbol) | map({(.[0].symbol): length}) | add"),),
        "symbol",
    ),
    Question(
        "requests_jsonl",
        "What is the id of the slowest request?",
        lambda: max(_requests(), key=lambda request: request["milliseconds"])["request_id"],
        (query("max_by(.milliseconds)"),),
        "milliseconds",
    ),
    Question(
        "requests_jsonl",
        "How many requests were answered with 500?",
        lambda: sum(request["status"] == 500 for request in _requests()),
        (query("map(select(.status == 500)) | length"),),
        "500",
    ),
    Question(
        "sqlite_rows",
        "What is the name of the airport with the code ZUN?",
        lambda: next(row["name"] for row in _rows() if row["iata"] == "ZUN"),
        (grep("^ZUN$"),),
        "ZUN",
    ),
    Question(
        "sqlite_rows",
        "Which airport lies furthest north?",
        lambda: max(_rows(), key=lambda row: row["latitude"])["name"],
        (query("max_by(.latitude)"),),
        "latitude",
    ),
    Question(
        "compose_yaml",
        "Which image does billing-2 run?",
        lambda: text("compose_yaml").split("billing-2:\n    image: ")[1].split("\n")[0],
        (get('services["billing-2"].image'),),
        "billing-2",
    ),
    Question(
        "compose_yaml",
        "How many replicas do all services have together?",
        lambda: sum(int(line.split()[1]) for line in text("compose_yaml").splitlines() if "replicas" in line),
        (query("[.services[].replicas] | add"),),
        "replicas",
    ),
    Question(
        "issues_graphql",
        "What is the title of issue 77?",
        lambda: next(issue["title"] for issue in _edges() if issue["number"] == 77),
        (query(".data.repository.issues.edges[].node | select(.number == 77) | .title"),),
        "77",
    ),
    Question(
        "issues_graphql",
        "How many of these issues are open?",
        lambda: sum(issue["state"] == "OPEN" for issue in _edges()),
        (query('[.data.repository.issues.edges[].node | select(.state == "OPEN")] | length'),),
        "OPEN",
    ),
    Question(
        "query_columns",
        "What is the amount of order 417?",
        lambda: next(row[3] for row in data("query_columns")["rows"] if row[0] == 417),
        (query(f"[.columns[].name] as $c | .rows | {NAMED} | .[] | select(.order_id == 417)"),),
        "417",
    ),
    Question(
        "query_columns",
        "How many orders were refunded?",
        lambda: sum(row[2] == "refunded" for row in data("query_columns")["rows"]),
        (query(f'[.columns[].name] as $c | .rows | {NAMED} | map(select(.status == "refunded")) | length'),),
        "refunded",
    ),
    Question(
        "frame_split",
        "How many units were sold in the south?",
        lambda: sum(row[2] for row in data("frame_split")["data"] if row[1] == "south"),
        (query(f'.columns as $c | .data | {NAMED} | map(select(.region == "south").units) | add'),),
        "south",
    ),
    Question(
        "blocks_json",
        "What is the subject of msg-0101?",
        lambda: next(message["subject"] for message in _blocks() if message["id"] == "msg-0101"),
        (query('.[] | select(.id == "msg-0101") | .subject'),),
        "msg-0101",
    ),
    Question(
        "blocks_json",
        "How many messages are unread?",
        lambda: sum(message["unread"] for message in _blocks()),
        (query("map(select(.unread)) | length"),),
        "unread",
    ),
    Question(
        "rows_typed",
        "What is the account of row 250?",
        lambda: data("rows_typed")["rows"][250]["account"],
        (get("rows[250].account"),),
        "250",
    ),
    Question(
        "rows_typed",
        "How many rows are in Swiss francs?",
        lambda: sum(row["currency"] == "CHF" for row in data("rows_typed")["rows"]),
        (query('[.rows[] | select(.currency == "CHF")] | length'),),
        "CHF",
    ),
    Question(
        "report_prose",
        "Which host has the least free disk?",
        lambda: min(_hosts(), key=lambda host: host["disk_free_gb"])["host"],
        (query(".hosts | min_by(.disk_free_gb)"),),
        "disk_free_gb",
    ),
    Question(
        "report_prose",
        "How many hosts run kernel 6.1.119?",
        lambda: sum(host["kernel"] == "6.1.119" for host in _hosts()),
        (query('[.hosts[] | select(.kernel == "6.1.119")] | length'),),
        "6.1.119",
    ),
    Question(
        "directory_tree",
        "How many files have names that begin with test_?",
        lambda: sum(name.startswith("test_") for name in _files(data("directory_tree"))),
        (query('[.. | objects | select(.type == "file" and (.name | startswith("test_")))] | length'),),
        "test_",
    ),
    Question(
        "directory_tree",
        "Which folders does src/coatcheck/backends hold?",
        lambda: [
            child["name"]
            for folder in data("directory_tree")[0]["children"][0]["children"]
            if folder["name"] == "backends"
            for child in folder["children"]
            if child["type"] == "directory"
        ],
        (query('[.. | objects | select(.name == "backends") | .children[] | select(.children) | .name]'),),
        "backends",
    ),
]
