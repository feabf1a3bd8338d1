"""Counting, as long as the Valkey answers in time."""

import time
from pathlib import Path

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.jobs import counters
from service.jobs.counters import Counters
from service.jobs.queue import connect
from service.jobs.valkey import EmbeddedValkey
from service.telemetry import metrics
from tests.waiting import frozen

pytestmark = pytest.mark.anyio


def uncounted() -> float:
    value: float = metrics.UNCOUNTED._value.get()
    return value


async def test_nobody_waits_for_a_valkey_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    valkey = EmbeddedValkey(tmp_path)
    valkey.start()
    try:
        async with connect(valkey.url, decode=True, patience=0, answer_seconds=0.1) as redis:
            counting, asked = Counters(redis), 0

            async def count() -> None:
                nonlocal asked
                asked += 1
                await redis.incr("n")

            await counting.attempt(count)
            with frozen(valkey):
                before = uncounted()
                for _ in range(5):
                    await counting.attempt(count)
                assert uncounted() == before + 5
                assert asked <= 3  # the others did not ask
            monkeypatch.setattr(counters, "PAUSE_SECONDS", 0.0)
            counting._pause_ends = 0.0
            while int(await redis.get("n") or 0) < 2:
                await counting.attempt(count)
    finally:
        valkey.stop()


async def test_a_process_that_was_busy_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is there is read too late by an event loop that was held up."""
    monkeypatch.setattr(counters, "ANSWER_SECONDS", 0.01)
    async with connect("redis://localhost:1", decode=True) as redis:
        asked = 0

        async def count() -> None:
            nonlocal asked
            asked += 1
            if asked == 1:
                time.sleep(0.1)  # noqa: ASYNC251 - the loop is to be held up
                raise RedisTimeoutError

        before = uncounted()
        await Counters(redis).attempt(count)
        assert (asked, uncounted()) == (2, before)
