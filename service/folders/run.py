"""Working through photographs: several at a time, each written down when it is done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Protocol

from service.errors import Abandoned, ConvlensError
from service.folders.failures import failures
from service.folders.index import Index, Record
from service.folders.sources import Item

LOOK_SECONDS = 0.5  # between two looks at whether to stop
MOST_DEATHS = 3  # in a row, of what explains


@dataclass(frozen=True)
class Task:
    """A photograph to be explained by methods. content: its file, or its bytes."""

    name: str
    content: Path | bytes
    methods: tuple[str, ...]


class Pool(Protocol):
    """What explains photographs.

    Attributes:
        depth: So many tasks are handed over before one is done.
    """

    depth: int

    def submit(self, task: Task) -> "Future[list[Record]]":
        """Have a photograph explained. What is wrong with it is told in the records; an error ends the run."""

    def renew(self) -> None:
        """Begin anew after what explained has died (`BrokenExecutor`)."""


Told = Callable[[int, int], None]  # how many photographs more are done, and how many of these have failed


class Run:
    """One way through the photographs.

    Args:
        index: Where results are written down.
        methods: The methods for each photograph.
        pool: What explains.
        told: Is told of progress.
        stopping: Once it is set nothing more is begun.
    """

    def __init__(self, index: Index, methods: Sequence[str], pool: Pool, told: Told, stopping: Event) -> None:
        self._index = index
        self._methods = methods
        self._pool = pool
        self._told = told
        self._stopping = stopping
        self._pending: dict[Future[list[Record]], tuple[Item, Task]] = {}
        self._deaths = 0
        self._depth = 1  # the first one makes the graphs, which others find then
        self.failed: set[str] = set()

    def go(self, items: Iterator[Item], limit: int | None = None) -> None:
        """Explain the photographs that are not done yet. Raises what keeps all from being explained."""
        try:
            for item in islice(items, limit):
                if self._stopping.is_set():
                    break
                self._begin(item)
                while len(self._pending) >= self._depth:
                    self._settle()
            while self._pending:
                if self._stopping.is_set():
                    self._drop()
                self._settle()
        finally:
            for future in self._pending:
                future.cancel()

    def _begin(self, item: Item) -> None:
        states: Mapping[str, str] = {m: self._index.state(item.name, m, item.stamp) for m in self._methods}
        missing = tuple(method for method, state in states.items() if state == "new")
        if "failed" in states.values():
            self.failed.add(item.name)
        if not missing:
            self._told(1, int("failed" in states.values()))
            return
        try:
            task = Task(item.name, item.content if isinstance(item.content, Path) else item.content(), missing)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one is told, and the others go on
            self._write(item, failures(item.name, missing, error))
            return
        try:
            future = self._pool.submit(task)
        except BrokenExecutor as error:  # what explains has died of another one meanwhile
            future = Future()
            future.set_exception(error)
        self._pending[future] = item, task

    def _drop(self) -> None:
        """Leave what has not begun."""
        for future in [future for future in self._pending if future.cancel()]:
            del self._pending[future]

    def _settle(self) -> None:
        """Write down what is done, once something is."""
        done, _ = wait(self._pending, LOOK_SECONDS, FIRST_COMPLETED)
        suspects = []
        for future in done:
            item, task = self._pending.pop(future)
            try:
                self._write(item, future.result())
            except BrokenExecutor:
                suspects.append((item, task))
            except Abandoned:
                pass  # it is left for another time
        if suspects:
            suspects += self._pending.values()  # they died with the others
            self._pending.clear()
            self._try_alone(suspects)

    def _try_alone(self, suspects: Sequence[tuple[Item, Task]]) -> None:
        """Find out which photograph what explains has died of."""
        self._pool.renew()
        for item, task in suspects:
            if self._stopping.is_set():
                return
            try:
                records = self._pool.submit(task).result()
            except BrokenExecutor as error:
                self._deaths += 1
                if self._deaths == MOST_DEATHS:
                    raise ConvlensError(
                        f"the processes that explain die: {error}; is there too little memory? Try fewer --workers"
                    ) from error
                self._pool.renew()
                records = failures(item.name, task.methods, MemoryError("the process that worked on it was killed"))
            else:
                self._deaths = 0
            self._write(item, records)

    def _write(self, item: Item, records: Sequence[Record]) -> None:
        self._index.add(records, item.stamp)
        self._depth = self._pool.depth
        has_failed = any("error" in record for record in records)
        if has_failed:
            self.failed.add(item.name)
        self._told(1, int(has_failed))
