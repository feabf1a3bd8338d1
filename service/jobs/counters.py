"""Counters in the Valkey, for limits that all processes share. Who counts waits for a moment only."""

import logging
import time
from collections.abc import Awaitable, Callable

from limits.aio.storage import RedisStorage
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.telemetry import metrics

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 0.1  # for which one waits to be counted
PAUSE_SECONDS = 2.0  # for which nothing is counted after there was no answer
STALL = 2  # in times of `ANSWER_SECONDS`: if it took so long, this process was busy, not the Valkey


class Counters:
    """Counts as long as the Valkey answers. redis: a client that waits for `ANSWER_SECONDS`, once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pause_ends = 0.0

    def storage(self, prefix: str) -> RedisStorage:
        """Where limits keep their counters."""
        return RedisStorage(
            "async+redis://localhost:6379",
            implementation="redispy",
            key_prefix=f"convlens:{prefix}",
            connection_pool=self._redis.connection_pool,  # type: ignore[arg-type]
        )

    async def attempt(self, counting: Callable[[], Awaitable[None]]) -> None:
        """Count something; while the Valkey is away nothing is counted, and nobody waits for it."""
        if time.monotonic() < self._pause_ends:
            metrics.UNCOUNTED.inc()
            return
        for _ in range(2):
            started = time.monotonic()
            try:
                await counting()
            except RedisError as error:
                failure = error
            else:
                return
            if time.monotonic() - started <= STALL * ANSWER_SECONDS:
                break
        self._pause_ends = time.monotonic() + PAUSE_SECONDS
        metrics.UNCOUNTED.inc()
        logger.warning("requests and compute are not counted, since the queue does not answer: %s", failure)
