"""Callers that use a store continuously during faults."""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from coatcheck.errors import ObjectNotFound, ObjectStoreUnavailable
from coatcheck.object_store import ObjectStore

PAUSE_AFTER_A_REFUSAL = 0.05


@dataclass(frozen=True)
class Kept:
    """An object that a caller stored.

    Attributes:
        value: Its first items.
        at: When the store confirmed it, by the monotonic clock.
    """

    value: list[int]
    at: float


class Load:
    """Stores lists and reads some of them back.

    Args:
        store: The store.
        chance: Chooses the lengths and the objects to read.
        lengths: Lengths of the stored lists; each time one is chosen.
        pause: Seconds that a caller pauses after each turn.
        reads: Whether callers read an object of any caller after each turn.

    Attributes:
        kept: What was stored, by its id.
        unavailable: Calls that the store refused.
        slowest: Seconds of the longest call.
    """

    def __init__(
        self,
        store: ObjectStore,
        chance: random.Random,
        lengths: Sequence[int],
        *,
        pause: float = 0,
        reads: bool = False,
    ) -> None:
        self._store = store
        self._chance = chance
        self._lengths = lengths
        self._pause = pause
        self._reads = reads
        self.kept: dict[str, Kept] = {}
        self.unavailable = 0
        self.slowest = 0.0

    async def run(self, callers: int, seconds: float, faults: Callable[[], Awaitable[None]]) -> None:
        """Run this many callers for this many seconds, during the given faults."""
        end = time.monotonic() + seconds
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(faults)
            for number in range(callers):
                tasks.start_soon(self._caller, number, end)

    async def missing_objects(self) -> list[Kept]:
        """Return the objects that are missing; all others must be unchanged."""
        missing_objects = []
        for object_id, kept in self.kept.items():
            try:
                assert (await self._store.afetch(object_id))[:2] == kept.value
            except ObjectNotFound:
                missing_objects.append(kept)
        return missing_objects

    async def _caller(self, number: int, end: float) -> None:
        turn = 0
        while time.monotonic() < end:
            turn += 1
            object_id = await self._call(self._store.aput([number, turn] * self._chance.choice(self._lengths)))
            if object_id:
                self.kept[object_id] = Kept([number, turn], time.monotonic())
            some = self._chance.choice(list(self.kept)) if self._reads and self.kept else None
            if some and (value := await self._call(self._store.afetch(some))) is not None:
                assert value[:2] == self.kept[some].value
            if self._pause:
                await anyio.sleep(self._pause)

    async def _call(self, work: Awaitable[Any]) -> Any:
        start = time.perf_counter()
        try:
            return await work
        except ObjectStoreUnavailable:
            self.unavailable += 1
        finally:
            self.slowest = max(self.slowest, time.perf_counter() - start)
        await anyio.sleep(PAUSE_AFTER_A_REFUSAL)
        return None
