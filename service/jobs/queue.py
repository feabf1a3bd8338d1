"""The queue that calls workers to work: SAQ on Valkey or Redis."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from saq import Job as QueueEntry
from saq.queue.redis import RedisQueue

from service.errors import QueueError

HEARTBEAT_SECONDS = 5  # a worker that has not been heard of for that long is taken for dead
SWEEP_SECONDS = 2  # how often dead workers are looked for
CONNECTION_SECONDS = 20  # for which a command may wait for a connection
FUNCTION = "run"


class JobQueue(RedisQueue):
    """SAQ's queue, with a sweep that does not wait for the dead.

    What waits in it are tickets, one for each job. Which job a worker runs for a ticket the ledger says, so that
    owners take turns. A ticket too many costs a question only.
    """

    async def sweep(self, lock: int = SWEEP_SECONDS, abort: float = 0.1) -> list[str]:
        """Put the tickets of dead workers back. The record, not the queue, decides how often a job is tried."""
        swept: list[str] = await super().sweep(lock, abort)
        return swept

    async def add(self, number: int) -> None:
        """Add so many tickets."""
        for _ in range(number):
            await self.enqueue(QueueEntry(FUNCTION, timeout=0, heartbeat=HEARTBEAT_SECONDS, retries=2**30, ttl=60))

    async def tickets(self) -> int:
        """How many tickets wait or are held by workers."""
        return await self.count("queued") + await self.count("active")


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
            driver_info=None,  # each connection would read the version of the client from disk
        )
    except (ValueError, RedisError) as error:
        raise QueueError(f"CONVLENS_QUEUE_URL {url!r} is no address of a Valkey or Redis: {error}") from error
    return Redis.from_pool(pool)
