"""Reads the ledger: records of jobs and their history."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from service.errors import Gone, NotFound
from service.jobs.record import BATCH, RECORDS, Job, State

PREFIX = "convlens:"


class Records:
    """Records of jobs, to be read. redis: a client that decodes responses."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

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
        """The records that exist, in the order of the ids."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hgetall(f"{PREFIX}job:{id_}")
            return [_parse(fields) for fields in await pipe.execute() if fields]

    async def trace(self, id_: str) -> list[float]:
        """The score at each step so far."""
        return [float(score) for score in await self.redis.lrange(f"{PREFIX}trace:{id_}", 0, -1)]  # type: ignore[misc]

    async def frames(self, id_: str) -> list[int]:
        """The steps that have a preview."""
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
        """At most ``limit`` jobs that fit all filters, newest first, with sequence numbers below ``before``.

        Batches are only found by their kind.
        """

        def fits(job: Job) -> bool:
            return (
                job.owner == owner
                and state in (None, job.state)
                and class_id in (None, job.class_id)
                and (job.kind == kind if kind else job.kind != BATCH)
            )

        wanted = {"batch": batch, "owner": owner, "state": state, "class": class_id}  # the narrowest first
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

    async def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        states = [state for state in State if state is not State.EXPIRED]
        async with self.redis.pipeline(transaction=False) as pipe:
            for state in states:
                pipe.zcard(f"{PREFIX}state:{state}")
            return dict(zip(map(str, states), await pipe.execute(), strict=True))

    async def for_workers(self) -> int:
        """How many jobs wait for a worker or are held by one; of a batch one waits, whatever its chunks."""
        owners = await self.redis.zrange(f"{PREFIX}turns", 0, -1)
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.zcard(f"{PREFIX}beats")
            for owner in owners:
                pipe.zcard(f"{PREFIX}queued:{owner}")
            return sum(await pipe.execute())

    async def due(self) -> list[str]:
        """Ids of finished jobs whose time is over."""
        due: list[str] = await self.redis.zrangebyscore(f"{PREFIX}expiry", "-inf", time.time(), start=0, num=1000)
        return due


def _parse(fields: Mapping[str, str]) -> Job:
    values: dict[str, Any] = {
        k: v for k, v in fields.items() if ":" not in k and k not in ("lease", "beat") and v != ""
    }
    for name in ("parameters", "inputs", "artifacts", "result", "problem"):
        if name in values:
            values[name] = json.loads(values[name])
    values["times"] = {k.removeprefix("at:"): float(v) for k, v in fields.items() if k.startswith("at:")}
    return RECORDS.get(values["kind"], Job).model_validate(values)
