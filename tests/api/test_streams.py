"""`/visualize/{id}/events`: streams of events, on a real Valkey."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import httpx
import pytest

from service.api.keys import digest
from service.client import Client, ServiceError
from service.settings import Settings
from tests.api.test_problems import problem
from tests.api.test_visualize import LONG, SMALL, finished, submit
from tests.conftest import serving


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings.model_copy(update={"worker": True, "job_concurrency": 1})) as client:
        yield client


@pytest.fixture(scope="module")
def jobs(api: httpx.Client) -> Iterator[Client]:
    with Client(str(api.base_url)) as client:
        yield client


def test_events_are_streamed_and_replayed(jobs: Client) -> None:
    job = jobs.submit(76, **SMALL)
    events = list(jobs.events(job.id))
    names = [event.event for event in events]
    assert names[0] == "state"
    assert names[-1] == "end"
    assert names.count("preview") == 4
    assert json.loads(events[-1].data) == {"state": "succeeded"}
    replayed = list(jobs.events(job.id, events[2].id))
    assert [event.id for event in replayed] == [event.id for event in events[3:]]
    with pytest.raises(ServiceError, match="no job 'none'"):
        list(jobs.events("none"))


def stream(api: httpx.Client, path: str, last: str | None = None) -> list[str]:
    """The names of the events of a whole stream."""
    headers = {"Last-Event-ID": last} if last else {}
    with api.stream("GET", path, headers=headers, timeout=20) as response:
        assert response.status_code == 200
        return [line.removeprefix("event: ") for line in response.iter_lines() if line.startswith("event: ")]


def last_id(api: httpx.Client, path: str) -> str:
    with api.stream("GET", path) as response:
        return [line.removeprefix("id: ") for line in response.iter_lines() if line.startswith("id: ")][-1]


def test_a_stream_that_has_told_all_is_not_asked_for_again(api: httpx.Client, jobs: Client) -> None:
    job = api.post("/visualize", json={"class_id": 76, **SMALL}).json()
    finished(api, job["id"])
    events = job["links"]["events"]
    assert stream(api, events)[-1] == "end"
    time_, number = last_id(api, events).split("-")
    for last in (f"{time_}-{number}", f"{int(time_) + 10**9}-0", "99999999999999999999"):
        response = api.get(events, headers={"Last-Event-ID": last})
        assert (response.status_code, response.content) == (204, b"")  # what keeps an EventSource from asking again
        assert list(jobs.events(job["id"], last)) == []
    for last in (f"{int(time_) - 10**6}-0", "5", "05-007", "5-99999999999999999999"):
        assert stream(api, events, last)[-1] == "end"


def test_what_is_no_id_of_an_event_is_refused(api: httpx.Client) -> None:
    job = submit(api, size=64, iterations=1)
    for last in ("abc", "-", "5-", "-5", "1-2-3", "9" * 21):
        assert "last-event-id" in problem(api.get(job["links"]["events"], headers={"Last-Event-ID": last}), 422)


def test_an_id_of_the_future_does_not_silence_a_stream(api: httpx.Client) -> None:
    job = submit(api, **LONG)
    headers = {"Last-Event-ID": "99999999999999999999-5"}
    with api.stream("GET", job["links"]["events"], headers=headers) as response:
        lines = (line for line in response.iter_lines() if line.startswith(("event: ", ": ")))
        first = next(lines)
        assert api.post(job["links"]["cancel"]).status_code == 200
        assert first in ("event: state", "event: progress", "event: preview")  # no sign of life of an idle stream
        assert list(lines)[-1] == "event: end"


def test_the_stream_of_a_deleted_job_ends_with_an_end(api: httpx.Client) -> None:
    blocker = api.post("/visualize", json={"class_id": 76, **SMALL, "iterations": 2000, "preview_every": 0}).json()
    job = api.post("/visualize", json={"class_id": 76, **SMALL}).json()  # waits behind the other
    with api.stream("GET", job["links"]["events"], timeout=30) as response:
        lines = response.iter_lines()
        assert next(line for line in lines if line.startswith("event: ")) == "event: state"
        assert api.delete(job["links"]["self"]).status_code == 204
        rest = list(lines)
    assert [line for line in rest if line.startswith("event: ")] == ["event: end"]
    assert any('"deleted"' in line for line in rest)
    assert api.get(job["links"]["events"]).status_code == 404
    api.delete(blocker["links"]["self"])


def test_a_stream_ends_when_its_key_is_withdrawn(fresh: Settings, tmp_path: Path) -> None:
    file, alice, bob = tmp_path / "keys", {"Authorization": "Bearer cl_alice"}, {"Authorization": "Bearer cl_bob"}
    file.write_text(f"alice {digest('cl_alice')}\nbob {digest('cl_bob')}\n")
    with serving(fresh.model_copy(update={"api_keys_file": file})) as api, ExitStack() as stack:
        streams = []
        for key in (alice, bob):
            job = api.post("/visualize", json={"class_id": 76, **SMALL}, headers=key).json()["links"]
            response = stack.enter_context(api.stream("GET", job["events"], headers=key, timeout=30))
            streams.append((response.iter_lines(), job, key))
            assert next(streams[-1][0]).startswith("event: state")
        file.write_text(f"bob {digest('cl_bob')}\n")
        withdrawn, kept = streams
        rest = list(islice(withdrawn[0], 12))
        assert len(rest) < 12  # it is closed, instead of giving signs of life
        assert "event: end" not in rest
        assert api.get(withdrawn[1]["events"], headers=alice).status_code == 401
        assert api.post(kept[1]["cancel"], headers=bob).status_code == 200
        assert "event: end" in list(kept[0])
