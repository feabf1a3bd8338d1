"""Owners take turns, have bounds of their own, and what is counted of them stays right."""

import asyncio
import random
from typing import Any

import pytest
from redis.asyncio import Redis

from service.errors import InvalidParameter, NotFound, QueueFull
from service.jobs import ledger as ledgers
from service.jobs.ledger import Draft, Ledger
from service.jobs.record import ACTIVE, State
from service.jobs.turns import DEBT

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ledger(redis: Redis) -> Ledger:
    return Ledger(redis, max_unfinished=700, retention=1000, max_attempts=2, max_of_owner=600)


async def submitted(ledger: Ledger, owner: str | None, number: int = 1) -> list[str]:
    drafts = [Draft("class", 1, {"model": "m"}, 20) for _ in range(number)]
    return (await ledger.submit(drafts, batch=True, owner=owner)).ids


async def begun(ledger: Ledger, number: int) -> list[str | None]:
    """Claim so many jobs; the owner of each."""
    claimed = [await ledger.claim("lease") for _ in range(number)]
    return [(await ledger.get(id_)).owner for id_ in claimed if id_ is not None]


async def test_one_job_does_not_wait_for_five_hundred_of_another(ledger: Ledger) -> None:
    await submitted(ledger, "alice", 500)
    assert await begun(ledger, 4) == ["alice"] * 4
    (bobs,) = await submitted(ledger, "bob")
    assert await ledger.position(await ledger.get(bobs)) == 0
    assert await ledger.claim("lease") == bobs


async def test_owners_take_turns_and_who_comes_back_saves_nothing_up(ledger: Ledger) -> None:
    for owner, number in (("alice", 30), ("bob", 30), ("carol", 2)):
        await submitted(ledger, owner, number)
    order = await begun(ledger, 10)
    assert [order[:6].count(owner) for owner in ("alice", "bob", "carol")] == [2, 2, 2]
    assert [order[6:].count(owner) for owner in ("alice", "bob")] == [2, 2]
    await submitted(ledger, "carol", 10)
    order = await begun(ledger, 9)
    assert [order.count(owner) for owner in ("alice", "bob", "carol")] == [3, 3, 3]


async def test_jobs_without_an_owner_are_begun_in_the_order_submitted(ledger: Ledger) -> None:
    ids = [(await submitted(ledger, None))[0] for _ in range(5)]
    assert [await ledger.claim("lease") for _ in range(6)] == [*ids, None]


async def test_what_is_computed_counts(ledger: Ledger) -> None:
    await submitted(ledger, "alice", 30)
    await submitted(ledger, "bob", 30)
    first = await ledger.claim("lease")
    assert first is not None
    await ledger.heartbeat(first, "lease", 9)  # alice's, which costs a second more for its begin
    await ledger.heartbeat(first, "another", 1000)  # whoever does not hold it says nothing
    assert await begun(ledger, 14) == ["bob"] * 10 + ["alice", "bob"] * 2


async def test_what_was_used_while_nobody_asked_is_soon_forgotten(ledger: Ledger) -> None:
    (alices,) = await submitted(ledger, "alice")
    await ledger.claim("lease")
    await ledger.heartbeat(alices, "lease", 100_000)
    await submitted(ledger, "alice")
    await submitted(ledger, "bob", 2 * DEBT)
    order = await begun(ledger, 2 * DEBT)
    assert DEBT - 1 <= order.index("alice") <= DEBT + 1


async def test_the_position_is_that_in_turns(ledger: Ledger) -> None:
    for owner, number in (("dora", 1), ("alice", 7), ("bob", 2), (None, 4), ("carol", 5)):
        await submitted(ledger, owner, number)
    jobs = await ledger.search(State.QUEUED, None, None, None, 100, owner="alice")
    for owner in (None, "bob", "carol", "dora"):
        jobs += await ledger.search(State.QUEUED, None, None, None, 100, owner=owner)
    assert len(jobs) == 19
    positions = {job.id: await ledger.position(job) for job in jobs}
    assert [positions[id_] for id_ in [await ledger.claim("lease") for _ in jobs] if id_] == list(range(19))
    assert await ledger.position(jobs[0]) is None


async def test_an_owner_has_a_bound_of_its_own(ledger: Ledger) -> None:
    await submitted(ledger, "alice", 599)
    with pytest.raises(
        QueueFull, match="the key 'alice' has 599 unfinished jobs and the bound is 600; wait for some"
    ) as of:
        await submitted(ledger, "alice", 2)
    assert of.value.retry_after == 10
    with pytest.raises(InvalidParameter, match="601 jobs at once are more than the 600 that the key 'bob' may have"):
        await submitted(ledger, "bob", 601)
    (id_, *_) = await submitted(ledger, "bob", 100)
    with pytest.raises(QueueFull, match="the service has 699 unfinished jobs and the bound is 700; try again later"):
        await submitted(ledger, "bob", 2)
    await ledger.cancel(id_)
    await submitted(ledger, "alice")


async def test_without_a_name_only_the_bound_of_all_holds(ledger: Ledger) -> None:
    await submitted(ledger, None, 700)
    with pytest.raises(QueueFull, match="the service has 700"):
        await submitted(ledger, None)


async def test_a_bound_holds_for_those_who_come_at_once(ledger: Ledger) -> None:
    await submitted(ledger, "alice", 590)
    outcomes = await asyncio.gather(*[submitted(ledger, "alice") for _ in range(50)], return_exceptions=True)
    assert [isinstance(outcome, QueueFull) for outcome in outcomes].count(False) == 10
    assert await ledger.redis.zcard("convlens:active:alice") == 600


async def test_jobs_are_claimed_once_each(ledger: Ledger) -> None:
    ids = [*await submitted(ledger, "alice", 20), *await submitted(ledger, "bob", 10)]
    claimed = await asyncio.gather(*[ledger.claim(str(i)) for i in range(40)])
    assert sorted(id_ for id_ in claimed if id_) == sorted(ids)


async def test_a_claim_costs_the_same_whatever_waits(ledger: Ledger) -> None:
    async def calls() -> int:
        stats = await ledger.redis.info("commandstats")
        return sum(stat["calls"] for name, stat in stats.items() if name != "cmdstat_info")

    async def cost() -> int:
        before = await calls()
        await ledger.claim("lease")
        return await calls() - before

    await submitted(ledger, "owner", 3)
    await ledger.claim("lease")
    few = await cost()
    for owner in range(50):
        await submitted(ledger, f"owner{owner}", 12)
    assert await cost() == few


async def counted(ledger: Ledger) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the ledger keeps by owner, and what it should keep by its records."""
    redis, kept, right = ledger.redis, {}, {}
    jobs = [job for id_ in await redis.zrange("convlens:all", 0, -1) for job in await ledger.many([id_])]
    owners = {"", "alice", "bob", "carol"}
    for owner in owners:
        own = [job for job in jobs if (job.owner or "") == owner]
        for name, states in (("active", ACTIVE), ("queued", (State.QUEUED,))):
            kept[f"{name} {owner}"] = await redis.zrange(f"convlens:{name}:{owner}", 0, -1)
            right[f"{name} {owner}"] = [job.id for job in own if job.state in states]
    kept["turns"] = set(await redis.zrange("convlens:turns", 0, -1))
    right["turns"] = {owner for owner in owners if right[f"queued {owner}"]}
    kept["held"] = set(await redis.zrange("convlens:beats", 0, -1))
    right["held"] = {job.id for job in jobs if job.state in (State.RUNNING, State.CANCELLING)}
    return kept, right


class Life:
    """Things that happen to jobs, one after the other."""

    def __init__(self, ledger: Ledger, dice: random.Random) -> None:
        self.ledger, self.dice = ledger, dice
        self.leases: list[tuple[str, str]] = []
        self.ids = [""]

    async def submit(self) -> None:
        owner = self.dice.choice((None, "alice", "bob", "carol"))
        self.ids += await submitted(self.ledger, owner, self.dice.randint(1, 3))

    async def claim(self) -> None:
        lease = str(len(self.leases))
        if (id_ := await self.ledger.claim(lease)) is not None:
            self.leases.append((id_, lease))

    async def die(self) -> None:
        """The holder of a job sends no more heartbeats, and another claims the job or gives it up."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ledgers, "HEARTBEAT_TIMEOUT_SECONDS", 0)
            await self.claim()

    async def stop(self) -> None:
        """A holder, or one that was taken for dead."""
        if self.leases:
            await self.ledger.release(*self.dice.choice(self.leases))

    async def report(self) -> None:
        if self.leases:
            await self.ledger.heartbeat(*self.dice.choice(self.leases), seconds=3)

    async def finish(self) -> None:
        if self.leases:
            await self.ledger.finish(*self.dice.choice(self.leases), State.SUCCEEDED)

    async def cancel(self) -> None:
        await self.ledger.cancel(self.dice.choice(self.ids))

    async def delete(self) -> None:
        await self.ledger.delete(self.dice.choice(self.ids))

    async def expire(self) -> None:
        for job in await self.ledger.search(State.CANCELLED, None, None, None, 1, owner="alice"):
            await self.ledger.expire(job.id)


async def test_what_is_counted_stays_right_whatever_happens(ledger: Ledger) -> None:
    life = Life(ledger, random.Random(1))
    events = (life.submit, life.submit, life.claim, life.claim, life.die, life.stop)
    events += (life.report, life.finish, life.cancel, life.delete, life.expire)
    for _ in range(250):
        event = life.dice.choice(events)
        await event()
        kept, right = await counted(ledger)
        assert kept == right, event


async def test_records_of_earlier_versions_are_settled_and_begun(ledger: Ledger) -> None:
    redis = ledger.redis
    alices, bobs = await submitted(ledger, "alice", 5), await submitted(ledger, None, 2)
    running, cancelling = [await ledger.claim("lease") for _ in range(2)]
    assert running is not None
    assert cancelling is not None
    await ledger.cancel(cancelling)
    await redis.hset(f"convlens:job:{running}", "beat", "1.5")  # type: ignore[misc]
    for name in ("active:alice", "active:", "queued:alice", "queued:", "turns", "turn", "spent", "beats"):
        await redis.delete(f"convlens:{name}")
    await ledger.settle()
    kept, right = await counted(ledger)
    assert kept == right
    assert set(right["active alice"] + right["active "]) == {*alices, *bobs}
    assert await ledger.claim("lease") == running  # its holder is of long ago, and so is that of the cancelled one
    left = {await ledger.claim("lease") for _ in range(7)}
    assert left == {*alices, *bobs, None} - {running, cancelling}
    assert (await ledger.get(cancelling)).state is State.CANCELLED


async def test_settling_takes_out_what_an_earlier_version_has_finished_and_writes_nothing_else(ledger: Ledger) -> None:
    await submitted(ledger, "alice", 5)
    await ledger.claim("lease")
    await ledger.redis.zadd("convlens:active:alice", {"finished": 99, "gone": 98})
    await ledger.redis.zadd("convlens:queued:alice", {"gone": 98})
    await ledger.redis.hset("convlens:job:finished", "state", "succeeded")  # type: ignore[misc]
    await ledger.settle()
    kept, right = await counted(ledger)
    assert kept == right
    before = (await ledger.redis.info("persistence"))["rdb_changes_since_last_save"]
    await ledger.settle()
    assert (await ledger.redis.info("persistence"))["rdb_changes_since_last_save"] == before
    with pytest.raises(NotFound):
        await ledger.get("gone")
