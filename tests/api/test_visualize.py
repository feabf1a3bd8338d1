"""`/visualize` over HTTP, with the worker inside the service."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.client import AsyncClient, Client, ServiceError
from service.settings import Settings
from tests.api.test_problems import problem
from tests.conftest import serving
from tests.waiting import eventually

SMALL: dict[str, Any] = {"size": 64, "iterations": 12, "preview_every": 5, "seed": 1}
LONG: dict[str, Any] = {"size": 64, "iterations": 4000, "preview_every": 1000, "seed": 1}


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings.model_copy(update={"worker": True, "max_jobs": 5, "job_concurrency": 1})) as client:
        yield client


@pytest.fixture(scope="module")
def jobs(api: httpx.Client) -> Iterator[Client]:
    with Client(str(api.base_url)) as client:
        yield client


@pytest.fixture(autouse=True)
def no_job_is_left(api: httpx.Client) -> Iterator[None]:
    """Jobs that a test has not waited for count in the next one."""
    yield
    for job in unfinished(api):
        api.delete(job["links"]["self"])
    eventually(lambda: unfinished(api), lambda left: not left)


def unfinished(api: httpx.Client) -> list[dict[str, Any]]:
    states = ("queued", "running", "cancelling")
    return [job for state in states for job in api.get("/visualize", params={"state": state}).json()["data"]]


def submit(api: httpx.Client, **body: Any) -> dict[str, Any]:
    response = api.post("/visualize", json={"class_id": 76, **body})
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


def finished(api: httpx.Client, id_: str) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(f"/visualize/{id_}", params={"wait": 60}).json()
    return answer


def test_a_job_from_its_submission_to_its_picture(api: httpx.Client) -> None:
    response = api.post("/visualize", json={"class_id": 76, **SMALL})
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/visualize/{job['id']}" == job["links"]["self"]
    assert response.headers["retry-after"] == "1"
    assert job["parameters"] == {
        "model": "squeezenet1_1", "preset": "cs231n", "start": "uniform", "iterations": 12, "learning_rate": 25.0,
        "l2_reg": 0.001, "blur_every": 10, "blur_sigma": 0.5, "max_jitter": 16, "size": 64, "seed": 1,
        "preview_every": 5,
    }  # fmt: skip
    job = finished(api, job["id"])
    assert job["state"] == "succeeded"
    assert set(job["times"]) == {"queued", "running", "succeeded"}
    assert (job["step"], job["steps"], len(job["trace"]), job["attempts"], job["class_name"]) == (
        12,
        12,
        12,
        1,
        "tarantula",
    )
    assert job["score"] == job["trace"][-1]
    assert {"predicted_class_id", "predicted_name", "predicted_probability", "probability", "rank"} <= set(
        job["result"]
    )
    image = api.get(job["links"]["image"])
    assert image.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(image.content)).size == (64, 64)
    assert [link.rpartition("/")[2] for link in job["links"]["frames"]] == ["0", "4", "9", "11"]
    assert api.get(job["links"]["frames"][-1]).content == image.content
    assert "there are: 0, 4, 9, 11" in problem(api.get(f"/visualize/{job['id']}/frames/3"), 404)
    for kind in ("gif", "webp"):
        animation = Image.open(io.BytesIO(api.get(job["links"]["animation"], params={"format": kind}).content))
        assert (animation.format, getattr(animation, "n_frames", 1)) == (kind.upper(), 4)


def test_a_seed_gives_the_same_picture_again(api: httpx.Client) -> None:
    pictures = []
    for seed in (7, 7, 8):
        job = submit(api, **(SMALL | {"seed": seed}))
        finished(api, job["id"])
        pictures.append(api.get(job["links"]["image"]).content)
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize(
    "options", [{"preset": "lucid"}, {"start": "normal"}, {"max_jitter": 0, "blur_every": 0, "l2_reg": 0}]
)
def test_presets_and_starts(api: httpx.Client, options: dict[str, Any]) -> None:
    job = submit(api, **SMALL, **options)
    assert finished(api, job["id"])["state"] == "succeeded"
    pixels = np.asarray(Image.open(io.BytesIO(api.get(job["links"]["image"]).content)))
    assert pixels.std() > 3


def test_without_a_seed_one_is_drawn_and_told(api: httpx.Client) -> None:
    seeds = {submit(api, size=64, iterations=1)["parameters"]["seed"] for _ in range(3)}
    assert len(seeds) == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"class_id": 1000}, "from 0 to 999"),
        ({"class_id": -1}, "class_id"),
        ({"class_id": []}, "class_id"),
        ({"class_id": [1, 1000]}, "from 0 to 999"),
        ({}, "class_id"),
        ({"class_id": 1, "size": 63}, "size"),
        ({"class_id": 1, "size": 513}, "size"),
        ({"class_id": 1, "iterations": 0}, "iterations"),
        ({"class_id": 1, "learning_rate": 0}, "learning_rate"),
        ({"class_id": 1, "preset": "x"}, "preset"),
        ({"class_id": 1, "sede": 3}, "sede"),
        ({"class_id": 1, "iterations": 4000, "preview_every": 1}, "preview_every must be at least 20"),
    ],
)
def test_what_can_be_known_at_once_is_told_at_once(api: httpx.Client, body: dict[str, Any], message: str) -> None:
    assert message in problem(api.post("/visualize", json=body), 422)


def test_unknown_things(api: httpx.Client) -> None:
    assert "no model 'vgg'" in problem(api.post("/visualize", json={"class_id": 1, "model": "vgg"}), 404)
    for path in (
        "/visualize/none",
        "/visualize/none/image",
        "/visualize/none/events",
        "/visualize/none/animation",
        "/visualize/batches/none",
    ):
        problem(api.get(path), 404)
    problem(api.post("/visualize/none/cancel"), 404)
    problem(api.delete("/visualize/none"), 404)
    problem(api.post("/visualize", content=b"{", headers={"Content-Type": "application/json"}), 422)


def test_a_running_job_is_cancelled_and_its_picture_kept(api: httpx.Client) -> None:
    job = submit(api, **LONG)
    image = job["links"]["image"]
    state = eventually(
        lambda: api.get(job["links"]["self"]).json(),
        lambda state: state["preview"] is not None or state["state"] not in ("queued", "running"),
    )
    assert state["state"] == "running"
    assert "the job is running and has no picture yet; latest=1" in problem(api.get(image), 409)
    assert Image.open(io.BytesIO(api.get(image, params={"latest": 1}).content)).size == (64, 64)
    assert api.post(job["links"]["cancel"]).json()["state"] in ("cancelling", "cancelled")
    ended = finished(api, job["id"])
    assert ended["state"] == "cancelled"
    assert ended["times"]["cancelled"] - ended["times"]["cancelling"] < 1
    assert 0 < ended["step"] < 4000
    assert Image.open(io.BytesIO(api.get(image).content)).size == (64, 64)


def test_a_queued_job_is_cancelled_at_once(api: httpx.Client) -> None:
    running, waiting = submit(api, **LONG), submit(api, **LONG)
    assert waiting["position"] is not None
    assert api.post(waiting["links"]["cancel"]).json()["state"] == "cancelled"
    assert "cancelled and has no picture" in problem(api.get(waiting["links"]["image"]), 409)
    assert api.delete(running["links"]["self"]).status_code == 204
    problem(api.get(running["links"]["self"]), 404)


def test_more_than_the_bound_is_answered_with_429(api: httpx.Client) -> None:
    jobs = [submit(api, **LONG) for _ in range(5)]
    response = api.post("/visualize", json={"class_id": 1, **SMALL})
    assert "the bound is 5" in problem(response, 429)
    assert int(response.headers["retry-after"]) > 0
    for job in jobs:
        api.delete(job["links"]["self"])
    job = submit(api, **SMALL)
    assert finished(api, job["id"])["state"] == "succeeded"


def test_batches(jobs: Client, api: httpx.Client) -> None:
    batch = jobs.submit([76, 187, 366], **SMALL)
    assert not hasattr(batch, "state")
    for job in batch.data:  # type: ignore[union-attr]
        assert jobs.wait(job.id).state == "succeeded"
    shown = jobs.batch(batch.id)
    assert (shown.total, shown.states) == (3, {"succeeded": 3})
    assert [job.class_id for job in shown.data] == [76, 187, 366]
    page = jobs.search(batch=batch.id, limit=2)
    rest = jobs.search(batch=batch.id, limit=2, cursor=page.cursor)
    assert [job.class_id for job in [*page.data, *rest.data]] == [366, 187, 76]
    assert rest.cursor is None
    problem(api.get("/visualize?cursor=x"), 422)


def test_polling_with_an_etag(api: httpx.Client) -> None:
    job = submit(api, **SMALL)
    finished(api, job["id"])
    first = api.get(job["links"]["self"])
    assert "retry-after" not in first.headers
    again = api.get(job["links"]["self"], headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert api.get(job["links"]["self"], headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.anyio
async def test_the_asynchronous_client(api: httpx.Client) -> None:
    async with AsyncClient(str(api.base_url)) as client:
        job = await client.submit(76, **SMALL)
        names = [event.event async for event in client.events(job.id)]
        assert names[-1] == "end"
        assert (await client.wait(job.id)).state == "succeeded"
        assert (await client.image(job.id)).startswith(b"\x89PNG")
        assert (await client.search(limit=1)).data[0].id == job.id
        assert [model["name"] for model in await client.models()] == ["squeezenet1_1"]
        assert [found["class_id"] for found in await client.classes("squeezenet1_1", "tarantula")] == [76]
        await client.delete(job.id)
        with pytest.raises(ServiceError, match="no job"):
            await client.get(job.id)


def test_failing_expired_and_late_jobs(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"worker": True, "job_seconds": 0.4, "retention_seconds": 0.5}
    monkeypatch.setattr("service.jobs.worker.SUPERVISE_SECONDS", 0.2)
    with serving(fresh.model_copy(update=limits)) as api:
        late = finished(api, submit(api, **LONG)["id"])
        assert late["state"] == "failed"
        assert "not done within 0.4 seconds" in late["problem"]["detail"]
        with monkeypatch.context() as patch:
            patch.setattr("service.kinds.run.begin", lambda *_: 1 / 0)
            failed = finished(api, submit(api, **SMALL)["id"])
        assert failed["state"] == "failed"
        assert "ZeroDivisionError" in failed["problem"]["detail"]
        response = eventually(lambda: api.get(failed["links"]["self"]), lambda response: response.status_code != 200)
        assert "has expired" in problem(response, 410)


def test_jobs_side_by_side_make_the_same_pictures_as_alone(fresh: Settings) -> None:
    pictures = []
    for concurrency, folder in ((1, "a"), (8, "b")):
        options = {"worker": True, "job_concurrency": concurrency, "data_dir": fresh.data_dir / folder, "lanes": 2}
        with serving(fresh.model_copy(update=options)) as api, Client(str(api.base_url)) as client:
            batch = client.submit(list(range(8)), **SMALL)
            assert {client.wait(job.id).state for job in batch.data} == {"succeeded"}  # type: ignore[union-attr]
            pictures.append([client.image(job.id) for job in batch.data])  # type: ignore[union-attr]
    assert pictures[0] == pictures[1]
