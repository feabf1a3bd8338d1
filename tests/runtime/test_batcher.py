"""Sharing runs: who goes first, who shares, and that nobody is lost or harmed."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Semaphore
from typing import Any

import numpy as np
import onnx
import pytest

from service.errors import EngineError, Overloaded
from service.runtime import batcher as batcher_module
from service.runtime.batcher import Batcher
from service.runtime.demand import Demand, working_for
from service.runtime.engine import Engine

DOUBLE = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 18]> g (float[N,M] x) => (float[N,M] y) { y = Add(x, x) }'
)


TIMEOUT = 30.0  # seconds, after which a test fails instead of waiting for ever


class Gate:
    """A session whose runs wait until it is opened, and which notes what it ran."""

    def __init__(self) -> None:
        self.real = Engine("cpu").load(DOUBLE)
        self.open, self.entered = Event(), Semaphore(0)  # the semaphore counts the runs that have begun
        self.runs: list[list[float]] = []
        self.all_cores: list[bool] = []

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Any], all_cores: bool = True) -> list[Any]:
        self.entered.release()
        assert self.open.wait(TIMEOUT)
        self.runs.append(feeds["x"][:, 0].tolist())
        self.all_cores.append(all_cores)
        if (feeds["x"] < 0).any():
            raise EngineError("negative")
        return self.real.run(outputs, feeds)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


def rows(*values: float, width: int = 2) -> dict[str, Any]:
    return {"x": np.array([[v] * width for v in values], np.float32)}


def hold(
    batcher: Batcher, gate: Gate, pool: ThreadPoolExecutor, *calls: tuple[float, bool]
) -> "list[Future[list[Any]]]":
    """Hold the only lane with a run of 0, then queue the calls (value, background) in this order."""
    futures = [pool.submit(batcher.run, gate, ["y"], rows(0))]  # type: ignore[arg-type]
    assert gate.entered.acquire(timeout=TIMEOUT)
    for count, (value, background) in enumerate(calls, 1):
        futures.append(pool.submit(batcher.run, gate, ["y"], rows(value), background))  # type: ignore[arg-type]
        await_change(batcher, lambda count=count: len(batcher._interactive) + len(batcher._background) == count)
    return futures


def await_change(batcher: Batcher, predicate: Callable[[], bool]) -> None:
    """Wait until the state of the batcher, whose lanes are all held, is as expected."""
    with batcher._changed:
        assert batcher._changed.wait_for(predicate, TIMEOUT)


def test_waiting_runs_are_merged_and_each_gets_its_own(pool: ThreadPoolExecutor) -> None:
    batcher, gate = Batcher(lanes=1, max_batch=8, max_queue=100, seconds=30), Gate()
    futures = hold(batcher, gate, pool, *[(v, v == 3) for v in (1, 2, 3, 4)])
    gate.open.set()
    assert [f.result()[0][0, 0] for f in futures] == [0, 2, 4, 6, 8]
    assert sorted(map(sorted, gate.runs)) == [[0], [1, 2, 3, 4]]
    batcher.close()


def test_a_batch_has_its_bound_and_other_shapes_their_own_run(pool: ThreadPoolExecutor) -> None:
    batcher, gate = Batcher(lanes=1, max_batch=2, max_queue=100, seconds=30), Gate()
    futures = hold(batcher, gate, pool, (1, False), (2, False), (3, False))
    gate.open.set()
    futures.append(pool.submit(batcher.run, gate, ["y"], rows(9, width=5)))  # type: ignore[arg-type]
    for future in futures:
        future.result()
    assert gate.runs == [[0], [1, 2], [3], [9]]
    batcher.close()


def test_many_rows_of_one_caller_are_split_and_joined_in_order() -> None:
    batcher = Batcher(lanes=2, max_batch=1, max_queue=100, seconds=30)
    (y,) = batcher.run(Engine("cpu").load(DOUBLE), ["y"], rows(*range(20)))
    assert y[:, 0].tolist() == [2 * v for v in range(20)]
    batcher.close()


def test_interactive_runs_go_first_but_not_for_ever(pool: ThreadPoolExecutor) -> None:
    batcher, gate = Batcher(lanes=1, max_batch=1, max_queue=100, seconds=30), Gate()
    futures = hold(batcher, gate, pool, (100, True), (101, True), *[(v, False) for v in range(1, 8)])
    gate.open.set()
    for future in futures:
        future.result()
    assert [run[0] for run in gate.runs] == [0, 1, 2, 3, 100, 4, 5, 6, 101, 7]
    batcher.close()


def test_callers_take_turns(pool: ThreadPoolExecutor) -> None:
    """However much one of them has asked for, another waits for one run."""
    batcher, gate = Batcher(lanes=1, max_batch=1, max_queue=100, seconds=30), Gate()

    def run(value: float, demand: Demand, background: bool = False) -> list[Any]:
        with working_for(demand):
            return batcher.run(gate, ["y"], rows(value), background)  # type: ignore[arg-type]

    greedy, innocent, job = Demand("greedy"), Demand("innocent"), Demand("job")
    futures = hold(batcher, gate, pool)
    asked = [(1, greedy), (2, greedy), (3, greedy), (4, Demand("greedy")), (5, innocent), (6, innocent)]
    for count, (value, demand) in enumerate(asked, 1):
        futures.append(pool.submit(run, value, demand))
        await_change(batcher, lambda count=count: len(batcher._interactive) == count)
    gate.open.set()
    for future in futures:
        future.result()
    assert [run[0] for run in gate.runs] == [0, 1, 5, 4, 6, 2, 3]
    assert run(7, job, background=True)[0][0, 0] == 14
    batcher.close()


@pytest.mark.parametrize("others_ask", [True, False])
def test_long_runs_leave_a_lane_to_others_who_ask(pool: ThreadPoolExecutor, others_ask: bool) -> None:
    batcher, gate = Batcher(lanes=2, max_batch=1, max_queue=100, seconds=30), Gate()

    def run(value: float, width: int) -> "Future[list[Any]]":
        def run_for_somebody() -> list[Any]:
            with working_for(Demand()):
                return batcher.run(gate, ["y"], rows(value, width=width))  # type: ignore[arg-type]

        return pool.submit(run_for_somebody)

    gate.open.set()
    run(0, 2).result(TIMEOUT)
    assert gate.entered.acquire(timeout=TIMEOUT)
    gate.open.clear()
    batcher._seconds_of[gate] = batcher_module.LONG_SECONDS / 10  # type: ignore[index]
    batcher._asked_for_less = math.inf if others_ask else -math.inf
    futures = [run(1, 20)]
    assert gate.entered.acquire(timeout=TIMEOUT)
    futures.append(run(2, 20))
    if others_ask:
        await_change(batcher, lambda: len(batcher._interactive) == 1)
        futures.append(run(3, 2))
    assert gate.entered.acquire(timeout=TIMEOUT)  # the other lane is at work
    assert len(batcher._interactive) == others_ask
    gate.open.set()
    for future in futures:
        future.result(TIMEOUT)
    if others_ask:
        used = {run[0]: on_all for run, on_all in zip(gate.runs, gate.all_cores, strict=True)}
        assert [used[1], used[2], used[3]] == [True, True, False]
    batcher.close()


def test_a_run_that_fails_fails_alone(pool: ThreadPoolExecutor) -> None:
    batcher, gate = Batcher(lanes=1, max_batch=8, max_queue=100, seconds=30), Gate()
    futures = hold(batcher, gate, pool, (1, False), (-5, False), (2, False))
    gate.open.set()
    assert futures[1].result()[0][0, 0] == 2
    with pytest.raises(EngineError, match="negative"):
        futures[2].result()
    assert futures[3].result()[0][0, 0] == 4
    batcher.close()


def test_the_queue_has_a_bound_that_jobs_do_not_fill(pool: ThreadPoolExecutor) -> None:
    batcher, gate = Batcher(lanes=1, max_batch=1, max_queue=2, seconds=30), Gate()
    futures = hold(batcher, gate, pool, (1, True), (2, True), (3, True), (4, False))
    with pytest.raises(Overloaded, match="try again in a moment"):
        batcher.run(gate, ["y"], rows(5, 6))  # type: ignore[arg-type]
    futures.append(pool.submit(batcher.run, gate, ["y"], rows(7)))  # type: ignore[arg-type]
    gate.open.set()
    assert [f.result()[0][0, 0] for f in futures] == [0, 2, 4, 6, 8, 14]
    with pytest.raises(Overloaded, match="try again in a moment"):
        batcher.run(gate, ["y"], rows(1, 2, 3))  # type: ignore[arg-type]
    batcher.close()


def test_a_run_that_waited_too_long_is_told_so(pool: ThreadPoolExecutor) -> None:
    batcher, gate = Batcher(lanes=1, max_batch=1, max_queue=100, seconds=0.0), Gate()
    gate.open.set()
    with pytest.raises(Overloaded, match="waited too long"):
        batcher.run(gate, ["y"], rows(1))  # type: ignore[arg-type]
    batcher.close()


def test_a_run_that_is_alone_gets_all_cores(pool: ThreadPoolExecutor) -> None:
    batcher, gate = Batcher(lanes=2, max_batch=1, max_queue=100, seconds=30), Gate()
    gate.open.set()
    for _ in range(50):  # one after the other: each finds the lanes free
        batcher.run(gate, ["y"], rows(1))  # type: ignore[arg-type]
        assert gate.entered.acquire(timeout=TIMEOUT)
    assert gate.all_cores == [True] * 50
    gate.open.clear()
    first = pool.submit(batcher.run, gate, ["y"], rows(1))  # type: ignore[arg-type]
    assert gate.entered.acquire(timeout=TIMEOUT)
    second = pool.submit(batcher.run, gate, ["y"], rows(2))  # type: ignore[arg-type]
    assert gate.entered.acquire(timeout=TIMEOUT)
    gate.open.set()
    first.result()
    second.result()
    assert dict(zip([run[0] for run in gate.runs[50:]], gate.all_cores[50:], strict=True)) == {1: True, 2: False}
    batcher.close()


def test_closing_finishes_what_runs_and_refuses_what_waits(pool: ThreadPoolExecutor) -> None:
    batcher, gate = Batcher(lanes=1, max_batch=1, max_queue=100, seconds=30), Gate()
    running, *waiting = hold(batcher, gate, pool, (1, False), (2, True))
    closing = pool.submit(batcher.close)
    await_change(batcher, lambda: batcher._closed)
    gate.open.set()
    assert running.result(TIMEOUT)[0][0, 0] == 0
    for future in waiting:
        with pytest.raises(Overloaded, match="the service is shutting down"):
            future.result(TIMEOUT)
    closing.result(TIMEOUT)
    assert gate.runs == [[0]]
    with pytest.raises(Overloaded):
        batcher.run(gate, ["y"], rows(3))  # type: ignore[arg-type]
