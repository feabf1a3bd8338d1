"""The ledger: all records of jobs, kept in Valkey or Redis.

Every change is one script, so that no crash leaves half of it.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from service.errors import ConvlensError, InvalidParameter, QueueFull
from service.jobs import scripts
from service.jobs.outcomes import Stop
from service.jobs.record import Job, State
from service.jobs.records import PREFIX, Records
from service.telemetry import tracing

# After the last heartbeat its holder may lose a job. Less than `queue.HEARTBEAT_SECONDS`, after which the queue hands
# the job to another worker: whoever gets it then can claim it at once.
HEARTBEAT_TIMEOUT_SECONDS = 4
MEMORY_SECONDS = 30 * 86400  # how long an expired job is answered with "gone" instead of "not found"


@dataclass(frozen=True)
class Draft:
    """A job to be submitted. inputs: PNG files by name. state: that it begins in."""

    kind: str
    class_id: int | None
    parameters: Mapping[str, JsonValue]
    steps: int
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    state: State = State.QUEUED
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True)
class Submission:
    """Ids of accepted jobs. again: whether an earlier request with the same idempotency key had made them."""

    ids: list[str]
    batch: str | None
    again: bool


class Ledger(Records):
    """Records of jobs.

    redis: a client that decodes responses. max_unfinished: most unfinished jobs. retention: seconds for which a
    finished job is kept. max_attempts: how often in a row a job is begun that gets no further, before it is given up.
    max_of_owner: most unfinished jobs of one owner; by default as many as of all.
    """

    def __init__(
        self, redis: Redis, max_unfinished: int, retention: float, max_attempts: int, max_of_owner: int | None = None
    ) -> None:
        super().__init__(redis)
        self.max_unfinished = max_unfinished
        self._max_of_owner = max_of_owner or max_unfinished
        self._retention = retention
        self._max_attempts = max_attempts
        self._scripts: dict[str, AsyncScript] = {}

    async def run(self, script: str, *arguments: str | float) -> Any:
        """Run a script."""
        if script not in self._scripts:
            self._scripts[script] = self.redis.register_script(script)
        return await self._scripts[script](keys=[], args=[PREFIX, *arguments])

    async def submit(
        self, drafts: Sequence[Draft], batch: bool, key: str | None = None, request: str = "", owner: str | None = None
    ) -> Submission:
        """Accept all jobs or none. owner: who alone will see them, and whose bound they count against.

        key: idempotency key; the same key with the same ``request`` gives the jobs of the first time.
        Raises `QueueFull`, or `InvalidParameter` for a key that was used for another request.
        """
        ids = [draft.id for draft in drafts]
        batch_id = secrets.token_urlsafe(12) if batch else ""
        jobs = [_fields(draft, owner) for draft in drafts]
        answer = json.dumps({"ids": ids, "batch": batch_id or None})
        ttl, digest = max(1, int(self._retention)), hashlib.sha256(request.encode()).hexdigest()
        outcome, said = await self.run(
            scripts.SUBMIT,
            time.time(),
            self.max_unfinished,
            self._max_of_owner,
            _own(key, owner) if key else "",
            digest,
            ttl,
            answer,
            batch_id,
            json.dumps(jobs),
        )
        if outcome == "conflict":
            raise InvalidParameter(
                f"the Idempotency-Key {key!r} was used for another request; use a new one for a new request"
            )
        if outcome in ("full", "share"):
            raise self._refusal(int(said), len(ids), owner if outcome == "share" else None)
        return Submission(**json.loads(said), again=outcome == "again")

    async def forget_key(self, key: str, owner: str | None) -> None:
        """Let an idempotency key be used for another request."""
        await self.redis.delete(f"{PREFIX}idem:{_own(key, owner)}")

    def _refusal(self, unfinished: int, more: int, owner: str | None) -> ConvlensError:
        """Why so many jobs more are not taken: the bound of all, or the one of an owner."""
        bound = self.max_unfinished if owner is None else self._max_of_owner
        whose = "the service" if owner is None else f"the key {owner!r}"
        if more > bound:
            return InvalidParameter(f"{more} jobs at once are more than the {bound} that {whose} may have unfinished")
        advice = "try again later" if owner is None else "wait for some of them to end, or cancel some"
        return QueueFull(f"{whose} has {unfinished} unfinished jobs and the bound is {bound}; {advice}", retry_after=10)

    async def claim(self, lease: str) -> str | None:
        """The job that the holder of ``lease`` is to run now, if there is one.

        One whose holder has sent no heartbeat for `HEARTBEAT_TIMEOUT_SECONDS` goes first, then the oldest of the owner
        whose turn it is (`service.jobs.turns`).
        """
        problem = {
            "title": "Worker died",
            "status": 500,
            "detail": f"the worker died {self._max_attempts} times in a row before it got further with this job; "
            "it is not tried again",
        }
        claimed: str | None = await self.run(
            scripts.CLAIM,
            time.time(),
            lease,
            self._max_attempts,
            self._retention,
            json.dumps(problem),
            HEARTBEAT_TIMEOUT_SECONDS,
        )
        return claimed

    async def position(self, job: Job) -> int | None:
        """How many jobs will be begun before this one if owners take turns, one each; None if it is not queued."""
        position: int | None = await self.run(scripts.POSITION, job.id)
        return position

    async def settle(self) -> None:
        """Put the unfinished jobs of earlier versions where they are looked for."""
        await self.run(scripts.SETTLE)

    async def heartbeat(self, id_: str, lease: str, seconds: float) -> None:
        """Tell that the holder of the job is alive, and has computed for so long since it last did."""
        await self.run(scripts.HEARTBEAT, id_, lease, seconds)

    async def progress(
        self,
        id_: str,
        lease: str,
        start: int,
        scores: Sequence[float],
        fields: Mapping[str, float],
        preview: int | None,
        saved: int | None = None,
    ) -> State | Stop:
        """Write the scores of the steps from ``start`` on; returns the state of the job, or why it was lost.

        preview, saved: the step of which there is a new preview, or a new checkpoint.
        """
        outcome = await self.run(
            scripts.PROGRESS,
            id_,
            lease,
            start,
            json.dumps(list(scores)),
            json.dumps(fields),
            "" if preview is None else preview,
            "" if saved is None else saved,
        )
        return _state_or_stop(outcome)

    async def finish(
        self, id_: str, lease: str, state: State, **fields: Mapping[str, Any] | Sequence[str]
    ) -> State | Stop:
        """End the job; its state, or why it is no longer the holder's."""
        encoded = json.dumps({name: json.dumps(value) for name, value in fields.items()})
        return _state_or_stop(await self.run(scripts.FINISH, id_, time.time(), lease, state, self._retention, encoded))

    async def release(self, id_: str, lease: str) -> bool:
        """Give up a job in order; the attempt does not count.

        Returns whether it was still the holder's; then it goes back into the queue.
        """
        return bool(await self.run(scripts.RELEASE, id_, time.time(), lease))

    async def cancel(self, id_: str) -> State | Stop:
        """Ask for the end of a job; its state afterwards, or `Stop.GONE`."""
        return _state_or_stop(await self.run(scripts.CANCEL, id_, time.time(), self._retention))

    async def delete(self, id_: str, state: State | None = None) -> bool:
        """Forget a job, if it is in that state, or whatever its state; whether it was there."""
        return bool(await self.run(scripts.DELETE, id_, state or ""))

    async def expire(self, id_: str) -> bool:
        """Forget all of a job but that it was, and that its artifacts are to be deleted.

        Returns whether its time is over: a batch may have been begun again.
        """
        return bool(await self.run(scripts.EXPIRE, id_, time.time(), MEMORY_SECONDS))

    async def expired(self, id_: str) -> None:
        """Tell that the artifacts of an expired job have been deleted."""
        await self.redis.zrem(f"{PREFIX}expiry", id_)


def _fields(draft: Draft, owner: str | None) -> dict[str, str | int]:
    """What the record of a new job holds."""
    return {
        "id": draft.id,
        "kind": draft.kind,
        "owner": owner or "",
        "traceparent": tracing.context(),
        "class_id": "" if draft.class_id is None else draft.class_id,
        "parameters": json.dumps(draft.parameters),
        "inputs": json.dumps(list(draft.inputs)),
        "steps": draft.steps,
        "state": draft.state,
    }


def _own(key: str, owner: str | None) -> str:
    """The idempotency key of an owner."""
    return f"{owner or ''}|{key}"


def _state_or_stop(outcome: str) -> State | Stop:
    return Stop(outcome) if outcome in set(Stop) else State(outcome)
