"""The queue that hands jobs to workers: SAQ on Valkey or Redis."""

from collections.abc import Sequence

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from saq import Job as QueueEntry
from saq import Status
from saq.queue.redis import RedisQueue

from service.errors import QueueError

HEARTBEAT_SECONDS = 5  # a worker that has not been heard of for that long is taken for dead
SWEEP_SECONDS = 2  # how often dead workers are looked for
CONNECTION_SECONDS = 20  # for which a command may wait for a connection
FUNCTION = "run"


class JobQueue(RedisQueue):
    """SAQ's queue, with a sweep that does not wait for the dead."""

    async def sweep(self, lock: int = SWEEP_SECONDS, abort: float = 0.1) -> list[str]:
        """Put the jobs of dead workers back. The record, not the queue, decides how often a job is tried."""
        swept: list[str] = await super().sweep(lock, abort)
        return swept

    async def add(self, job_id: str) -> None:
        """Queue a job; nothing happens if it is queued or running already."""
        await self.enqueue(
            QueueEntry(
                FUNCTION, {"job_id": job_id}, key=job_id, timeout=0, heartbeat=HEARTBEAT_SECONDS, retries=2**30, ttl=60
            )
        )

    async def remove(self, job_id: str) -> None:
        """Take a job out of the queue, if it waits there."""
        entry = await self.job(job_id)
        if entry is not None and entry.status is Status.QUEUED:
            await self.abort(entry, "cancelled", ttl=1)

    async def missing(self, job_ids: Sequence[str]) -> list[str]:
        """Those of the jobs that are neither queued nor running as far as the queue knows."""
        entries = await self.jobs(job_ids) if job_ids else []
        held = (Status.QUEUED, Status.ACTIVE)
        return [id_ for id_, entry in zip(job_ids, entries, strict=True) if entry is None or entry.status not in held]


def connect(
    url: str, *, decode: bool, patience: int = 6, answer_seconds: float | None = None, connections: int = 1000
) -> Redis:
    """A client that bridges a restart of the server: it tries again for ``patience`` times, up to a second apart.

    answer_seconds: for which it waits for an answer; for ever if None. connections: most of them; who finds all of them
    taken waits for one.
    """
    retry = Retry(ExponentialBackoff(cap=1.0, base=0.05), patience)
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=answer_seconds or CONNECTION_SECONDS,
            decode_responses=decode,
            retry=retry,
            retry_on_error=[RedisConnectionError, RedisTimeoutError],
            socket_connect_timeout=min(5, answer_seconds or 5),
            socket_timeout=answer_seconds,
        )
    except (ValueError, RedisError) as error:
        raise QueueError(f"CONVLENS_QUEUE_URL {url!r} is no address of a Valkey or Redis: {error}") from error
    return Redis.from_pool(pool)
