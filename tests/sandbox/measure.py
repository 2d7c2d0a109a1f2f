"""Times of the sandbox on this machine, in milliseconds: python tests/sandbox/measure.py."""

import contextlib
import os
import signal
import statistics
import sys
import time
from collections import defaultdict

from coatcheck.codec import encode
from coatcheck.errors import SandboxTimeout
from coatcheck.explorer.sandbox import Sandbox

ROUNDS = 5


def loader(value):
    encoded = encode(value)
    return lambda: (encoded.metadata, encoded.payload)


def main():
    objects = {
        "small": loader({"a": 1}),
        "text": loader("x" * 26_000_000),
        "rows": loader(
            [
                {"id": n, "name": f"user {n}", "email": f"user{n}@example.com", "active": n % 2 == 0}
                for n in range(300_000)
            ]
        ),
    }
    times = defaultdict(list)

    def timed(label, sandbox, operation, name, **args):
        full = {"reference": "@obj_1", "path": "", "limit": 1000} | args
        started = time.perf_counter()
        sandbox.run(operation, full, key=name, namespace="n", load=objects[name])
        times[label].append((time.perf_counter() - started) * 1000)

    for _ in range(ROUNDS):
        sandbox = Sandbox()
        timed("first call", sandbox, "query", "small", filter=".a")
        for _ in range(1000):
            timed("later call", sandbox, "query", "small", filter=".a")
        timed("26 MB of text sent and previewed", sandbox, "show", "text")
        timed("300 000 rows sent, decoded, previewed", sandbox, "show", "rows")
        timed("second access to them", sandbox, "show", "rows")
        timed("jq over them", sandbox, "query", "rows", filter="length")
        timed("search in them", sandbox, "search", "rows", pattern="user 29999")
        timed("replace in them", sandbox, "replace", "rows", pattern="user 29999", replacement="x")
        os.kill(sandbox.pids()[0], signal.SIGKILL)
        timed("first call after a kill from outside", sandbox, "query", "small", filter=".a")
        with contextlib.suppress(SandboxTimeout):
            timed("", sandbox, "query", "small", filter="last(range(1e12))")
        timed("first call after a timeout", sandbox, "query", "small", filter=".a")
        sandbox.close()
    for label, measured in times.items():
        sys.stdout.write(f"{label:46} median {statistics.median(measured):9.2f}   best {min(measured):9.2f}\n")


main()
