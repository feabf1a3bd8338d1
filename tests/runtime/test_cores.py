"""How the threads of a run on all cores are spread."""

import os
from pathlib import Path

import numpy as np
import pytest

from service.runtime import cores as module
from service.runtime.cores import affinities, cores, first_of, on_a_core_of_its_own
from service.runtime.engine import Engine
from tests.runtime.test_engine import DOUBLE

ALL = os.sched_getaffinity(0)

pytestmark = pytest.mark.skipif(len(ALL) < 2, reason="one core")


def threads() -> dict[int, set[int]]:
    """The threads of this process, and the cores of each."""
    return {int(path.name): os.sched_getaffinity(int(path.name)) for path in Path("/proc/self/task").iterdir()}


def test_each_thread_of_a_run_on_all_cores_has_one_of_them() -> None:
    before = threads()
    session = Engine("cpu").load(DOUBLE)
    session.run(["y"], {"x": np.ones(3, np.float32)})
    new = [where for thread, where in threads().items() if thread not in before]
    first = first_of(ALL)
    assert sorted(new, key=min) == [{core} for core in sorted(ALL - {first})]
    with on_a_core_of_its_own(cores()):
        assert os.sched_getaffinity(0) == {first}
    assert os.sched_getaffinity(0) == ALL


def test_processes_begin_at_different_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for place in (0.0, 0.3, 0.6, 0.999):
        monkeypatch.setattr(module, "_PLACE", place)
        found.append(first_of({2, 5, 7}))
    assert found == [2, 2, 5, 7]


def test_where_others_may_have_chosen_the_same_cores_the_system_chooses() -> None:
    for number in (1, cores() + 1):
        assert affinities(number) is None
        with on_a_core_of_its_own(number):
            assert os.sched_getaffinity(0) == ALL


def test_a_run_that_fails_lets_its_thread_go_anywhere_again() -> None:
    with pytest.raises(RuntimeError), on_a_core_of_its_own(cores()):
        raise RuntimeError
    assert os.sched_getaffinity(0) == ALL
