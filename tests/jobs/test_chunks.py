"""Batches in the ledger: their chunks are handed out and counted once, whoever dies, and cost next to nothing."""

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from service.errors import Conflict, Gone, NotFound, QueueFull
from service.jobs import ledger as ledgers
from service.jobs.batches import Batches, Part
from service.jobs.chunks import NO_RESULTS
from service.jobs.ledger import Draft, Ledger
from service.jobs.record import Chunk, State

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ledger(redis: Redis) -> Ledger:
    return Ledger(redis, max_unfinished=10, retention=1000, max_attempts=2)


@pytest.fixture
async def batches(ledger: Ledger) -> Batches:
    return Batches(ledger, 1000, max_bytes=10_000)


async def opened(ledger: Ledger, owner: str | None = None) -> str:
    draft = Draft("batch", None, {"model": "m"}, 0, state=State.OPEN)
    return (await ledger.submit([draft], batch=False, owner=owner)).ids[0]


async def begun(ledger: Ledger, batches: Batches, items: int, size: int = 10, owner: str | None = None) -> str:
    id_ = await opened(ledger, owner)
    await batches.close(id_, 0, items, size)
    return id_


async def claimed(ledger: Ledger, lease: str) -> Chunk:
    id_ = await ledger.claim(lease)
    assert id_ is not None
    job = await ledger.get(id_)
    assert isinstance(job, Chunk)
    return job


async def done(ledger: Ledger, chunk: Chunk, lease: str, errors: int = 0) -> None:
    state = await ledger.finish(chunk.id, lease, State.SUCCEEDED, result={"errors": errors, "bytes": 1})
    assert state == State.SUCCEEDED


async def standing(batches: Batches, id_: str) -> tuple[State, int, int]:
    batch = await batches.get(id_)
    return batch.state, batch.step, batch.errors


async def test_chunks_are_handed_out_once_and_end_the_batch(ledger: Ledger, batches: Batches) -> None:
    id_ = await begun(ledger, batches, 25)
    chunks = [await claimed(ledger, f"{i}") for i in range(3)]
    assert await ledger.claim("more") is None
    assert [(chunk.batch_id, chunk.number, chunk.first, chunk.steps) for chunk in chunks] == [
        (id_, 0, 0, 10),
        (id_, 1, 10, 10),
        (id_, 2, 20, 5),
    ]
    await done(ledger, chunks[1], "1", errors=2)
    assert await standing(batches, id_) == (State.RUNNING, 10, 2)
    assert await batches.attempts(id_) == [None, "000002"]
    await done(ledger, chunks[0], "0")
    await done(ledger, chunks[2], "2")
    assert await standing(batches, id_) == (State.SUCCEEDED, 25, 2)
    assert await batches.attempts(id_) == ["000001", "000002", "000003"]
    assert await batches.faults(id_) == {1: 2}
    assert await ledger.finish(chunks[0].id, "0", State.SUCCEEDED, result={"errors": 0, "bytes": 1}) == "gone"


async def test_a_dead_worker_is_replaced_and_what_it_does_later_does_not_count(
    ledger: Ledger, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await begun(ledger, batches, 5)
    first = await claimed(ledger, "dead")
    monkeypatch.setattr(ledgers, "HEARTBEAT_TIMEOUT_SECONDS", 0)
    second = await claimed(ledger, "b")
    assert (second.id, second.handed, second.vain) == (first.id, first.handed + 1, 2)
    assert await ledger.progress(first.id, "dead", 0, [], {"step": 3}, None) == "lost"
    assert await ledger.finish(first.id, "dead", State.SUCCEEDED, result={"errors": 5, "bytes": 1}) == "lost"
    await done(ledger, second, "b")
    assert await standing(batches, id_) == (State.SUCCEEDED, 5, 0)
    assert await batches.attempts(id_) == [f"{second.handed:06x}"]


async def test_a_chunk_is_never_given_up(ledger: Ledger, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    await begun(ledger, batches, 5)
    monkeypatch.setattr(ledgers, "HEARTBEAT_TIMEOUT_SECONDS", 0)
    assert [(await claimed(ledger, lease)).vain for lease in "abcde"] == [1, 2, 3, 4, 5]


async def test_a_chunk_that_fails_as_a_whole_counts_all_its_items(ledger: Ledger, batches: Batches) -> None:
    id_ = await begun(ledger, batches, 15)
    chunk = await claimed(ledger, "a")
    problem = {"title": "Job failed", "status": 500, "detail": "the store cannot be written to"}
    assert await ledger.finish(chunk.id, "a", State.FAILED, problem=problem) == State.FAILED
    assert await standing(batches, id_) == (State.RUNNING, 10, 10)
    assert (await batches.get(id_)).problem == problem
    assert await batches.attempts(id_) == [NO_RESULTS]


async def test_what_has_failed_is_tried_again(ledger: Ledger, batches: Batches) -> None:
    id_ = await begun(ledger, batches, 20)
    for lease, errors in (("a", 0), ("b", 3)):
        await done(ledger, await claimed(ledger, lease), lease, errors)
    await batches.retry(id_)
    again = await claimed(ledger, "c")
    assert (again.number, again.before) == (1, "000002")
    await batches.retry(id_)  # it is being tried again already
    assert await ledger.claim("d") is None
    await ledger.finish(again.id, "c", State.FAILED, problem={})
    assert await batches.attempts(id_) == ["000001", "000002"]  # results that there were stay
    assert await standing(batches, id_) == (State.SUCCEEDED, 20, 3)
    await batches.retry(id_)
    await done(ledger, await claimed(ledger, "e"), "e", errors=1)
    assert await standing(batches, id_) == (State.SUCCEEDED, 20, 1)
    assert await batches.attempts(id_) == ["000001", "000004"]


async def test_a_paused_batch_begins_nothing(ledger: Ledger, batches: Batches) -> None:
    id_ = await begun(ledger, batches, 30)
    chunk = await claimed(ledger, "a")
    await batches.pause(id_)
    assert await ledger.claim("b") is None
    await done(ledger, chunk, "a")
    assert await standing(batches, id_) == (State.PAUSED, 10, 0)
    await batches.resume(id_)
    for lease in "cd":
        await done(ledger, await claimed(ledger, lease), lease)
    assert await standing(batches, id_) == (State.SUCCEEDED, 30, 0)
    with pytest.raises(Conflict, match="the batch is succeeded and cannot be paused"):
        await batches.pause(id_)


async def test_a_batch_that_was_paused_at_its_end_is_over(ledger: Ledger, batches: Batches) -> None:
    id_ = await begun(ledger, batches, 5)
    chunk = await claimed(ledger, "a")
    await batches.pause(id_)
    await batches.resume(id_)
    assert (await batches.get(id_)).state is State.RUNNING
    await batches.pause(id_)
    await done(ledger, chunk, "a")
    assert (await batches.get(id_)).state is State.SUCCEEDED


async def test_a_cancelled_batch_ends_with_its_chunks(
    ledger: Ledger, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await begun(ledger, batches, 40)
    one, two, three = [await claimed(ledger, lease) for lease in "abc"]
    await done(ledger, one, "a")
    assert await ledger.cancel(id_) == State.CANCELLING
    assert await ledger.progress(two.id, "b", 0, [], {"step": 1}, None) == State.CANCELLING
    assert await ledger.finish(two.id, "b", State.CANCELLED) == State.CANCELLED
    monkeypatch.setattr(ledgers, "HEARTBEAT_TIMEOUT_SECONDS", 0)
    assert await ledger.claim("d") is None  # the worker of the third has died
    assert await standing(batches, id_) == (State.CANCELLED, 10, 0)
    assert await ledger.finish(three.id, "c", State.SUCCEEDED, result={"errors": 0, "bytes": 1}) == "gone"


async def test_other_jobs_of_the_owner_get_their_turns(ledger: Ledger, batches: Batches) -> None:
    await begun(ledger, batches, 1000)
    await claimed(ledger, "a")
    (job,) = (await ledger.submit([Draft("class", 1, {"model": "m"}, 1)], batch=False)).ids
    assert {await ledger.claim("b"), await ledger.claim("c")} >= {job}


async def test_other_owners_get_their_turns(ledger: Ledger, batches: Batches) -> None:
    await begun(ledger, batches, 1000, owner="alice")
    await claimed(ledger, "a")
    job = (await ledger.submit([Draft("class", 1, {"model": "m"}, 1)], batch=False, owner="bob")).ids[0]
    assert job in [await ledger.claim(lease) for lease in "bc"]
    assert len(await ledger.search(None, None, None, None, 10, owner="alice")) == 0
    assert len(await ledger.search(None, None, None, None, 10, "batch", "alice")) == 1
    assert await ledger.for_workers() == 4  # three are held, and the batch waits


async def test_a_released_chunk_is_next(ledger: Ledger, batches: Batches) -> None:
    await begun(ledger, batches, 100)
    chunk = await claimed(ledger, "a")
    assert await ledger.release(chunk.id, "a")
    again = await claimed(ledger, "b")
    assert (again.id, again.attempts, again.vain) == (chunk.id, 1, 1)


async def test_parts_are_counted_and_replaced(ledger: Ledger, batches: Batches) -> None:
    id_ = await opened(ledger)
    assert await batches.add(id_, "b", Part("one", 3, 4000)) is None
    assert await batches.add(id_, "a", Part("two", 2, 1000)) is None
    assert await batches.add(id_, "b", Part("three", 5, 7000)) == "one"
    with pytest.raises(QueueFull, match="8,000 of others"):
        await batches.add(id_, "c", Part("four", 1, 3000))
    assert list((await batches.parts(id_)).items()) == [("a", Part("two", 2, 1000)), ("b", Part("three", 5, 7000))]
    batch = await batches.get(id_)
    assert (batch.steps, batch.bytes, batch.version) == (7, 8000, 3)
    with pytest.raises(Conflict, match="close it again"):
        await batches.close(id_, 2, 7, 10)
    await batches.close(id_, 3, 7, 10)
    with pytest.raises(Conflict, match="the batch is queued and is no longer open"):
        await batches.add(id_, "c", Part("four", 1, 10))
    await ledger.delete(id_)
    other = await opened(ledger)
    await batches.add(other, "a", Part("five", 1, 10_000))  # what is deleted counts no more


async def test_a_batch_that_waits_for_its_owner_expires_unless_it_is_resumed(ledger: Ledger, batches: Batches) -> None:
    id_ = await begun(ledger, batches, 50)
    await batches.pause(id_)
    await batches.resume(id_)
    assert not await ledger.expire(id_)
    await batches.pause(id_)
    assert await ledger.expire(id_)
    assert await ledger.expire(id_)  # until its artifacts are deleted too
    await ledger.expired(id_)
    with pytest.raises(Gone):
        await batches.get(id_)


async def test_only_an_open_batch_is_withdrawn(ledger: Ledger, batches: Batches) -> None:
    id_ = await begun(ledger, batches, 5)
    assert not await ledger.delete(id_, State.OPEN)
    assert (await batches.get(id_)).state is State.QUEUED
    assert await ledger.delete(await opened(ledger), State.OPEN)


@pytest.mark.parametrize("end", ["delete", "expire"])
async def test_nothing_is_left_of_a_batch(ledger: Ledger, batches: Batches, redis: Redis, end: str) -> None:
    id_ = await begun(ledger, batches, 50)
    chunks = [await claimed(ledger, lease) for lease in "abc"]
    await done(ledger, chunks[0], "a", errors=1)
    await ledger.release(chunks[1].id, "b")
    await batches.pause(id_)
    ending: Callable[[str], object] = getattr(ledger, end)
    await ending(id_)  # type: ignore[misc]
    kept = {key async for key in redis.scan_iter(f"*{id_}*")}
    assert kept <= {f"convlens:events:{id_}", f"convlens:job:{id_}"}
    assert await ledger.claim("d") is None
    assert await redis.hget("convlens:stored", "") == "0"  # type: ignore[misc]
    with pytest.raises(Gone if end == "expire" else NotFound):
        await batches.get(id_)


async def test_items_cost_next_to_nothing(ledger: Ledger, batches: Batches, redis: Redis) -> None:
    items, chunks = 3200, 100
    id_ = await begun(ledger, batches, items, items // chunks)
    for i in range(chunks):
        await done(ledger, await claimed(ledger, f"{i}"), f"{i}", errors=1)
    used = [int(await redis.memory_usage(key)) async for key in redis.scan_iter(f"*{id_}*")]
    assert sum(used) / items < 25
