"""How the threads of a run on all cores are spread."""

import os
import subprocess
import sys

import pytest

from service.runtime import cores as module
from service.runtime.cores import affinities, cores, first_of, on_a_core_of_its_own

ALL = os.sched_getaffinity(0)

pytestmark = pytest.mark.skipif(len(ALL) < 2, reason="one core")


SPREAD = """
import os
import numpy as np
from service.runtime.cores import cores, first_of
from service.runtime.engine import Engine
from tests.runtime.test_engine import DOUBLE
from tests.waiting import eventually
everywhere = os.sched_getaffinity(0)
before = set(os.listdir("/proc/self/task"))
session = Engine("cpu").load(DOUBLE)
session.run(["y"], {"x": np.ones(3, np.float32)})
new = [int(thread) for thread in os.listdir("/proc/self/task") if thread not in before]
expected = [{core} for core in sorted(everywhere - {first_of(everywhere)})]
eventually(lambda: sorted(map(os.sched_getaffinity, new), key=min), lambda found: found == expected)  # by itself
"""


def test_each_thread_of_a_run_on_all_cores_has_one_of_them() -> None:
    done = subprocess.run([sys.executable, "-c", SPREAD], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_first_thread_of_a_run_has_one_for_its_time() -> None:
    with on_a_core_of_its_own(cores()):
        assert os.sched_getaffinity(0) == {first_of(ALL)}
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
