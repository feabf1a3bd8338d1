"""The events of jobs, for any number of listeners: one connection of the process waits for all of them.

Every event is announced in one stream, `NEWS`, by the id of its job. The reader waits for that one alone, fetches the
events of jobs that somebody listens to, and wakes the listeners. These read at their own pace: the newest events from
memory, older ones from the stream of the job, so that one who is slow costs nothing and holds up nobody.
"""

import asyncio
import json
import logging
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.jobs.records import PREFIX

logger = logging.getLogger(__name__)

NEWS = f"{PREFIX}news"
KEPT = 200  # newest events of a job in memory
PAGE = 200  # events that are fetched at once
PAGES = 64  # of older events in memory
IDLE_SECONDS = 5.0  # after which no news is not trusted any more; listeners get signs of life about as often
PACE_SECONDS = 0.2  # between two pieces of news for a listener
PAUSE_SECONDS = 0.5  # before the Valkey is tried again
GREATEST = 2**64 - 1  # number in the id of an event

Position = tuple[int, int]
Entry = tuple[str, dict[str, str]]


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: ``state``, ``progress``, ``preview`` or ``end``."""

    id: str
    name: str
    data: str  # JSON

    @cached_property
    def position(self) -> Position:
        """What sorts the events of a job."""
        return _position(self.id)


class _Tail:
    """The newest events of a job: all after ``since``, up to ``latest``."""

    def __init__(self, id_: str, latest: Position) -> None:
        self.id = id_
        self.since = self.latest = latest
        self.listeners = 0
        self.is_gone = False  # the job was deleted, and its events with it
        self.changed = asyncio.Event()
        self._woken = -math.inf
        self._to_wake: asyncio.TimerHandle | None = None
        self._events: deque[Event] = deque()

    def add(self, events: Sequence[Event]) -> None:
        """Append those that are new, and wake the listeners."""
        for event in events:
            if event.position > self.latest:
                self._events.append(event)
                self.latest = event.position
        while len(self._events) > KEPT:
            self.since = self._events.popleft().position
        self.wake()

    def wake(self) -> None:
        """Have the listeners look, a few times in a second at most."""
        if self._to_wake is None:
            loop = asyncio.get_running_loop()
            self._to_wake = loop.call_at(max(loop.time(), self._woken + PACE_SECONDS), self._wake)

    def _wake(self) -> None:
        self._to_wake, self._woken = None, asyncio.get_running_loop().time()
        self.changed.set()
        self.changed = asyncio.Event()

    def after(self, position: Position) -> list[Event] | None:
        """The events after a position, None if they are no longer all here."""
        if position < self.since:
            return None
        return list(takewhile(lambda event: event.position > position, reversed(self._events)))[::-1]


class Events:
    """The events of all jobs. redis: a client that decodes responses. waiting: another one, for the reader alone."""

    def __init__(self, redis: Redis, waiting: Redis) -> None:
        self._redis = redis
        self._waiting = waiting
        self._tails: dict[str, _Tail] = {}
        self._pages: OrderedDict[tuple[str, Position], list[Event]] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Stop to wait for news."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def follow(self, id_: str, after: str = "0") -> AsyncGenerator[list[Event]] | None:
        """The events of a job after the one with the id ``after``, as they come, up to ``end``; none while idle.

        Those that have happened since the last ones come together, a few times in a second.

        There is nothing to follow if all has been told, up to the end. An id of the future counts as the newest one.
        """
        told = _position(after)
        newest = _events(await self._redis.xrevrange(_key(id_), count=1))
        latest = newest[0].position if newest else (0, 0)
        if newest and newest[0].name == "end" and told >= latest:
            return None
        return self._told(id_, min(told, latest), latest)

    async def _told(self, id_: str, told: Position, latest: Position) -> AsyncGenerator[list[Event]]:
        is_first = id_ not in self._tails
        with self._listening(id_, latest) as tail:
            if is_first:
                with suppress(RedisError):  # the reader will look
                    await self._look(self._redis, [tail])  # what happened before its news were listened to
            while True:
                changed = tail.changed
                events = await self._after(tail, told)
                if not events:
                    await changed.wait()
                    events = await self._after(tail, told)
                yield events
                if events:
                    told = events[-1].position
                    if events[-1].name == "end":
                        return
                    if told < tail.since:  # there is more, which is no longer in memory
                        await asyncio.sleep(PACE_SECONDS)

    async def _after(self, tail: _Tail, told: Position) -> list[Event]:
        """What there is to tell of a job after a position."""
        events = tail.after(told)
        if events is None:
            events = await self._page(tail.id, told)
        if tail.is_gone and not events:
            return [Event(_id(told), "end", json.dumps({"state": "deleted"}))]
        return events

    @contextmanager
    def _listening(self, id_: str, latest: Position) -> Iterator[_Tail]:
        tail = self._tails.setdefault(id_, _Tail(id_, latest))
        tail.listeners += 1
        for work in (self._read, self._give_signs_of_life):
            if (task := self._tasks.get(work.__name__)) is None or task.done():
                self._tasks[work.__name__] = asyncio.create_task(work())
        try:
            yield tail
        finally:
            tail.listeners -= 1
            if not tail.listeners:
                del self._tails[id_]

    async def _page(self, id_: str, told: Position) -> list[Event]:
        """Events that are no longer in memory; none while the Valkey is away. Full pages are kept: all begin alike."""
        if (kept := self._pages.get((id_, told))) is not None:
            return kept
        with suppress(RedisError):
            events = _events(await self._redis.xrange(_key(id_), min=f"({_id(told)}", count=PAGE))
            if len(events) == PAGE:
                self._pages[id_, told] = events
                if len(self._pages) > PAGES:
                    self._pages.popitem(last=False)
            return events
        return []

    async def _give_signs_of_life(self) -> None:
        """Have all listeners look now and then, one job after the other, whether there is news or not."""
        while self._tails:
            tails = list(self._tails.values())
            for tail in tails:
                await asyncio.sleep(IDLE_SECONDS / len(tails))
                tail.wake()

    async def _read(self) -> None:
        """Wait for news as long as somebody listens, whatever happens to the Valkey."""
        while self._tails:
            try:
                await self._wait_for_news()
            except RedisError as error:
                logger.warning("the event streams wait for the queue: %s", error)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _wait_for_news(self) -> None:
        newest = await self._waiting.xrevrange(NEWS, count=1)
        heard, looked = newest[0][0] if newest else "0-0", -math.inf
        while self._tails:
            if time.monotonic() - looked >= IDLE_SECONDS:  # news that were lost cost time, nothing else
                looked = time.monotonic()
                await self._look(self._waiting, list(self._tails.values()))
                await self._look_for_gone(list(self._tails.values()))
            for _, news in await self._waiting.xread({NEWS: heard}, count=1000, block=int(IDLE_SECONDS * 1000)):
                heard = news[-1][0]
                ids = {entry["job"] for _, entry in news} & self._tails.keys()
                await self._look(self._waiting, [self._tails[id_] for id_ in ids])

    async def _look(self, redis: Redis, tails: Collection[_Tail]) -> None:
        """Fetch what has happened since the last look."""
        behind = {_key(tail.id): tail for tail in tails}
        while behind:
            found = await redis.xread({key: _id(tail.latest) for key, tail in behind.items()}, count=PAGE)
            for key, entries in found:
                behind[key].add(_events(entries))
            behind = {key: behind[key] for key, entries in found if len(entries) == PAGE}

    async def _look_for_gone(self, tails: Collection[_Tail]) -> None:
        """Tell the listeners of jobs that have been deleted without an event: by an older version, or with all data."""
        keys = [_key(tail.id) for tail in tails]
        if not keys or await self._waiting.exists(*keys) == len(keys):
            return
        for tail, key in zip(tails, keys, strict=True):
            if not await self._waiting.exists(key):
                tail.is_gone = True
                tail.wake()


def _key(id_: str) -> str:
    return f"{PREFIX}events:{id_}"


def _events(entries: Sequence[Entry]) -> list[Event]:
    return [Event(id_, entry["event"], entry["data"]) for id_, entry in entries]


def _position(event_id: str) -> Position:
    """The time and the number in an id, each no greater than Valkey takes."""
    time_, _, number = event_id.partition("-")
    return min(int(time_), GREATEST), min(int(number or 0), GREATEST)


def _id(position: Position) -> str:
    return "{}-{}".format(*position)
