"""The header `Idempotency-Key`, and the client that sends a submission again."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from service.client import Client, ServiceError
from service.jobs.queue import JobQueue
from service.settings import Settings
from tests.api.test_problems import problem
from tests.api.test_visualize import SMALL
from tests.conftest import serving


@pytest.fixture(scope="module")
def jobs(client: httpx.Client) -> Iterator[Client]:
    with Client(str(client.base_url)) as jobs:
        yield jobs


def test_idempotency(client: httpx.Client) -> None:
    def post(key: str, **body: Any) -> httpx.Response:
        return client.post(
            "/visualize", json={"class_id": 5, "size": 64, "iterations": 1, **body}, headers={"Idempotency-Key": key}
        )

    first, second = post("k1"), post("k1")
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["parameters"]["seed"] == second.json()["parameters"]["seed"]
    assert "another request" in problem(post("k1", seed=3), 422)


def test_idempotency_keys_that_are_empty_or_of_deleted_jobs(client: httpx.Client) -> None:
    body = {"class_id": 76, **SMALL}
    assert client.post("/visualize", json=body, headers={"Idempotency-Key": ""}).status_code == 422
    job = client.post("/visualize", json=body, headers={"Idempotency-Key": "once"}).json()
    assert client.post("/visualize", json=body, headers={"Idempotency-Key": "once"}).json()["id"] == job["id"]
    assert client.delete(job["links"]["self"]).status_code == 204
    gone = client.post("/visualize", json=body, headers={"Idempotency-Key": "once"})
    assert gone.status_code == 410
    assert "'once' stands for has been deleted" in gone.json()["detail"]


def test_the_key_of_a_batch_is_gone_with_the_last_of_its_jobs(client: httpx.Client) -> None:
    def post() -> httpx.Response:
        return client.post("/visualize", json={"class_id": [1, 2], **SMALL}, headers={"Idempotency-Key": "both"})

    batch = post().json()
    first, second = (job["links"]["self"] for job in batch["data"])
    assert client.delete(first).status_code == 204
    assert [job["links"]["self"] for job in post().json()["data"]] == [second]
    assert client.delete(second).status_code == 204
    assert "'both' stands for has been deleted" in problem(post(), 410)


def test_the_client_sends_an_empty_key_as_it_is(jobs: Client) -> None:
    with pytest.raises(ServiceError, match="idempotency-key"):
        jobs.submit(76, idempotency_key="", **SMALL)


@pytest.mark.parametrize("key", [None, "mine"])
def test_a_submission_that_the_client_sends_again_makes_one_job(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    add, tries = JobQueue.add, []

    async def away_at_first(queue: JobQueue, number: int) -> None:
        tries.append(number)
        if len(tries) == 1:
            raise RedisConnectionError("the queue is away")  # when the record is in the ledger
        await add(queue, number)

    slept: list[float] = []
    monkeypatch.setattr(JobQueue, "add", away_at_first)
    monkeypatch.setattr("service.client.client.time", SimpleNamespace(sleep=slept.append))
    with serving(fresh) as api, Client(str(api.base_url)) as client:
        job = client.submit(76, idempotency_key=key, **SMALL)
        assert slept == [5]  # it was refused with 503 and Retry-After
        assert [found.id for found in client.search().data] == [job.id]
        assert tries == [1]
        other = client.submit(76, **SMALL)  # no repetition, but one job more
        assert {found.id for found in client.search().data} == {job.id, other.id}
