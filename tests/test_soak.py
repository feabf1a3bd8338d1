"""What the soak's judgement is made of; the soak itself is run by hand."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.soak.clock import Clock, find_library
from tests.tools.soak.judgement import Latency, Seen, bound, faults_of, growth, latency, percentile
from tests.tools.soak.wire import form, request

IDLE = Latency(1000, 0.02, 0.05, 0.06)
REST = 0.02
GOOD = Seen(
    innocent=Latency(500, 0.05, 0.4, 2.0),
    health=Latency(500, 0.01, 0.1, 0.2),
    busy={"API": 0.06, "worker 0": 0.0},
    calm_after=2.0,
    begin=None,
    memory={"API": 400.0},
    peak={"API": 900.0},
    states=Counter(succeeded=3, cancelled=2),
    answers=Counter({"rise left": 9, "rise 503": 4, "brackets 422": 1, "16 flat pictures 200": 2}),
    faults=(),
    others=0.0,
)


def test_percentiles_are_values_that_were_seen() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1)] == [50, 99, 100]
    assert percentile([7.0], 0.99) == 7


def test_every_answer_but_200_is_an_error() -> None:
    seen = latency([0.1, 0.2], {"200": 1, "503": 1, "ReadTimeout": 2})
    assert seen.errors == {"503": 1, "ReadTimeout": 2}
    assert latency([], {}).p99 == math.inf


def test_what_is_well_passes() -> None:
    assert bound(IDLE) == pytest.approx(0.4)
    assert faults_of(GOOD, IDLE, REST) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"innocent": Latency(500, 0.05, 0.41, 2.0)}, "p99 is 410 ms of 400"),
        ({"innocent": Latency(500, 0.05, 0.3, 2.0, {"503": 2})}, "the innocent got 503 2 times"),
        ({"health": Latency(500, 0.01, 0.1, 0.2, {"ReadTimeout": 1})}, "/healthz got ReadTimeout 1 times"),
        ({"busy": {"API": 0.04, "worker 0": 0.04}, "calm_after": 9.0}, "API 4%, worker 0 4% of a core; calm after 9 s"),
        ({"busy": {"API": 1.0}, "calm_after": None}, "not calm within the time"),
        ({"states": Counter(succeeded=3, lost=1)}, "1 accepted jobs: lost"),
        ({"states": Counter({"failed: worker died": 2})}, "2 accepted jobs: failed: worker died"),
        ({"answers": Counter({"rise 500": 3})}, "rise 500 (3 times)"),
    ],
)
def test_what_is_not_well_is_told(change: dict[str, object], told: str) -> None:
    (fault,) = faults_of(replace(GOOD, **change), IDLE, REST)  # type: ignore[arg-type]
    assert told in fault


def test_memory_may_grow_by_a_tenth() -> None:
    before = {"API": 400.0, "worker 0": 200.0}
    assert growth(before, {"API": 439.0, "worker 0": 150.0}) == []
    assert growth(before, {"API": 441.0, "worker 0": 150.0}) == ["API has grown from 400 to 441 MiB"]


def test_requests_are_whole() -> None:
    body, kind = form([b"a picture"], layer="fire3")
    sent = request("POST", "/activations", key="k", body=body, kind=kind)
    head, _, rest = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /activations HTTP/1.1\r\n")
    assert f"Content-Length: {len(rest)}".encode() in head
    assert rest.count(kind.partition("boundary=")[2].encode()) == 3


def test_a_clock_jumps_and_the_monotonic_one_does_not(tmp_path: Path) -> None:
    library = find_library()
    if library is None:
        pytest.skip("libfaketime is not installed")
    assert Clock(library, tmp_path).works()
