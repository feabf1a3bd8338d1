"""Listening to the events of jobs, on a real Valkey that dies too."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import redis as redis_client
from redis.asyncio import Redis

from service.jobs import events as module
from service.jobs.events import KEPT, Event, Events
from service.jobs.ledger import Draft, Ledger
from service.jobs.queue import connect
from service.jobs.record import State
from service.jobs.valkey import EmbeddedValkey
from tests.jobs.test_crashes import kill_valkey
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ledger(redis: Redis) -> Ledger:
    return Ledger(redis, max_unfinished=5000, retention=1000, max_attempts=2)


@pytest.fixture
async def events(valkey: EmbeddedValkey, redis: Redis) -> AsyncIterator[Events]:
    async with connect(valkey.url, decode=True) as waiting:
        events = Events(redis, waiting)
        yield events
        await events.close()


async def submitted(ledger: Ledger) -> str:
    (id_,) = (await ledger.submit([Draft("class", 1, {}, 20)], batch=False)).ids
    return id_


Stream = AsyncGenerator[Event | None]


async def stream(events: Events, id_: str, after: str = "0") -> Stream:
    followed = await events.follow(id_, after)
    assert followed is not None
    return one_by_one(followed)


async def one_by_one(followed: AsyncGenerator[list[Event]]) -> Stream:
    """The events, and None for each sign of life."""
    async with aclosing(followed):
        async for happened in followed:
            if not happened:
                yield None
            for event in happened:
                yield event


async def rest(stream: Stream) -> list[Event]:
    async with asyncio.timeout(20):
        return [event async for event in stream if event]


async def following(stream: Stream, number: int = 1) -> list[Event]:
    """The next events."""
    async with asyncio.timeout(20):
        found: list[Event] = []
        while len(found) < number:
            if (event := await anext(stream)) is not None:
                found.append(event)
        return found


async def connections(redis: Redis) -> int:
    return len(await redis.client_list())


async def until_the_reader_waits(valkey: EmbeddedValkey) -> None:
    """For news, which is what it does once it has looked for what happened before."""
    with redis_client.Redis(unix_socket_path=str(valkey.socket), decode_responses=True) as redis:
        await asyncio.to_thread(eventually, redis.client_list, lambda found: any("b" in one["flags"] for one in found))


async def finish(ledger: Ledger, id_: str, steps: int) -> None:
    await ledger.claim("a")
    for step in range(steps):
        await ledger.progress(id_, "a", step, [1.0], {"step": step}, None)
    await ledger.finish(id_, "a", State.SUCCEEDED, result={})


async def test_events_are_told_from_any_point_to_the_end(ledger: Ledger, events: Events) -> None:
    id_ = await submitted(ledger)
    await ledger.claim("a")
    await ledger.progress(id_, "a", 0, [1.0], {"step": 1}, 0)
    await ledger.finish(id_, "a", State.SUCCEEDED, result={"x": 1})
    told = await rest(await stream(events, id_))
    assert [event.name for event in told] == ["state", "state", "preview", "progress", "state", "end"]
    assert json.loads(told[-1].data) == {"state": "succeeded"}
    assert await rest(await stream(events, id_, told[2].id)) == told[3:]
    for last in (told[-1].id, "99999999999999999999"):
        assert await events.follow(id_, last) is None


async def test_many_listeners_take_one_connection(ledger: Ledger, events: Events, redis: Redis) -> None:
    ids = [await submitted(ledger) for _ in range(20)]
    listeners = [asyncio.create_task(rest(await stream(events, id_))) for id_ in ids for _ in range(10)]
    before = await connections(redis)
    for id_ in ids:
        await finish(ledger, id_, 3)
    told = await asyncio.gather(*listeners)
    names = ["state", "state", "progress", "progress", "progress", "state", "end"]
    assert [[event.name for event in each] for each in told] == [names] * 200
    assert all(len({event.id for event in each}) == 7 for each in told)
    assert await connections(redis) <= before + 1


async def test_one_who_reads_late_misses_nothing_and_costs_bounded_memory(ledger: Ledger, events: Events) -> None:
    id_ = await submitted(ledger)
    late, prompt = await stream(events, id_), await stream(events, id_)
    await following(late)
    prompt_one = asyncio.create_task(rest(prompt))
    await finish(ledger, id_, 3 * KEPT)
    told = await prompt_one
    assert len(events._tails[id_]._events) == KEPT
    assert await rest(late) == told[1:]
    assert events._tails == {}


async def test_the_end_of_a_deleted_job_comes_at_once(
    ledger: Ledger, events: Events, valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 3600)
    id_ = await submitted(ledger)
    listener = await stream(events, id_)
    assert [event.name for event in await following(listener)] == ["state"]
    await until_the_reader_waits(valkey)
    waiting = asyncio.create_task(rest(listener))
    await ledger.delete(id_)
    (end,) = await waiting
    assert (end.name, json.loads(end.data)) == ("end", {"state": "deleted"})


async def test_what_happens_before_one_listens_is_not_missed(
    ledger: Ledger, events: Events, valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 3600)
    id_, other = await submitted(ledger), await submitted(ledger)
    heard = await stream(events, other)
    await following(heard)
    await until_the_reader_waits(valkey)
    latest = (await following(await stream(events, id_)))[-1].id
    listener = await stream(events, id_, latest)
    await ledger.claim("a")  # announced before anybody listens to this job
    await ledger.claim("a")
    await following(heard)  # the reader has heard of both
    assert [event.name for event in await following(listener)] == ["state"]


async def test_what_nobody_announced_is_found(
    ledger: Ledger, events: Events, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of an earlier version announces nothing, and deletes without a last event."""
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    id_ = await submitted(ledger)
    listener = await stream(events, id_)
    await following(listener)
    assert await anext(listener) is None  # a sign of life
    await redis.xadd(f"convlens:events:{id_}", {"event": "progress", "data": "{}"})
    assert [event.name for event in await following(listener)] == ["progress"]
    await redis.delete(f"convlens:events:{id_}")
    (end,) = await rest(listener)
    assert (end.name, json.loads(end.data)) == ("end", {"state": "deleted"})


async def test_a_stream_goes_on_after_the_death_of_the_valkey(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    valkey = EmbeddedValkey(tmp_path)
    valkey.start()
    async with connect(valkey.url, decode=True) as redis, connect(valkey.url, decode=True, patience=0) as impatient:
        ledger, events = Ledger(redis, 10, 1000, 2), Events(impatient, impatient)
        id_ = await submitted(ledger)
        late, prompt = await stream(events, id_), await stream(events, id_)
        await following(late)
        await following(prompt)
        waiting = asyncio.create_task(following(prompt))
        await asyncio.to_thread(kill_valkey, valkey)
        await asyncio.to_thread(eventually, lambda: "wait for the queue" in caplog.text)
        await asyncio.to_thread(valkey.start)
        await finish(ledger, id_, 2)
        told = await waiting + await rest(prompt)
        assert [event.name for event in told] == ["state", "progress", "progress", "state", "end"]
        assert await rest(late) == told
        await events.close()
    valkey.stop()
