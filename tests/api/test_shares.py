"""Shares of keys: turns in the queue, a bound on jobs, and limits on what is computed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from service.api.keys import digest
from service.errors import InvalidParameter
from service.jobs import worker
from service.jobs.compute import ComputeLimit
from service.jobs.counters import Counters
from service.jobs.queue import connect
from service.jobs.valkey import EmbeddedValkey
from service.settings import Settings
from tests.conftest import serving
from tests.waiting import eventually

ALICE, BOB = ({"Authorization": f"Bearer cl_{name}"} for name in ("alice", "bob"))
SMALL: dict[str, Any] = {"size": 64, "iterations": 1, "preview_every": 0, "seed": 1}


@pytest.fixture
def keyed(fresh: Settings, tmp_path: Path) -> Settings:
    file = tmp_path / "keys"
    file.write_text(f"alice {digest('cl_alice')}\nbob {digest('cl_bob')}\n")
    return fresh.model_copy(update={"api_keys_file": file})


def submit(client: httpx.Client, key: dict[str, str], class_id: int | list[int] = 76, **more: Any) -> httpx.Response:
    return client.post("/visualize", json={"class_id": class_id, **SMALL, **more}, headers=key)


def is_refused(client: httpx.Client, key: dict[str, str], cat: bytes) -> bool:
    response = client.post("/saliency", files={"image": cat}, headers=key)
    assert response.status_code in (200, 429)
    return response.status_code == 429


def entered(redis: Redis, id_: str) -> dict[str, tuple[int, ...]]:
    """When a job entered each of its states, by the clock of the Valkey, which knows the order of all."""
    events: Any = redis.xrange(f"convlens:events:{id_}")
    return {
        json.loads(event["data"])["state"]: tuple(map(int, time.split("-")))
        for time, event in events
        if event["event"] == "state"
    }


def test_one_job_does_not_wait_for_five_hundred_of_another_key(keyed: Settings) -> None:
    with serving(keyed.model_copy(update={"worker": True, "job_concurrency": 1})) as client:
        batch = submit(client, ALICE, [i % 1000 for i in range(500)], iterations=20).json()
        bobs = submit(client, BOB).json()
        assert bobs["position"] in (None, 0, 1)  # it may have begun already
        bobs = client.get(bobs["links"]["self"], params={"wait": 60}, headers=BOB).json()
        assert bobs["state"] == "succeeded"
        with Redis(unix_socket_path=str(EmbeddedValkey(keyed.data_dir).socket), decode_responses=True) as redis:
            begun = [entered(redis, job["id"]).get("running") for job in batch["data"]]
            bob = entered(redis, bobs["id"])
        assert None in begun
        assert not [time for time in begun if time and bob["queued"] < time < bob["running"]]


@pytest.fixture
def bounded(keyed: Settings) -> Iterator[httpx.Client]:
    with serving(keyed.model_copy(update={"max_jobs": 20})) as client:  # of which a key may have two
        yield client


def test_a_key_has_a_bound_of_its_own(bounded: httpx.Client) -> None:
    jobs = [submit(bounded, ALICE).json() for _ in range(2)]
    refused = submit(bounded, ALICE)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "10"
    assert refused.json()["detail"] == (
        "the key 'alice' has 2 unfinished jobs and the bound is 2; wait for some of them to end, or cancel some"
    )
    assert submit(bounded, BOB).status_code == 202
    too_many = submit(bounded, BOB, [1, 2, 3])
    assert too_many.status_code == 422
    assert "3 jobs at once are more than the 2 that the key 'bob' may have" in too_many.json()["detail"]
    bounded.post(jobs[0]["links"]["cancel"], headers=ALICE)
    assert submit(bounded, ALICE).status_code == 202


def test_without_keys_only_the_bound_of_the_service_holds(fresh: Settings) -> None:
    with serving(fresh.model_copy(update={"max_jobs": 5, "max_jobs_per_key": 1})) as client:
        assert submit(client, {}, [1, 2, 3, 4, 5]).status_code == 202
        assert "the service has 5 unfinished jobs and the bound is 5" in submit(client, {}).json()["detail"]


def test_a_job_whose_ticket_was_lost_is_run(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SUPERVISE_SECONDS", 0.2)
    with serving(fresh) as client:
        job = submit(client, {}).json()
        with Redis(unix_socket_path=str(EmbeddedValkey(fresh.data_dir).socket)) as redis:
            assert redis.delete(*redis.keys("saq:*"))  # type: ignore[misc]
    with serving(fresh.model_copy(update={"worker": True})) as client:
        assert client.get(job["links"]["self"], params={"wait": 30}).json()["state"] == "succeeded"


def test_requests_are_refused_when_the_compute_of_a_key_is_used_up(keyed: Settings, cat: bytes) -> None:
    settings = keyed.model_copy(update={"compute_limit": "1/hour"})
    with serving(settings) as client:
        url = EmbeddedValkey(keyed.data_dir).url
        job = submit(client, ALICE).json()
        eventually(lambda: is_refused(client, ALICE, cat))
        refused = submit(client, ALICE)
        assert refused.status_code == 429
        assert "the 1 seconds of compute per 1 hour are used up; try again in " in refused.json()["detail"]
        assert 0 < int(refused.headers["retry-after"]) <= 3600
        assert client.get(job["links"]["self"], headers=ALICE).status_code == 200
        assert not is_refused(client, BOB, cat)
        with serving(settings.model_copy(update={"queue_url": url, "data_dir": keyed.data_dir / "b"})) as another:
            assert is_refused(another, ALICE, cat)


def test_the_compute_of_jobs_counts_for_their_key(keyed: Settings, cat: bytes) -> None:
    with serving(keyed.model_copy(update={"compute_limit": "1/hour", "worker": True})) as client:
        job = submit(client, ALICE, iterations=500).json()
        done = client.get(job["links"]["self"], params={"wait": 60}, headers=ALICE).json()
        assert done["state"] == "succeeded"  # what has begun is not stopped
        assert done["times"]["succeeded"] - done["times"]["running"] > 1
        assert is_refused(client, ALICE, cat)
        assert submit(client, ALICE).status_code == 429
        assert not is_refused(client, BOB, cat)


def test_without_keys_requests_count_for_their_address(fresh: Settings, cat: bytes) -> None:
    with serving(fresh.model_copy(update={"compute_limit": "1/hour"})) as client:
        eventually(lambda: is_refused(client, {}, cat))


@pytest.mark.anyio
async def test_limits_of_compute_are_read(tmp_path: Path) -> None:
    async with connect("redis://localhost:1", decode=True) as redis:
        with pytest.raises(InvalidParameter, match="limits of compute are seconds, written like '600/hour;3600/day'"):
            ComputeLimit("much", Counters(redis))
