"""The ledger: all records of jobs, kept in Valkey or Redis. Every change is one script, so that no crash leaves half of it."""

import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from service.errors import Gone, InvalidParameter, NotFound, QueueFull
from service.jobs import scripts
from service.jobs.record import Job, State
from service.telemetry import tracing

PREFIX = "convlens:"
SILENCE_SECONDS = 4  # after which the holder of a job may be taken for dead
MEMORY_SECONDS = 30 * 86400  # how long an expired job is answered with "gone" instead of "not found"


@dataclass(frozen=True)
class Draft:
    """A job to be submitted. inputs: PNG files by name."""

    kind: str
    class_id: int | None
    parameters: Mapping[str, JsonValue]
    steps: int
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True)
class Submission:
    """Ids of accepted jobs. again: whether an earlier request with the same idempotency key had made them."""

    ids: list[str]
    batch: str | None
    again: bool


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: ``state``, ``progress``, ``preview`` or ``end``."""

    id: str
    name: str
    data: str  # JSON


class Ledger:
    """Records of jobs.

    redis: a client that decodes responses. bound: most unfinished jobs. retention: seconds for which a finished job is kept.
    max_attempts: how often a job is begun before it is given up.
    """

    def __init__(self, redis: Redis, bound: int, retention: float, max_attempts: int) -> None:
        self.redis = redis
        self.bound = bound
        self._retention = retention
        self._max_attempts = max_attempts
        self._scripts: dict[str, AsyncScript] = {}

    async def _run(self, script: str, *arguments: str | float) -> Any:
        if script not in self._scripts:
            self._scripts[script] = self.redis.register_script(script)
        return await self._scripts[script](keys=[], args=[PREFIX, *arguments])

    async def submit(
        self, drafts: Sequence[Draft], batch: bool, key: str | None = None, request: str = "", owner: str | None = None
    ) -> Submission:
        """Accept all jobs or none. owner: who alone will see them.

        key: idempotency key; the same key with the same ``request`` gives the jobs of the first time.
        Raises `QueueFull`, or `InvalidParameter` for a key that was used for another request.
        """
        ids = [draft.id for draft in drafts]
        batch_id = secrets.token_urlsafe(12) if batch else ""
        jobs = [
            {
                "id": d.id,
                "kind": d.kind,
                "owner": owner or "",
                "traceparent": tracing.context(),
                "class_id": "" if d.class_id is None else d.class_id,
                "parameters": json.dumps(d.parameters),
                "inputs": json.dumps(list(d.inputs)),
                "steps": d.steps,
            }
            for d in drafts
        ]
        answer = json.dumps({"ids": ids, "batch": batch_id or None})
        ttl, digest = max(1, int(self._retention)), hashlib.sha256(request.encode()).hexdigest()
        outcome, said = await self._run(
            scripts.SUBMIT,
            time.time(),
            self.bound,
            f"{owner or ''}|{key}" if key else "",
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
        if outcome == "full":
            raise QueueFull(
                f"{said} jobs are unfinished and the bound is {self.bound}; try again later", retry_after=10
            )
        return Submission(**json.loads(said), again=outcome == "again")

    async def get(self, id_: str) -> Job:
        """The record. Raises `NotFound`, or `Gone` when it has expired."""
        fields: dict[str, str] = await self.redis.hgetall(f"{PREFIX}job:{id_}")  # type: ignore[misc]
        if not fields:
            raise NotFound(f"there is no job {id_!r}")
        job = _parse(fields)
        if job.state is State.EXPIRED:
            raise Gone(f"the job {id_!r} has expired; submit it again, the seed gives the same picture")
        return job

    async def many(self, ids: Sequence[str]) -> list[Job]:
        """The records that there are, in the order of the ids."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hgetall(f"{PREFIX}job:{id_}")
            return [_parse(fields) for fields in await pipe.execute() if fields]

    async def position(self, job: Job) -> int | None:
        """How many jobs will be begun before this one, None if it is not queued."""
        rank = await self.redis.zrank(f"{PREFIX}state:queued", job.id)
        return None if rank is None else int(rank)

    async def trace(self, id_: str) -> list[float]:
        """The score at each step so far."""
        return [float(score) for score in await self.redis.lrange(f"{PREFIX}trace:{id_}", 0, -1)]  # type: ignore[misc]

    async def frames(self, id_: str) -> list[int]:
        """The steps of which there is a preview."""
        return [int(step) for step in await self.redis.zrange(f"{PREFIX}frames:{id_}", 0, -1)]

    async def batch(self, id_: str) -> list[Job]:
        """The jobs of a batch, in the order submitted. Raises `NotFound`."""
        ids = await self.redis.zrange(f"{PREFIX}batch:{id_}", 0, -1)
        if not ids:
            raise NotFound(f"there is no batch {id_!r}")
        return await self.many(ids)

    async def search(
        self,
        state: State | None,
        class_id: int | None,
        batch: str | None,
        before: int | None,
        limit: int,
        kind: str | None = None,
        owner: str | None = None,
    ) -> list[Job]:
        """Jobs newest first that fit all the filters, at most ``limit``, of those with a sequence number below ``before``."""

        def fits(job: Job) -> bool:
            return (
                job.owner == owner
                and state in (None, job.state)
                and class_id in (None, job.class_id)
                and kind in (None, job.kind)
            )

        wanted = {"batch": batch, "state": state, "class": class_id, "owner": owner}
        index = next((f"{name}:{value}" for name, value in wanted.items() if value not in (None, "")), "all")
        found: list[Job] = []
        below = "+inf" if before is None else f"({before}"
        while len(found) < limit:
            ids = await self.redis.zrevrangebyscore(PREFIX + index, below, "-inf", start=0, num=max(limit, 100))
            if not ids:
                break
            page = await self.many(ids)
            found += [job for job in page if fits(job)]
            if not page:
                break
            below = f"({page[-1].seq}"
        return found[:limit]

    async def claim(self, id_: str, lease: str) -> str:
        """Take the job for the holder of ``lease``: ``run``, or why not (``busy``, ``cancelled``, ``exhausted``, ``finished``, ``gone``).

        A job whose holder was heard of within the last seconds is not taken away from it.
        """
        problem = {
            "title": "Worker died",
            "status": 500,
            "detail": f"the worker died {self._max_attempts} times while it ran this job; it is not tried again",
        }
        outcome: str = await self._run(
            scripts.CLAIM,
            id_,
            time.time(),
            lease,
            self._max_attempts,
            self._retention,
            json.dumps(problem),
            SILENCE_SECONDS,
        )
        return outcome

    async def beat(self, id_: str, lease: str) -> None:
        """Tell that the holder of the job lives."""
        await self._run(scripts.BEAT, id_, lease)

    async def silence(self, id_: str) -> float:
        """Seconds since the holder of the job was last heard of."""
        return float(await self._run(scripts.SILENCE, id_))

    async def progress(
        self,
        id_: str,
        lease: str,
        start: int,
        scores: Sequence[float],
        fields: Mapping[str, float],
        preview: int | None,
    ) -> str:
        """Write the scores of the steps from ``start`` on; the state of the job, or ``lost`` or ``gone``."""
        outcome: str = await self._run(
            scripts.PROGRESS,
            id_,
            lease,
            start,
            json.dumps(list(scores)),
            json.dumps(fields),
            "" if preview is None else preview,
        )
        return outcome

    async def finish(self, id_: str, lease: str, state: State, **fields: Mapping[str, Any] | Sequence[str]) -> str:
        """End the job; ``lost`` or ``gone`` if it is no longer the holder's."""
        encoded = json.dumps({name: json.dumps(value) for name, value in fields.items()})
        outcome: str = await self._run(scripts.FINISH, id_, time.time(), lease, state, self._retention, encoded)
        return outcome

    async def release(self, id_: str, lease: str) -> str:
        """Give up a job in order; the attempt does not count. If it is still the holder's, it goes back into the queue."""
        outcome: str = await self._run(scripts.RELEASE, id_, time.time(), lease)
        return outcome

    async def cancel(self, id_: str) -> str:
        """Ask for the end of a job; the state after."""
        outcome: str = await self._run(scripts.CANCEL, id_, time.time(), self._retention)
        return outcome

    async def delete(self, id_: str) -> bool:
        """Forget a job, whatever its state."""
        return bool(await self._run(scripts.DELETE, id_))

    async def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        states = [state for state in State if state is not State.EXPIRED]
        async with self.redis.pipeline(transaction=False) as pipe:
            for state in states:
                pipe.zcard(f"{PREFIX}state:{state}")
            return dict(zip(map(str, states), await pipe.execute(), strict=True))

    async def due(self) -> list[str]:
        """Ids of finished jobs whose time is over."""
        due: list[str] = await self.redis.zrangebyscore(f"{PREFIX}expiry", "-inf", time.time(), start=0, num=1000)
        return due

    async def expire(self, id_: str) -> None:
        """Forget all of a job but that it was."""
        await self._run(scripts.EXPIRE, id_, time.time(), MEMORY_SECONDS)

    async def oldest(self, state: State, number: int) -> list[str]:
        """Ids of the jobs that have been in a state for longest, by submission."""
        ids: list[str] = await self.redis.zrange(f"{PREFIX}state:{state}", 0, number - 1)
        return ids

    async def events(self, id_: str, after: str = "0") -> AsyncIterator[Event | None]:
        """All events of a job after the one with the id ``after``, as they come, up to the ``end``; None while nothing comes."""
        key = f"{PREFIX}events:{id_}"
        while True:
            streams = await self.redis.xread({key: after}, count=200, block=5000)
            if not streams:
                yield None
            for _, entries in streams:
                for after, entry in entries:
                    yield Event(after, entry["event"], entry["data"])
                    if entry["event"] == "end":
                        return
            if not await self.redis.exists(key):
                return


def _parse(fields: Mapping[str, str]) -> Job:
    values: dict[str, Any] = {
        k: v for k, v in fields.items() if ":" not in k and k not in ("lease", "beat") and v != ""
    }
    for name in ("parameters", "inputs", "artifacts", "result", "problem"):
        if name in values:
            values[name] = json.loads(values[name])
    values["times"] = {k.removeprefix("at:"): float(v) for k, v in fields.items() if k.startswith("at:")}
    return Job.model_validate(values)
