"""Whose turn it is."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from service.runtime import turns
from service.runtime.demand import Demand
from service.runtime.turns import Turns


@dataclass(eq=False)
class Task:
    demand: Demand
    cost: float = 1.0


def test_who_comes_new_is_next_and_nothing_is_saved_up() -> None:
    waiting: Turns[Task] = Turns()
    busy, other = Demand("busy"), Demand("other")
    first = [Task(busy) for _ in range(10)]
    for task in first:
        waiting.append(task)
    assert [waiting.next() for _ in range(6)] == first[:6]
    late = [Task(other) for _ in range(3)]
    for task in late:
        waiting.append(task)
    assert [waiting.next() for _ in range(5)] == [late[0], first[6], late[1], first[7], late[2]]


def test_what_costs_more_has_fewer_turns() -> None:
    waiting: Turns[Task] = Turns()
    cheap, dear = Demand("cheap"), Demand("dear")
    for _ in range(8):
        waiting.append(Task(dear, 4.0))
        waiting.append(Task(cheap))
    taken = [waiting.next().demand.caller for _ in range(10)]
    assert (taken.count("cheap"), taken.count("dear")) == (8, 2)


def test_requests_of_a_caller_take_turns_within_its_share() -> None:
    waiting: Turns[Task] = Turns()
    long, short, other = Demand("a"), Demand("a"), Demand("b")
    for demand in (long, long, long, short, other, other, other):
        waiting.append(Task(demand))
    served = [waiting.next().demand for _ in range(7)]
    assert served.index(short) <= 3
    assert [demand.caller for demand in served] == ["a", "b", "a", "b", "a", "b", "a"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(1, 9)), max_size=60))
def test_everything_is_served_once_and_nobody_falls_behind(asked: list[tuple[int, int, int]]) -> None:
    """Of callers who all wait, none has got more than another by more than one task."""
    waiting: Turns[Task] = Turns()
    demands = [[Demand(str(caller)) for _ in range(3)] for caller in range(6)]
    tasks = [Task(demands[caller][which], float(cost)) for caller, which, cost in asked]
    for task in tasks:
        waiting.append(task)
    served: list[Task] = []
    while waiting:
        assert len(waiting) == len(list(waiting)) == len(tasks) - len(served)
        spent = dict.fromkeys((task.demand.caller for task in waiting), 0.0)
        for task in served:
            if task.demand.caller in spent:
                spent[task.demand.caller] += task.cost
        assert max(spent.values()) - min(spent.values()) <= 9
        served.append(waiting.next())
    assert sorted(map(id, served)) == sorted(map(id, tasks))


def test_few_clocks_are_kept() -> None:
    waiting: Turns[Task] = Turns()
    kept = Task(Demand("kept"), 10.0**9)
    waiting.append(kept)
    waiting.append(Task(kept.demand))
    assert waiting.next() is kept
    for i in range(1000):
        waiting.append(Task(Demand(str(i))))
        waiting.append(Task(Demand("same")))
        waiting.next()
        waiting.next()
    assert len(waiting._callers) <= turns.FORGETFUL + 1
    assert sum(map(len, waiting._demands.values())) <= 2 * turns.FORGETFUL + 2
    assert waiting.next().demand is kept.demand
