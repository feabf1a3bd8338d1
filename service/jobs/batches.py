"""Batches in the ledger: their parts, their states, and which of their chunks are done."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from service.errors import Conflict, Gone, NotFound, QueueFull
from service.jobs import batch_scripts
from service.jobs.chunks import DIGITS, NO_RESULTS
from service.jobs.ledger import Ledger
from service.jobs.record import Batch, State
from service.jobs.records import PREFIX


@dataclass(frozen=True)
class Part:
    """Something that was uploaded into a batch. object: its name in the store. bytes: of it and of its list."""

    object: str
    items: int
    bytes: int


class Batches:
    """The batches of a ledger.

    retention: seconds for which one is kept that waits to be closed or resumed. max_bytes: of all batches of an owner,
    with their results.
    """

    def __init__(self, ledger: Ledger, retention: float, max_bytes: int) -> None:
        self._ledger = ledger
        self._retention = retention
        self._max_bytes = max_bytes

    async def get(self, id_: str) -> Batch:
        """The record. Raises `NotFound`, or `Gone` when it has expired."""
        try:
            job = await self._ledger.get(id_)
        except NotFound:
            job = None
        except Gone:
            raise Gone(f"the batch {id_!r} has expired, with its results; send its pictures again") from None
        if not isinstance(job, Batch):
            raise NotFound(f"there is no batch {id_!r}")
        return job

    async def parts(self, id_: str) -> dict[str, Part]:
        """What was uploaded, by name, sorted by it."""
        found: dict[str, str] = await self._ledger.redis.hgetall(f"{PREFIX}parts:{id_}")  # type: ignore[misc]
        return {name: Part(**json.loads(found[name])) for name in sorted(found)}

    async def add(self, id_: str, name: str, part: Part) -> str | None:
        """Take in a part of an open batch; the object of the part of this name that it replaces, if there is one.

        Raises `Conflict` if the batch is not open, `Gone`, or `QueueFull` if the owner has stored as much as it may.
        """
        until = time.time() + self._retention
        outcome, said = await self._ledger.run(
            batch_scripts.PART, id_, name, json.dumps(asdict(part)), self._max_bytes, until
        )
        if outcome == "full":
            raise QueueFull(
                f"this batch would be {part.bytes:,} bytes beside the {int(said):,} of others, and at most "
                f"{self._max_bytes:,} are kept; delete batches that are no longer needed",
                retry_after=60,
            )
        if outcome != "ok":
            raise _refusal(outcome, "is no longer open; begin another one")
        return said or None

    async def close(self, id_: str, version: int, items: int, size: int) -> None:
        """Let workers begin with a batch of so many items, ``size`` in a chunk.

        version: of the parts that these are. Raises `Conflict` if there are other parts by now.
        """
        chunks = -(-items // size)
        outcome = await self._ledger.run(batch_scripts.CLOSE, id_, time.time(), version, items, size, chunks)
        if outcome == "changed":
            raise Conflict("parts were added while the batch was being closed; close it again")
        if outcome != State.QUEUED:
            raise _refusal(outcome, "is closed already")

    async def pause(self, id_: str) -> None:
        """Begin no more chunks. Raises `Conflict`."""
        outcome = await self._ledger.run(batch_scripts.PAUSE, id_, time.time(), time.time() + self._retention)
        if outcome != State.PAUSED:
            raise _refusal(outcome, "cannot be paused")

    async def resume(self, id_: str) -> None:
        """Go on with a paused batch. Raises `Conflict`."""
        outcome = await self._ledger.run(batch_scripts.RESUME, id_, time.time(), self._retention)
        if outcome not in (State.QUEUED, State.RUNNING, State.SUCCEEDED):
            raise _refusal(outcome, "cannot be resumed")

    async def retry(self, id_: str) -> None:
        """Have all items with errors done again. Raises `Conflict`."""
        outcome = await self._ledger.run(batch_scripts.RETRY, id_, time.time())
        if outcome in ("gone", State.OPEN, State.CANCELLING, State.CANCELLED):
            raise _refusal(outcome, "cannot be tried again")

    async def attempts(self, id_: str) -> list[str | None]:
        """For each chunk that has been begun the number of the attempt whose results count, as in their names.

        None where there are none yet, `chunks.NO_RESULTS` where all of it failed.
        """
        text: str = await self._ledger.redis.get(f"{PREFIX}chunks:{id_}") or ""
        found = (text[i : i + DIGITS] for i in range(0, len(text), DIGITS))
        return [attempt if attempt.isalnum() else None for attempt in found]

    async def faults(self, id_: str) -> Mapping[int, int]:
        """The number of items with errors of each chunk that has some."""
        found: dict[str, str] = await self._ledger.redis.hgetall(f"{PREFIX}faults:{id_}")  # type: ignore[misc]
        return {int(chunk): int(number) for chunk, number in found.items()}


def _refusal(outcome: str, what: str) -> Conflict | Gone:
    return Gone("the batch has been deleted") if outcome == "gone" else Conflict(f"the batch is {outcome} and {what}")


__all__ = ["NO_RESULTS", "Batches", "Part"]
