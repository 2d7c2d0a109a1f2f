"""The worker process: reads requests, runs operations, answers. Nothing else of coatcheck runs in here.

The conversation, each line a frame (see ``frames``):

    worker  {"status": "ready"}                                   once, when it is warm and hardened
    parent  {"operation", "args", "key"}
    worker  {"status": "missing"}                                 if it does not hold the object
    parent  {"metadata"} and the payload, or {"abandon": true}
    worker  {"status": "started", "seconds", "size"}              what the operation may take from here
    worker  {"status": "done", …} and the answer, or {"status": "error", …}
"""

import gc
import os
import signal
import time
from typing import Any, BinaryIO

from coatcheck.codec import Metadata
from coatcheck.errors import SandboxOutputExceeded
from coatcheck.operations import OPERATIONS, Answer, Document, preload, reads_value
from coatcheck.sandbox import hardening
from coatcheck.sandbox.cache import DocumentCache
from coatcheck.sandbox.failures import describe
from coatcheck.sandbox.frames import PREFIX, frame_head, read_header, read_prefix
from coatcheck.sandbox.limits import GRACE_SECONDS, Limits, operation_seconds

MAX_PAYLOAD_BYTES = 2**40
"""The parent is trusted; the memory limit is what bounds a payload."""

READ_BUFFER_BYTES = 64 * 1024


def main(settings: dict[str, Any]) -> None:
    """Run until the parent closes the pipe."""
    limits = Limits(**settings)
    hardening.settle_signals()
    hardening.limit_memory(limits.memory_bytes)
    requests, answers = hardening.take_pipes()
    pace = preload()
    hardening.close_the_doors()
    gc.freeze()
    with os.fdopen(requests, "rb", buffering=READ_BUFFER_BYTES) as stream:
        Worker(limits, stream, answers, pace).serve()


class _Abandoned(Exception):
    """The parent could not load the object that the request was about."""


class Worker:
    """The loop over requests."""

    def __init__(self, limits: Limits, requests: BinaryIO, answers: int, pace: float) -> None:
        self._limits = limits
        self._requests = requests
        self._answers = answers
        self._pace = pace
        self._began = 0.0
        self._cache = DocumentCache(limits.cache_bytes, limits.memory_bytes // 2)

    def serve(self) -> None:
        """Answer requests until the pipe is closed."""
        self._send({"status": "ready"})
        while True:
            request, _ = self._read_head()
            self._began = time.monotonic()
            _arm(self._limits.total)
            try:
                header, parts = self._respond(request)
            except _Abandoned:
                continue
            except BaseException as error:  # noqa: BLE001  # whatever it was, the parent gets an answer
                header, parts = describe(error), []
            _arm(self._limits.total)
            self._send(header, *parts)
            del parts
            _arm(None)

    def _respond(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        document = self._cache.get(request["key"])
        if document is None:
            document = self._fetch(request["key"])
        operation, args = request["operation"], request["args"]
        size = len(document.payload)
        if reads_value(operation, document, args):
            _decode(document)
        spent = time.monotonic() - self._began
        seconds = operation_seconds(self._limits, size if document.may_be_structured else 0, spent)
        self._send({"status": "started", "seconds": seconds, "size": size})
        _arm(seconds)
        more = {"max_bytes": self._limits.output_bytes, "seconds": seconds, "pace": self._pace}
        answer = OPERATIONS[operation](document, args | more)
        return self._wire(answer)

    def _fetch(self, key: str) -> Document:
        _arm(None)
        self._send({"status": "missing"})
        header, size = self._read_head()
        if "metadata" not in header:
            raise _Abandoned
        self._began = time.monotonic()
        _arm(self._limits.total)
        self._cache.make_room(size)
        document = Document(Metadata.from_dict(header["metadata"]), self._read(size), allow_yaml=True)
        self._cache.put(key, document)
        return document

    def _wire(self, answer: Answer) -> tuple[dict[str, Any], list[bytes]]:
        header, parts = answer.to_wire()
        if sum(map(len, parts)) > self._limits.output_bytes:
            raise SandboxOutputExceeded
        return {"status": "done"} | header, parts

    def _read_head(self) -> tuple[dict[str, Any], int]:
        header_bytes, body_bytes = read_prefix(self._read(PREFIX.size), MAX_PAYLOAD_BYTES)
        return read_header(self._read(header_bytes)), body_bytes

    def _read(self, size: int) -> bytes:
        read = self._requests.read(size)
        if len(read) < size:
            # The parent closed the pipe or is gone: nobody is left to answer, and nothing is left to tidy up.
            os._exit(0)
        return read

    def _send(self, header: dict[str, Any], *parts: bytes) -> None:
        for part in (frame_head(header, sum(map(len, parts))), *parts):
            view = memoryview(part)
            while view:
                view = view[os.write(self._answers, view) :]


def _decode(document: Document) -> None:
    """Decode ahead of the operation: it takes time by the object's size, not by what is asked of it."""
    gc.disable()
    try:
        document.value  # noqa: B018
    finally:
        gc.freeze()  # decoded documents hold no cycles: looking for some in them, again and again, is time for nothing
        gc.enable()


def _arm(seconds: float | None) -> None:
    """End this process by the alarm's default action unless it is armed anew in time, with no help from the parent."""
    signal.setitimer(signal.ITIMER_REAL, 0.0 if seconds is None else seconds + GRACE_SECONDS)
