"""Limits on seconds of compute: what requests and jobs have computed counts against their caller."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from limits import RateLimitItem, parse_many
from limits.aio.strategies import FixedWindowRateLimiter

from service.errors import InvalidParameter, TooManyRequests
from service.jobs.counters import Counters

MILLISECONDS = 1000  # the unit of the counters


class ComputeLimit:
    """Seconds that each caller may compute in a window of time, shared by all processes through Valkey.

    Args:
        limits: Seconds in windows of time, like ``600/hour;3600/day``; None for no limit.
        counters: Where they are kept.
    """

    def __init__(self, limits: str | None, counters: Counters) -> None:
        try:
            self._limits = [_in_milliseconds(limit) for limit in parse_many(limits)] if limits else []
        except ValueError as error:
            raise InvalidParameter(
                f"limits of compute are seconds, written like '600/hour;3600/day', not {limits!r}"
            ) from error
        self._counters = counters
        self._strategy = FixedWindowRateLimiter(counters.storage("compute"))

    async def check(self, caller: str) -> None:
        """Raise `TooManyRequests` if a limit is used up. While the Valkey is away nobody is refused."""
        if self._limits_of(caller):
            await self._counters.attempt(lambda: self._check(caller))

    async def count(self, caller: str, seconds: float) -> None:
        """Count what has been computed, whether it is within the limits or not."""
        if self._limits_of(caller):
            await self._counters.attempt(lambda: self._count(caller, seconds))

    async def _check(self, caller: str) -> None:
        for limit in self._limits:
            if not await self._strategy.test(limit, caller):
                reset = (await self._strategy.get_window_stats(limit, caller)).reset_time
                seconds = max(1, round(reset - time.time()))
                raise TooManyRequests(
                    f"the {limit.amount // MILLISECONDS} seconds of compute per {limit.multiples} "
                    f"{limit.GRANULARITY.name} are used up; try again in {seconds} seconds",
                    retry_after=seconds,
                )

    async def _count(self, caller: str, seconds: float) -> None:
        for limit in self._limits:
            await self._strategy.hit(limit, caller, cost=round(seconds * MILLISECONDS))

    def _limits_of(self, caller: str) -> Sequence[RateLimitItem]:
        """The limits; none of the service itself, which has no name."""
        return self._limits if caller else ()

    @asynccontextmanager
    async def counted(self, caller: str) -> AsyncIterator[None]:
        """Count the time that the ``with`` block takes."""
        started = time.monotonic()
        try:
            yield
        finally:
            await self.count(caller, time.monotonic() - started)


def caller_of(owner: str | None) -> str:
    """Under which name the requests and jobs of a key are counted; '' for jobs without an owner."""
    return "" if owner is None else f"key:{owner}"


def _in_milliseconds(limit: RateLimitItem) -> RateLimitItem:
    return type(limit)(limit.amount * MILLISECONDS, limit.multiples, limit.namespace)
