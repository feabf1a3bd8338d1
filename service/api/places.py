"""Places on worker threads, which callers share evenly."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from anyio import CapacityLimiter

from service.errors import Overloaded

DEAR = 32  # runs of the network at its own size, from which on a request is dear


class Places:
    """So many places at a time. Of those who wait the caller is next that holds fewest, and of these who came first.

    A caller that holds none gets one at once, as long as places are to spare: what others have begun may take minutes.
    Used by the event loop only.

    Args:
        number: How many places there are.
        seconds: For which one may wait for a place.
        spare: Further places for callers that hold none; by default as many again.
    """

    def __init__(self, number: int, seconds: float, spare: int | None = None) -> None:
        self._number = number
        self._seconds = seconds
        self._spare = number if spare is None else spare
        self._held: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def take(self, caller: str) -> AsyncIterator[None]:
        """A place within the ``with`` block. Raises `Overloaded` if there was none for too long."""
        await self.turn(caller)
        try:
            yield
        finally:
            self.release(caller)

    async def turn(self, caller: str) -> None:
        """Wait for a place, which is then held. Raises `Overloaded` if there was none for too long."""
        if not self._waiting and self._is_free(caller):
            self._held[caller] += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((caller, turn))
        self._give()
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as reason:
            if not turn.cancelled():  # it was given in the same moment
                self.release(caller)
            if isinstance(reason, TimeoutError):
                raise Overloaded("all workers are busy; try again in a moment", retry_after=1) from None
            raise

    def release(self, caller: str) -> None:
        """Give back a place that was held."""
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        self._give()

    def _give(self) -> None:
        """Give what is free to those who wait."""
        self._waiting = [(caller, turn) for caller, turn in self._waiting if not turn.cancelled()]
        while self._waiting:
            caller, turn = chosen = min(self._waiting, key=lambda waiting: self._held[waiting[0]])
            if not self._is_free(caller):
                return
            self._waiting.remove(chosen)
            self._held[caller] += 1
            turn.set_result(None)

    def _is_free(self, caller: str) -> bool:
        return self._held.total() < self._number + (0 if caller in self._held else self._spare)


class Workers:
    """The places of requests that compute, and their threads.

    Dear requests have a part of the places at most, so that others find one.

    Args:
        number: How many places there are.
        dear: How many of them dear requests can have.
        seconds: For which a request may wait for a place.
    """

    def __init__(self, number: int, dear: int, seconds: float) -> None:
        self.threads = CapacityLimiter(2 * number)
        self._all = Places(number, seconds)
        self._dear = Places(dear, seconds)

    @asynccontextmanager
    async def take(self, caller: str, effort: float) -> AsyncIterator[None]:
        """A place within the ``with`` block. effort: about how many runs of the network it takes.

        Raises `Overloaded` if there was none for too long.
        """
        async with AsyncExitStack() as stack:
            if effort > DEAR:
                await stack.enter_async_context(self._dear.take(caller))
            await stack.enter_async_context(self._all.take(caller))
            yield
