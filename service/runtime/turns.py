"""Whose turn it is: callers share what there is evenly, and so do the requests of each caller.

Start-time fair queueing (Goyal, Vin and Cheng 1996) on two levels: each caller has a clock of what was spent on it, the
one whose clock is behind comes next, and whoever comes new starts with the clock of those who are served. So what costs
little waits for at most one run of anybody else's.
"""

from collections import deque
from collections.abc import Callable, Container, Hashable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from service.runtime.demand import Demand

FORGETFUL = 100  # clocks of those who wait for nothing that are kept at most


class Waiting(Protocol):
    """Something that waits for its turn."""

    @property
    def demand(self) -> Demand:
        """What it is for."""

    @property
    def cost(self) -> float:
        """What it takes, in any unit."""


T = TypeVar("T", bound=Waiting)
K = TypeVar("K", bound=Hashable)


class Turns(Generic[T]):
    """What waits, in the order in which it is to be served. Not for several threads at a time."""

    def __init__(self) -> None:
        self._waiting: dict[Demand, deque[T]] = {}
        self._size = 0
        self._callers: _Clocks[str] = _Clocks()
        self._demands: dict[str, _Clocks[Demand]] = {}

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        for waiting in self._waiting.values():
            yield from waiting

    def append(self, task: T) -> None:
        """Let it wait."""
        demand = task.demand
        self._callers.join(demand.caller)
        self._demands.setdefault(demand.caller, _Clocks()).join(demand)
        self._waiting.setdefault(demand, deque()).append(task)
        self._size += 1

    def next(self, admits: Callable[[T], bool] = lambda _: True) -> T | None:
        """Take the one whose turn it is, of those that are admitted; None if there is none."""
        admitted = [demand for demand, tasks in self._waiting.items() if admits(tasks[0])]
        if not admitted:
            return None
        caller = self._callers.turn(demand.caller for demand in admitted)
        demand = self._demands[caller].turn(demand for demand in admitted if demand.caller == caller)
        task = self._waiting[demand][0]
        self.remove(task)
        return task

    def remove(self, task: T) -> None:
        """Take one that is served, in its turn or with another."""
        demand = task.demand
        self._callers[demand.caller] += task.cost
        self._demands[demand.caller][demand] += task.cost
        self._waiting[demand].remove(task)
        self._size -= 1
        if not self._waiting[demand]:
            del self._waiting[demand]
            self._forget(demand.caller)

    def _forget(self, caller: str) -> None:
        """Keep few clocks of those who wait for nothing."""
        if len(self._demands[caller]) > FORGETFUL:
            self._demands[caller].keep(self._waiting)
        if len(self._callers) > FORGETFUL:
            self._callers.keep({demand.caller for demand in self._waiting})
            self._demands = {caller: self._demands[caller] for caller in self._callers}


class _Clocks(dict[K, float]):
    """What was spent on each of those who share."""

    now = 0.0  # on the clock of the one whose turn was last

    def join(self, who: K) -> None:
        """Let somebody wait: for a turn that was not taken there is nothing in return."""
        self[who] = max(self.get(who, 0.0), self.now)

    def turn(self, those: Iterable[K]) -> K:
        """The one whose turn it is."""
        chosen = min(those, key=self.__getitem__)
        self.now = self[chosen]
        return chosen

    def keep(self, those: Container[K]) -> None:
        """Forget all others."""
        for who in [who for who in self if who not in those]:
            del self[who]
