"""The ledger on a real Valkey: what is accepted, in which state it is, and who may change it."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.errors import Gone, InvalidParameter, NotFound, QueueError, QueueFull
from service.jobs import ledger as ledgers
from service.jobs.ledger import Draft, Ledger
from service.jobs.queue import connect
from service.jobs.record import State
from service.jobs.store import ArtifactStore
from service.jobs.valkey import EmbeddedValkey

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ledger(redis: Redis) -> Ledger:
    return Ledger(redis, max_unfinished=10, retention=1000, max_attempts=2)


def draft(class_id: int = 76) -> Draft:
    return Draft("class", class_id, {"model": "m", "seed": 1}, 20)


async def submitted(ledger: Ledger, number: int = 1) -> list[str]:
    return (await ledger.submit([draft(i) for i in range(number)], batch=True)).ids


async def test_what_is_submitted_is_queued(ledger: Ledger) -> None:
    (id_,) = (await ledger.submit([draft()], batch=False)).ids
    job = await ledger.get(id_)
    assert (job.state, job.class_id, job.steps, job.attempts, job.batch) == (State.QUEUED, 76, 20, 0, None)
    assert job.parameters == {"model": "m", "seed": 1}
    assert set(job.times) == {State.QUEUED}
    assert await ledger.position(job) == 0


async def test_the_bound_holds_for_whole_batches(ledger: Ledger) -> None:
    ids = await submitted(ledger, 9)
    with pytest.raises(QueueFull, match="the service has 9 unfinished jobs and the bound is 10; try again later"):
        await submitted(ledger, 2)
    assert len(await ledger.search(None, None, None, None, 100)) == 9
    await submitted(ledger, 1)
    with pytest.raises(QueueFull):
        await submitted(ledger, 1)
    await ledger.cancel(ids[0])
    await submitted(ledger, 1)


async def test_the_same_key_gives_the_same_job(ledger: Ledger) -> None:
    first = await ledger.submit([draft()], False, "key", "body")
    second = await ledger.submit([draft()], False, "key", "body")
    assert (first.ids, first.again, second.again) == (second.ids, False, True)
    with pytest.raises(InvalidParameter, match="was used for another request"):
        await ledger.submit([draft()], False, "key", "another body")
    assert (await ledger.submit([draft()], False, "other", "body")).ids != first.ids


async def test_one_lease_at_a_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    (id_,) = await submitted(ledger)
    assert await ledger.claim("a") == id_
    assert await ledger.claim("b") is None
    monkeypatch.setattr(ledgers, "HEARTBEAT_TIMEOUT_SECONDS", 0)
    assert await ledger.claim("b") == id_
    assert await ledger.progress(id_, "a", 0, [1.0], {"step": 1}, None) == "lost"
    assert await ledger.finish(id_, "a", State.SUCCEEDED, result={}) == "lost"
    assert await ledger.progress(id_, "b", 0, [1.0], {"step": 1}, None) == "running"
    assert (await ledger.get(id_)).attempts == 2
    assert await ledger.claim("c") is None
    job = await ledger.get(id_)
    assert job.state is State.FAILED
    assert job.problem is not None
    assert "died 2 times" in job.problem["detail"]


async def test_a_job_that_gets_further_is_not_given_up(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    (id_,) = await submitted(ledger)
    monkeypatch.setattr(ledgers, "HEARTBEAT_TIMEOUT_SECONDS", 0)
    for step, lease in enumerate("abcde"):
        assert await ledger.claim(lease) == id_
        assert await ledger.progress(id_, lease, step, [1.0], {"step": step + 1}, None, saved=step) == "running"
    for lease in "fg":  # they come as far, and no further
        assert await ledger.claim(lease) == id_
        assert await ledger.progress(id_, lease, 4, [1.0], {"step": 5}, None, saved=4) == "running"
    assert await ledger.claim("h") is None
    assert (await ledger.get(id_)).state is State.FAILED


async def test_a_holder_that_was_taken_for_dead_and_lives_does_not_count(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    (id_,) = await submitted(ledger)
    monkeypatch.setattr(ledgers, "HEARTBEAT_TIMEOUT_SECONDS", 0)
    for lease, next_lease in ("ab", "bc", "cd", "de"):
        assert await ledger.claim(lease) == id_
        assert await ledger.claim(next_lease) == id_
        assert not await ledger.release(id_, lease)
        assert await ledger.release(id_, next_lease)
    assert (await ledger.get(id_)).attempts == 0


async def test_a_job_that_is_handed_back_has_not_been_tried(ledger: Ledger) -> None:
    (id_,) = await submitted(ledger)
    for lease in "abcde":
        assert await ledger.claim(lease) == id_
        assert await ledger.release(id_, lease)
    job = await ledger.get(id_)
    assert (job.state, job.attempts) == (State.QUEUED, 0)


async def test_the_trace_goes_on_where_a_checkpoint_was(ledger: Ledger) -> None:
    (id_,) = await submitted(ledger)
    await ledger.claim("a")
    await ledger.progress(id_, "a", 0, [1.0, 2.0, 3.0], {"step": 3, "score": 3.0}, 2)
    await ledger.progress(id_, "a", 2, [7.5, 8.0], {"step": 4, "score": 8.0}, 3)
    assert await ledger.trace(id_) == [1.0, 2.0, 7.5, 8.0]
    assert await ledger.frames(id_) == [2, 3]
    await ledger.progress(id_, "a", 0, [5.0], {"step": 1, "score": 5.0}, 2)
    assert await ledger.trace(id_) == [5.0]
    assert await ledger.frames(id_) == [2, 3]
    job = await ledger.get(id_)
    assert (job.step, job.score, job.preview) == (1, 5.0, 2)


async def test_cancelling(ledger: Ledger) -> None:
    running, waiting = await submitted(ledger, 2)
    assert await ledger.claim("a") == running
    assert await ledger.cancel(waiting) == State.CANCELLED
    assert await ledger.cancel(running) == State.CANCELLING
    assert await ledger.claim("b") is None
    assert await ledger.progress(running, "a", 0, [], {}, None) == State.CANCELLING
    assert await ledger.finish(running, "a", State.CANCELLED) == State.CANCELLED
    assert await ledger.cancel(running) == State.CANCELLED
    assert await ledger.cancel("nothing") == "gone"


async def test_expired_jobs_are_gone_and_leave_the_indexes(ledger: Ledger) -> None:
    (id_,) = await submitted(ledger)
    batch = (await ledger.get(id_)).batch
    assert batch is not None
    await ledger.cancel(id_)
    assert await ledger.due() == []
    await ledger.expire(id_)
    with pytest.raises(Gone, match="has expired"):
        await ledger.get(id_)
    assert await ledger.search(None, None, None, None, 10) == []
    with pytest.raises(NotFound):
        await ledger.batch(batch)


async def test_deleted_jobs_leave_nothing(ledger: Ledger) -> None:
    (id_,) = await submitted(ledger)
    await ledger.claim("a")
    assert await ledger.delete(id_)
    assert not await ledger.delete(id_)
    assert await ledger.progress(id_, "a", 0, [], {}, None) == "gone"
    with pytest.raises(NotFound):
        await ledger.get(id_)
    rest = {key.removeprefix("convlens:") for key in await ledger.redis.keys("convlens:*")}
    assert rest - {"seq", "news", "spent", "turn"} == {f"events:{id_}"}
    assert 0 < await ledger.redis.ttl(f"convlens:events:{id_}") <= 60
    assert await ledger.redis.xlen(f"convlens:events:{id_}") == 1  # its end


async def test_searching_pages_through_every_job_once(ledger: Ledger) -> None:
    ids = await submitted(ledger, 9)
    assert await ledger.claim("a") == ids[0]
    seen: list[str] = []
    before = None
    while page := await ledger.search(None, None, None, before, 2):
        seen += [job.id for job in page]
        before = page[-1].seq
    assert seen == ids[::-1]
    assert [job.id for job in await ledger.search(State.RUNNING, None, None, None, 9)] == [ids[0]]
    assert [job.id for job in await ledger.search(None, 7, None, None, 9)] == [ids[7]]
    batch = (await ledger.get(ids[0])).batch
    assert [job.id for job in await ledger.search(State.RUNNING, None, batch, None, 9)] == [ids[0]]
    assert await ledger.search(State.QUEUED, 0, batch, None, 9) == []


async def test_an_embedded_valkey_is_found_alive_and_keeps_what_it_was_told(tmp_path: Path) -> None:
    first = EmbeddedValkey(tmp_path)
    first.start()
    async with connect(first.url, decode=True) as redis:
        await redis.set("a", "1")
    with pytest.raises(QueueError, match="another convlens uses the data folder"):
        EmbeddedValkey(tmp_path).start()
    assert first._lock is not None
    first._lock.close()  # as the death of the process would
    second = EmbeddedValkey(tmp_path)
    second.start()
    async with connect(second.url, decode=True) as redis:
        assert await redis.get("a") == "1"
        assert (await redis.config_get("port"))["port"] == "0"
    second.stop()
    assert not second.is_alive()
    third = EmbeddedValkey(tmp_path)
    third.start()
    async with connect(third.url, decode=True) as redis:
        assert await redis.get("a") == "1"
    third.stop()


async def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path / ("x" * 120))
    valkey.start()
    assert len(str(valkey.socket)) < 100
    valkey.stop()


async def test_artifacts(tmp_path: Path) -> None:
    store = ArtifactStore.open(None, tmp_path)
    await store.put("a/image.png", b"1")
    await store.put("a/frames/1.png", b"2")
    await store.put("ab/image.png", b"3")
    assert await store.get("a/image.png") == b"1"
    with pytest.raises(NotFound, match="there is no other of this job"):
        await store.get("a/other")
    await store.delete_all("a")
    assert await store.find("a/image.png") is None
    assert await store.find("a/frames/1.png") is None
    assert await store.find("ab/image.png") == b"3"
    await store.delete("nothing/there")
    with pytest.raises(QueueError, match="cannot be opened"):
        ArtifactStore.open("nonsense://x", tmp_path)


async def test_jobs_without_an_owner_are_in_no_index_of_owners(ledger: Ledger) -> None:
    """Earlier versions kept one under an empty name; what they left there goes with its job."""
    (id_,) = await submitted(ledger)
    assert not await ledger.redis.exists("convlens:owner:")
    await ledger.redis.zadd("convlens:owner:", {id_: 1})
    await ledger.delete(id_)
    assert not await ledger.redis.exists("convlens:owner:")
