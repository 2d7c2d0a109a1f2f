"""The files and the database of the recorded servers: real data where available, otherwise generated from a seed."""

import argparse
import csv
import datetime
import json
import random
import shutil
import sqlite3
import subprocess
from pathlib import Path

SEED = 20260101
PACKAGES = {"express": "^5.1.0", "eslint": "^9.30.0", "typescript": "^5.8.0", "jest": "^30.0.0"}
RESOURCES = ("users", "teams", "projects", "issues", "labels", "milestones", "releases", "comments", "hooks", "keys")
SERVICES = ("gateway", "accounts", "billing", "search", "mailer", "reports", "media", "audit", "cache", "queue")


def write_sources(folder: Path, repository: Path, python: Path) -> None:
    """Write everything into a folder; ``python`` is the folder of an environment's programs."""
    data = next(python.parent.glob("lib/python*/site-packages/vega_datasets/_data"))
    for name in ("seattle-weather.csv", "airports.csv", "cars.json"):
        shutil.copy(data / name, folder / name)
    with (data / "stocks.csv").open(newline="") as source, (folder / "stocks.tsv").open("w", newline="") as target:
        csv.writer(target, dialect="excel-tab", lineterminator="\n").writerows(csv.reader(source))
    shutil.copy(repository / "docs" / "operations.md", folder / "operations.md")
    shutil.copy(argparse.__file__, folder / "argparse.py")
    shutil.copytree(repository / "src", folder / "tree" / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(repository / "tests", folder / "tree" / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([python / "python", "-m", "pydoc", "-w", "asyncio.base_events"], cwd=folder, check=True)
    page = folder / "asyncio.base_events.html"
    page.write_text(page.read_text().replace(str(Path(argparse.__file__).parent), "/usr/lib/python3"))
    page.rename(folder / "asyncio.html")
    _write_lock(folder)
    _write_database(folder)
    random.seed(SEED)
    _write_requests(folder / "requests.jsonl")
    _write_log(folder / "service.log")
    _write_services(folder / "services.yaml")
    program = f"import json, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from web_app import app\n"
    program += "print(json.dumps(app.openapi(), indent=1))"
    done = subprocess.run([python / "python", "-c", program], check=True, capture_output=True, text=True)
    (folder / "openapi.json").write_text(done.stdout)


def _write_lock(folder: Path) -> None:
    project = folder / "npm-project"
    project.mkdir()
    (project / "package.json").write_text(json.dumps({"name": "shop", "version": "2.4.1", "dependencies": PACKAGES}))
    command = ["npm", "install", "--package-lock-only", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    shutil.move(project / "package-lock.json", folder / "package-lock.json")


def _write_database(folder: Path) -> None:
    with (folder / "airports.csv").open(newline="") as source:
        rows = list(csv.reader(source))
    database = sqlite3.connect(folder / "airports.db")
    kinds = ["text", "text", "text", "text", "text", "real", "real"]
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(rows[0], kinds, strict=True))
    database.execute(f"create table airports ({columns})")
    database.executemany(f"insert into airports values ({', '.join('?' * len(kinds))})", rows[1:])  # noqa: S608
    database.commit()
    database.close()


def _write_requests(file: Path) -> None:
    start = datetime.datetime(2026, 3, 2, 8, 0, tzinfo=datetime.UTC)
    lines = []
    for _number in range(900):
        start += datetime.timedelta(milliseconds=random.randrange(20, 9000))
        status = random.choices((200, 201, 304, 404, 500, 503), (70, 8, 10, 8, 3, 1))[0]
        record = {
            "time": start.isoformat(timespec="milliseconds"),
            "request_id": 10**18 + random.randrange(10**17),
            "method": random.choice(("GET", "GET", "GET", "POST", "DELETE")),
            "path": f"/api/{random.choice(RESOURCES)}/{random.randrange(1, 400)}",
            "status": status,
            "milliseconds": round(random.expovariate(1 / 80) + (2000 if status == 503 else 3), 1),
            "user": {"id": random.randrange(1, 60), "plan": random.choice(("free", "team", "enterprise"))},
        }
        lines.append(json.dumps(record))
    file.write_text("\n".join(lines) + "\n")


def _write_log(file: Path) -> None:
    now = datetime.datetime(2026, 3, 2, 8, 0, tzinfo=datetime.UTC)
    lines = []
    for number in range(2400):
        now += datetime.timedelta(milliseconds=random.randrange(50, 12000))
        service = random.choice(SERVICES)
        level = random.choices(("DEBUG", "INFO", "WARNING", "ERROR"), (20, 70, 8, 2))[0]
        user, took = random.randrange(1, 900), random.randrange(2, 4000)
        words = {
            "DEBUG": f"cache lookup for key user:{user} took {took} us",
            "INFO": f"GET /api/{random.choice(RESOURCES)}/{user} answered 200 in {took} ms",
            "WARNING": f"retry {random.randrange(1, 4)} of 3 for tenant {user}: upstream timed out after {took} ms",
            "ERROR": f"could not write invoice {user * 7}: connection to db-{user % 4} refused",
        }[level]
        lines.append(f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03d} {level:<7} [{service}] {words}")
        if level == "ERROR" and number % 3 == 0:
            lines += [
                "Traceback (most recent call last):",
                f'  File "/srv/{service}/store.py", line {40 + user % 50}, in write',
                f"ConnectionRefusedError: [Errno 111] db-{user % 4} refused the connection",
            ]
    lines.insert(
        1700, "2026-03-02 10:50:00,000 ERROR   [billing] disk quota exceeded on /var/lib/ledger (volume vol-7f3a)"
    )
    file.write_text("\n".join(lines) + "\n")


def _write_services(file: Path) -> None:
    lines = ["# Services of the shop", "version: '3.9'", "services:"]
    for number in range(40):
        name = f"{SERVICES[number % 10]}-{number // 10}"
        lines += [
            f"  {name}:",
            f"    image: registry.example/{SERVICES[number % 10]}:{random.randrange(1, 9)}.{random.randrange(20)}",
            f"    replicas: {random.randrange(1, 9)}",
            "    environment:",
            f"      LOG_LEVEL: {random.choice(('info', 'debug', 'warning'))}",
            f"      PORT: {8000 + number}",
            f"      FEATURE_FLAGS: {random.choice(('on', 'off', 'no'))}",
            "    depends_on:",
            *(f"      - {service}-0" for service in sorted(random.sample(SERVICES, 2))),
        ]
    file.write_text("\n".join(lines) + "\n")
