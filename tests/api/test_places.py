"""Places on worker threads: shared evenly, given once, never lost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from service.api.places import DEAR, Places, Workers
from service.errors import Overloaded

Taking = Callable[[], AbstractAsyncContextManager[None]]


class Holder:
    """Somebody who takes a place and keeps it until told to go."""

    def __init__(self, take: Taking) -> None:
        self.has_it, self._go = False, asyncio.Event()
        self.task = asyncio.create_task(self._hold(take))

    async def _hold(self, take: Taking) -> None:
        async with take():
            self.has_it = True
            await self._go.wait()

    async def leave(self) -> None:
        self._go.set()
        await self.task
        await settled()


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


def test_who_holds_none_gets_one_at_once_and_who_holds_fewest_is_next() -> None:
    async def scenario() -> None:
        places = Places(2, seconds=30)
        greedy = [Holder(lambda: places.take("greedy")) for _ in range(5)]
        await settled()
        assert [one.has_it for one in greedy] == [True, True, False, False, False]
        others = [Holder(lambda name=name: places.take(name)) for name in "abc"]
        await settled()
        assert [one.has_it for one in others] == [True, True, False]  # twice as many in all
        await greedy[0].leave()
        assert others[2].has_it
        assert not greedy[2].has_it
        for one in others:
            await one.leave()
        assert greedy[2].has_it
        for one in greedy:
            await one.leave()

    run(scenario)


def test_waiting_has_a_bound_and_takes_no_place_along() -> None:
    async def scenario() -> None:
        places = Places(1, seconds=0.0)
        holder = Holder(lambda: places.take("a"))
        await settled()
        with pytest.raises(Overloaded, match="all workers are busy"):
            async with places.take("a"):
                pass
        await holder.leave()
        async with places.take("a"):
            pass

    run(scenario)


@pytest.mark.parametrize("in_the_same_moment", [False, True])
def test_who_goes_while_waiting_leaves_the_place_to_others(in_the_same_moment: bool) -> None:
    async def scenario() -> None:
        places = Places(1, seconds=30)
        held = places.take("a")
        await held.__aenter__()
        leaving, staying = Holder(lambda: places.take("a")), Holder(lambda: places.take("a"))
        await settled()
        if in_the_same_moment:
            await held.__aexit__(None, None, None)  # gives it to the first who waits, who has not noticed yet
        leaving.task.cancel()
        await settled()
        if not in_the_same_moment:
            await held.__aexit__(None, None, None)
            await settled()
        assert staying.has_it
        await staying.leave()

    run(scenario)


def test_dear_requests_leave_places_for_others() -> None:
    async def scenario() -> None:
        workers = Workers(4, 2, seconds=30)
        dear = [Holder(lambda: workers.take("a", DEAR + 1)) for _ in range(4)]
        cheap = [Holder(lambda: workers.take("a", DEAR)) for _ in range(3)]
        await settled()
        assert [one.has_it for one in dear] == [True, True, False, False]
        assert [one.has_it for one in cheap] == [True, True, False]
        await dear[0].leave()
        assert cheap[2].has_it or dear[2].has_it
        for one in [*dear, *cheap]:
            await one.leave()
        assert all(one.has_it for one in [*dear, *cheap])

    run(scenario)
