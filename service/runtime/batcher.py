"""Sharing the processor: requests go before jobs, and each run finds the best use of the cores.

On a CPU one image a run is fastest (a batch leaves the cache), and several single-threaded runs side by side do more
than one run on all cores; a run that is alone gets all cores. On a GPU waiting runs are merged. Nothing ever waits for
others to come: a lane that is free takes what is there. Callers take turns, and so do the requests of each.
"""

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from weakref import WeakKeyDictionary

import numpy as np

from service.errors import Abandoned, EngineError, Overloaded
from service.runtime.demand import Demand, current
from service.runtime.engine import Array, Session
from service.runtime.turns import Turns
from service.telemetry import metrics

INTERACTIVE_SHARE = 3  # interactive runs in a row while a background run waits
LONG_SECONDS = 0.2  # of a core: of runs that take longer there is one at a time, on all cores, while others ask too
MIXED_SECONDS = 5.0  # for which it counts that somebody has asked for less


@dataclass
class _Task:
    """Rows of one caller: feeds with a common first axis."""

    session: Session
    outputs: tuple[str, ...]
    feeds: Mapping[str, Array]
    deadline: float
    most: int
    background: bool
    since: float = field(default_factory=time.monotonic)
    result: "Future[list[Array]]" = field(default_factory=Future)
    demand: Demand = field(default_factory=current)

    @property
    def kind(self) -> str:
        """Its name in the metrics."""
        return "background" if self.background else "interactive"

    @property
    def rows(self) -> int:
        return len(next(iter(self.feeds.values())))

    @property
    def cost(self) -> float:
        """It grows with the pixels of its rows."""
        return float(sum(array.size for array in self.feeds.values()))

    @property
    def key(self) -> tuple[object, ...]:
        """Tasks of the same key can be one run."""
        return (
            id(self.session),
            self.outputs,
            *((name, a.shape[1:], a.dtype.str) for name, a in sorted(self.feeds.items())),
        )


_Outcome = list[Array] | BaseException


class Batcher:
    """Runs graphs on a number of lanes.

    lanes: runs side by side. max_batch: most rows of one run. max_queue: most waiting interactive rows; more are
    refused.
    seconds: for which a run may wait for a lane.
    """

    def __init__(self, *, lanes: int, max_batch: int, max_queue: int, seconds: float) -> None:
        self.max_batch = max_batch
        self._max_queue = max_queue
        self._seconds = seconds
        self._interactive: Turns[_Task] = Turns()
        self._background: Turns[_Task] = Turns()
        self._in_a_row = 0
        self._busy = 0
        self._long = 0  # long runs under way
        self._asked_for_less = -math.inf  # when somebody did last
        self._seconds_of: WeakKeyDictionary[Session, float] = WeakKeyDictionary()  # of a core, for a unit of cost
        self._closed = False
        self._changed = Condition()
        self._lanes = [Thread(target=self._lane, name=f"lane-{i}", daemon=True) for i in range(lanes)]
        for lane in self._lanes:
            lane.start()

    def run(
        self,
        session: Session,
        outputs: Sequence[str],
        feeds: Mapping[str, Array],
        background: bool = False,
        most: int | None = None,
    ) -> list[Array]:
        """The outputs for feeds whose rows are independent of one another; blocks until they are computed.

        background: whether it may wait for interactive runs. most: rows of a run, where the graph is bound to a number.
        Raises `Overloaded`, or `EngineError` when the runtime fails.
        """
        current().check()
        tasks = self._split(session, tuple(outputs), feeds, most or self.max_batch, background)
        with self._changed:
            queue = self._background if background else self._interactive
            if self._closed or (not background and len(queue) + len(tasks) > self._max_queue):
                raise Overloaded(f"{len(queue)} runs are waiting; try again in a moment", retry_after=1)
            for task in tasks:
                queue.append(task)
            if not background and not self._is_long(tasks[0]):
                self._asked_for_less = time.monotonic()
            self._changed.notify(len(tasks))
        parts = [task.result.result() for task in tasks]
        return parts[0] if len(parts) == 1 else [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    @property
    def lanes(self) -> int:
        """The number of runs side by side."""
        return len(self._lanes)

    def close(self) -> None:
        """Finish the current runs and refuse whatever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for lane in self._lanes:
            lane.join()
        for task in [*self._interactive, *self._background]:
            task.result.set_exception(Overloaded("the service is shutting down", retry_after=5))

    def _split(
        self, session: Session, outputs: tuple[str, ...], feeds: Mapping[str, Array], most: int, background: bool
    ) -> list[_Task]:
        """Tasks of at most ``most`` rows."""
        deadline, rows = time.monotonic() + self._seconds, len(next(iter(feeds.values())))
        if rows <= most:
            return [_Task(session, outputs, feeds, deadline, most, background)]
        cut = [{name: a[i : i + most] for name, a in feeds.items()} for i in range(0, rows, most)]
        return [_Task(session, outputs, part, deadline, most, background) for part in cut]

    def _lane(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not (tasks := self._take()):
                    self._changed.wait()
                if self._closed:
                    return
                is_long = self._is_long(tasks[0]) and self._is_mixed()
                self._busy += 1
                self._long += is_long
                alone = self._busy == 1 and not (self._interactive or self._background)
            tasks = [task for task in tasks if task.result.set_running_or_notify_cancel()]
            outcomes: list[tuple[_Task, _Outcome]]
            try:
                outcomes = self._run_merged(tasks, alone or is_long)
            except BaseException as error:  # noqa: BLE001 - a lane must live, and a caller must not wait for ever
                outcomes = [(task, error) for task in tasks]
            with self._changed:  # before the callers go on, so that their next runs find this lane free
                self._busy -= 1
                self._long -= is_long
                if is_long:
                    self._changed.notify_all()  # other lanes may have been waiting for its end
            while outcomes:  # each is let go of, since a lane that waits would keep its memory
                _tell(*outcomes.pop())
            tasks = []

    def _is_long(self, task: _Task) -> bool:
        """Whether its run will take long, as far as is known of its session."""
        return self._seconds_of.get(task.session, 0.0) * task.cost > LONG_SECONDS

    def _is_mixed(self) -> bool:
        """Whether somebody has asked for less than long runs lately, and will not want to wait for them."""
        return time.monotonic() - self._asked_for_less < MIXED_SECONDS

    def _take(self) -> list[_Task]:
        """The next task, and those that can share its run; none if nothing waits, or only long ones that must."""

        def admits(task: _Task) -> bool:
            return not self._long or not self._is_long(task) or not self._is_mixed()

        turn = self._background and (not self._interactive or self._in_a_row >= INTERACTIVE_SHARE)
        queues = (self._background, self._interactive) if turn else (self._interactive, self._background)
        first = queues[0].next(admits) or queues[1].next(admits)
        if first is None:
            return []
        self._in_a_row = 0 if first.background or not self._background else self._in_a_row + 1
        taken, rows, key = [first], first.rows, first.key
        if rows < first.most:
            for queue in (self._interactive, self._background):
                for task in [t for t in queue if t.key == key]:
                    if rows + task.rows <= first.most:
                        queue.remove(task)
                        taken.append(task)
                        rows += task.rows
        metrics.WAITING.labels("interactive").set(len(self._interactive))
        metrics.WAITING.labels("background").set(len(self._background))
        return taken

    def _learn(self, session: Session, seconds: float) -> None:
        """Remember how long the runs of a session take; the last ones count most."""
        self._seconds_of[session] = (self._seconds_of.get(session, seconds) + seconds) / 2

    def _run_merged(self, tasks: Sequence[_Task], alone: bool) -> list[tuple[_Task, _Outcome]]:
        """The outputs of one run, divided among its tasks.

        Should it fail, each is run by itself, so that only the guilty one fails.
        """
        now = time.monotonic()
        judged = [(task, _refusal(task, now)) for task in tasks]
        refused: list[tuple[_Task, _Outcome]] = [(task, reason) for task, reason in judged if reason is not None]
        tasks = [task for task, reason in judged if reason is None]
        if not tasks:
            return refused
        first = tasks[0]
        metrics.BATCH_SIZE.observe(sum(task.rows for task in tasks))
        for task in tasks:
            metrics.RUNS.labels(task.kind).inc(task.rows)
            metrics.WAIT_SECONDS.labels(task.kind).observe(now - task.since)
        try:
            feeds = (
                {name: np.concatenate([t.feeds[name] for t in tasks]) for name in first.feeds}
                if len(tasks) > 1
                else first.feeds
            )
            started = time.monotonic()
            results = first.session.run(first.outputs, feeds, all_cores=alone)
            seconds = time.monotonic() - started
            metrics.RUN_SECONDS.observe(seconds)
            self._learn(first.session, seconds * (len(self._lanes) if alone else 1) / sum(task.cost for task in tasks))
        except EngineError as error:
            if len(tasks) == 1:
                return [*refused, (first, error)]
            return refused + [outcome for task in tasks for outcome in self._run_merged([task], alone)]
        starts = np.cumsum([0, *(task.rows for task in tasks)])
        return refused + [
            (task, [a[start : start + task.rows] for a in results]) for task, start in zip(tasks, starts, strict=False)
        ]


def _tell(task: _Task, outcome: _Outcome) -> None:
    if isinstance(outcome, BaseException):
        task.result.set_exception(outcome)
    else:
        task.result.set_result(outcome)


def _refusal(task: _Task, now: float) -> Overloaded | Abandoned | None:
    """Why the task is not run: it has waited too long, or nobody waits for it; None if it is."""
    try:
        task.demand.check()
    except Abandoned as abandoned:
        return abandoned
    if now > task.deadline:
        return Overloaded("the run waited too long for its turn; try again", retry_after=1)
    return None
