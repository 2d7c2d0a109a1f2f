"""The worker process: reads requests, runs operations, sends answers. No other part of coatcheck runs in it.

The protocol, each line a frame (see ``channel``):

    worker  {"status": "ready"}                                   once, after warm-up and hardening
    parent  {"operation", "args", "key"}
    worker  {"status": "missing"}                                 if it has not cached the object
    parent  {"metadata"} and the payload, or {"abandon": true}
    worker  {"status": "started", "seconds", "size"}              the remaining time of the operation
    worker  {"status": "done", …} and the answer, or {"status": "error", …}
"""

import contextlib
import gc
import os
import resource
import signal
import time
from collections import OrderedDict
from typing import Any, BinaryIO

from coatcheck.codec import Metadata
from coatcheck.codec.chunked.gc_tuning import freeze_loaded_objects
from coatcheck.errors import SandboxOutputExceeded
from coatcheck.explorer.operations import OPERATIONS, Answer, Document, preload, reads_value
from coatcheck.explorer.sandbox.channel import PREFIX, frame_head, read_header, read_prefix
from coatcheck.explorer.sandbox.worker_failures import UnknownOperationError, describe
from coatcheck.explorer.sandbox.worker_limits import GRACE_SECONDS, Limits, operation_seconds

HIGHEST_DESCRIPTOR_TRIED = 256
OOM_SCORE_OF_A_WORKER = b"800"


def take_pipes() -> tuple[int, int]:
    """Move stdin and stdout to private descriptors and replace them by the null device.

    Returns:
        The descriptor to read requests from and the one to write answers to.
    """
    requests, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard, inheritable=False)
    os.close(null)
    return requests, answers


def limit_memory(memory_bytes: int) -> None:
    """Limit the address space; an allocation beyond it raises ``MemoryError`` or aborts the process."""
    if memory_bytes > 0:
        _lower(resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)


def reset_signals() -> None:
    """Reset SIGALRM to its default and ignore SIGINT, whatever the parent had set: ignored signals survive an exec."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def restrict_process() -> None:
    """Prevent the process from opening files or sockets and from starting processes. Imports fail from now on."""
    os.environ.clear()  # the interpreter itself may have set LC_CTYPE
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as score:  # noqa: PTH123
        # If the machine is out of memory, a worker is killed before the server.
        score.write(OOM_SCORE_OF_A_WORKER)
    _lower(resource.RLIMIT_FSIZE, 0)
    if hasattr(resource, "RLIMIT_NPROC"):
        _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_NOFILE, _highest_open() + 1)


def _highest_open() -> int:
    highest = 0
    for descriptor in range(HIGHEST_DESCRIPTOR_TRIED):
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            highest = descriptor
    return highest


def _lower(kind: int, value: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(kind, (value, value))


JSON_FACTOR = 8
"""Bytes in memory for each byte of JSON: 300 000 rows of five fields, 26 MB as JSON, took 190 MB decoded."""

TEXT_FACTOR = 3


class DocumentCache:
    """An LRU cache of documents by key, within an estimate of their size in memory.

    One document beyond that limit is kept alone, up to ``alone_bytes``.
    """

    def __init__(self, limit_bytes: int, alone_bytes: int) -> None:
        self._limit = limit_bytes
        self._alone = alone_bytes
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._used = 0

    def get(self, key: str) -> Document | None:
        """Return the document and mark it as the most recently used."""
        document = self._documents.get(key)
        if document is not None:
            self._documents.move_to_end(key)
        return document

    def make_room(self, size: int) -> None:
        """Drop documents until one with ``size`` bytes of payload fits."""
        self._drop(size * JSON_FACTOR)

    def put(self, key: str, document: Document) -> None:
        """Add a document if it fits at all."""
        cost = estimate(document)
        if self._limit <= 0 or cost > max(self._limit, self._alone):
            return
        self._drop(cost)
        self._documents[key] = document
        self._used += cost

    def _drop(self, needed: int) -> None:
        while self._documents and self._used + needed > self._limit:
            _, dropped = self._documents.popitem(last=False)
            self._used -= estimate(dropped)


def estimate(document: Document) -> int:
    """Estimated bytes of a decoded document in memory."""
    factor = JSON_FACTOR if document.may_be_structured else TEXT_FACTOR
    return len(document.payload) * factor + 1024


MAX_PAYLOAD_BYTES = 2**40
"""The parent is trusted; a payload is bounded by the memory limit."""

READ_BUFFER_BYTES = 64 * 1024


def main(settings: dict[str, Any]) -> None:
    """Run until the parent closes the pipe."""
    limits = Limits(**settings)
    reset_signals()
    limit_memory(limits.memory_bytes)
    requests, answers = take_pipes()
    pace = preload()
    restrict_process()
    freeze_loaded_objects()  # the bootstrap disabled collections, because searching modules takes a tenth of the start
    with os.fdopen(requests, "rb", buffering=READ_BUFFER_BYTES) as stream:
        Worker(limits, stream, answers, pace).serve()


class _LoadAborted(Exception):
    """The parent could not load the object of the request."""


class Worker:
    """Handles requests in a loop."""

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
            _set_alarm(self._limits.total)
            try:
                header, parts = self._respond(request)
            except _LoadAborted:
                continue
            except BaseException as error:  # noqa: BLE001  # whatever it was, the parent gets an answer
                header, parts = describe(error), []
            _set_alarm(self._limits.total)
            self._send(header, *parts)
            del parts
            _set_alarm(None)

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
        _set_alarm(seconds)
        more = {"max_bytes": self._limits.output_bytes, "seconds": seconds, "pace": self._pace}
        if operation not in OPERATIONS:
            raise UnknownOperationError
        answer = OPERATIONS[operation](document, args | more)
        return self._wire(answer)

    def _fetch(self, key: str) -> Document:
        _set_alarm(None)
        self._send({"status": "missing"})
        header, size = self._read_head()
        if "metadata" not in header:
            raise _LoadAborted
        self._began = time.monotonic()
        _set_alarm(self._limits.total)
        self._cache.make_room(size)
        document = Document(Metadata.from_dict(header["metadata"]), self._read(size), in_sandbox=True)
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
            # The parent has closed the pipe or has exited: nothing is left to answer or clean up.
            os._exit(0)
        return read

    def _send(self, header: dict[str, Any], *parts: bytes) -> None:
        for part in (frame_head(header, sum(map(len, parts))), *parts):
            view = memoryview(part)
            while view:
                view = view[os.write(self._answers, view) :]


def _decode(document: Document) -> None:
    """Decode before the operation, because decoding takes time by the object's size, not by the operation."""
    gc.disable()
    try:
        document.value  # noqa: B018
    finally:
        freeze_loaded_objects()  # decoded documents contain no cycles: searching them repeatedly wastes time


def _set_alarm(seconds: float | None) -> None:
    """Set an alarm whose default action kills this process unless it is reset in time, independent of the parent."""
    signal.setitimer(signal.ITIMER_REAL, 0.0 if seconds is None else seconds + GRACE_SECONDS)
