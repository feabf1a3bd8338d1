"""`/batches` on a real server with a worker."""

import asyncio
import gzip
import io
import json
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.api.keys import digest
from service.client import AsyncClient, Client, ServiceError
from service.settings import Settings
from tests.batches.archives import tarred, zipped
from tests.conftest import PHOTOGRAPHS, serving
from tests.waiting import eventually

ZIP = {"Content-Type": "application/zip"}
ALICE, BOB = ({"Authorization": f"Bearer cl_{name}"} for name in ("alice", "bob"))


@pytest.fixture(scope="module")
def client(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a service with a worker, which may read the photographs of the tests."""
    more = {"worker": True, "batch_sources": f"file://{PHOTOGRAPHS}", "max_batch_items": 100}
    with serving(settings.model_copy(update=more)) as client:
        yield client


def send(client: httpx.Client, data: bytes, headers: dict[str, str] = ZIP, **parameters: Any) -> dict[str, Any]:
    response = client.post("/batches", content=data, headers=headers, params=parameters)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == response.json()["links"]["self"]
    answer: dict[str, Any] = response.json()
    return answer


def ended(client: httpx.Client, batch: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(batch["links"]["self"], params={"wait": 60}).json()
    return answer


def index(client: httpx.Client, batch: dict[str, Any], **parameters: Any) -> list[dict[str, Any]]:
    response = client.get(batch["links"]["index"], params=parameters)
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def standing(answer: dict[str, Any]) -> tuple[str, int, int, int]:
    return answer["state"], answer["items"], answer["done"], answer["errors"]


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["detail"]


def test_an_archive_becomes_maps_and_an_index(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    pictures = {"in/cat.png": cat, "text.txt": b"text", "ü/coffee.png": coffee, "../up.png": cat}
    batch = send(client, zipped(pictures), methods="gradient,grad_cam", overlays=True, max_side=100)
    assert standing(ended(client, batch)) == ("succeeded", 4, 4, 2)
    lines = index(client, batch)
    assert [(line["item"], line["method"], line.get("class_name")) for line in lines] == [
        ("in/cat.png", "gradient", "Egyptian cat"),
        ("in/cat.png", "grad_cam", "Egyptian cat"),
        ("text.txt", "gradient", None),
        ("text.txt", "grad_cam", None),
        ("ü/coffee.png", "gradient", "espresso"),
        ("ü/coffee.png", "grad_cam", "espresso"),
        ("../up.png", "gradient", None),
        ("../up.png", "grad_cam", None),
    ]
    assert [line["error"]["status"] for line in index(client, batch, errors=True)] == [400, 400, 422, 422]
    assert index(client, batch, errors=False) == [line for line in lines if "error" not in line]
    with zipfile.ZipFile(io.BytesIO(client.get(batch["links"]["results"]).content)) as results:
        assert results.testzip() is None
        told = [line[kind] for line in lines if "error" not in line for kind in ("map", "overlay")]
        assert sorted(results.namelist()) == sorted(["index.jsonl", *told])
        assert [json.loads(line) for line in results.read("index.jsonl").splitlines()] == lines
        zipped_map = results.read("maps/gradient/in/cat.png.npy")
    sent = {"files": {"image": cat}, "headers": {"Accept": "application/x-npy"}}
    alone = client.post("/saliency", **sent).content  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.load(io.BytesIO(zipped_map)), np.load(io.BytesIO(alone)))
    place = f"{batch['links']['self']}/items"
    assert client.get(f"{place}/ü/coffee.png").json() == {
        "number": 2,
        "item": "ü/coffee.png",
        "results": lines[4:6],
    }
    assert client.get(f"{place}/0", headers={"Accept": "application/x-npy"}).content == zipped_map
    drawn = client.get(f"{place}/0", params={"method": "grad_cam"}, headers={"Accept": "image/png"})
    assert drawn.content.startswith(b"\x89PNG")
    for item, told_of in (("4", "no item '4'"), ("nope", "no item"), ("1?method=nope", "no method 'nope'")):
        status, detail = refusal(client.get(f"{place}/{item}", headers={"Accept": "image/png"}))
        assert (status, told_of in detail) == (404, True)


def test_events_tell_what_is_done(client: httpx.Client, cat: bytes) -> None:
    batch = send(client, zipped({f"{i}.png": cat for i in range(40)}))
    told = client.get(batch["links"]["events"]).text  # it ends with the batch
    events = [dict(line.split(": ", 1) for line in event.splitlines()) for event in told.strip().split("\n\n")]
    events = [event for event in events if "event" in event]  # no signs of life
    others = [json.loads(event["data"])["state"] for event in events if event["event"] != "progress"]
    assert others == ["open", "queued", "running", "succeeded", "succeeded"]
    done = [json.loads(event["data"])["step"] for event in events if event["event"] == "progress"]
    assert done == sorted(done)
    assert done[-1] == 40
    assert client.get(batch["links"]["events"], headers={"Last-Event-ID": events[-1]["id"]}).status_code == 204


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (tarred({"./a.png": b""}), "application/x-tar"),
        (tarred({"a.png": b""}, mode="w:gz"), "application/gzip"),
        (
            gzip.compress(tarred({"a.png": b""})[:700]) + gzip.compress(tarred({"a.png": b""})[700:]),
            "application/x-gzip",
        ),
    ],
    ids=["tar", "tar.gz", "two-gzips"],
)
def test_tars_are_archives_too(client: httpx.Client, data: bytes, media: str) -> None:
    batch = send(client, data, {"Content-Type": media})
    assert standing(ended(client, batch)) == ("succeeded", 1, 1, 1)
    (line,) = index(client, batch)
    assert (line["item"], line["error"]["detail"][:17]) == ("a.png", "the file is empty")


@pytest.mark.parametrize(
    ("data", "media", "status", "told"),
    [
        (b"garbage" * 1000, "application/zip", 400, "neither a zip nor a tar"),
        (zipped({"a.png": b"x"})[:-9], "application/zip", 400, "zip"),
        (zipped({}), "application/zip", 422, "no files"),
        (zipped({f"{i}": b"x" for i in range(101)}), "application/zip", 422, "at most 100 items"),
        (tarred({"a.png": b"x"}, mode="w:gz")[:-9], "application/gzip", 400, "gzip ends before its end"),
        (tarred({"a.png": b"x"})[:700], "application/x-tar", 400, "tar"),
        (b"", "application/zip", 422, "nothing is sent"),
        (b"x", "text/plain", 415, "text/plain"),
        (gzip.compress(zipped({"a.png": b"x"})), "application/zip, coded", 415, "without a Content-Encoding"),
        (b"x", "image/png", 422, "POST /saliency"),
    ],
)
def test_what_is_no_archive_leaves_nothing(
    client: httpx.Client, settings: Settings, data: bytes, media: str, status: int, told: str
) -> None:
    before = client.get("/batches").json()["data"]
    folders = sorted((settings.data_dir / "artifacts").iterdir())
    headers = {"Content-Type": media.removesuffix(", coded"), "Idempotency-Key": "bad"}
    if media.endswith(", coded"):
        headers["Content-Encoding"] = "gzip"
    refused = client.post("/batches", content=data, headers=headers)
    assert (refused.status_code, told in refused.json()["detail"]) == (status, True), refused.text
    assert client.get("/batches").json()["data"] == before
    assert sorted((settings.data_dir / "artifacts").iterdir()) == folders


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"methods": "nope"}, "no method 'nope'"),
        ({"masks": 100}, "none of the methods takes masks"),
        ({"methods": "grad_cam", "layer": "nope"}, "no layer 'nope'"),
        ({"class_id": 1000}, "class_id must be from 0 to 999"),
        ({"target": "class:1", "class_id": 3}, "leave out class_id"),
        ({"target": "similarity"}, "second picture"),
        ({"metrics": "iou"}, "where the object is"),
        ({"source": "file:///etc"}, "a source a manifest"),
        ({"open": True}, "begins with nothing"),
    ],
)
def test_parameters_are_checked_before_anything_is_stored(
    client: httpx.Client, cat: bytes, parameters: dict[str, Any], told: str
) -> None:
    status, detail = refusal(client.post("/batches", content=zipped({"a.png": cat}), headers=ZIP, params=parameters))
    assert (status, told in detail) == (422, True), detail


def test_a_form_has_its_file_at_the_end(client: httpx.Client, cat: bytes) -> None:
    archive = zipped({"a.png": cat})
    fields = {"methods": "grad_cam", "layer": "fire8"}
    answer = client.post("/batches", data=fields, files={"archive": ("a.zip", archive)})
    assert answer.status_code == 202
    assert answer.json()["parameters"]["methods"] == {"grad_cam": {"layer": "fire8"}}
    assert standing(ended(client, answer.json())) == ("succeeded", 1, 1, 0)
    part = b'--x\r\nContent-Disposition: form-data; name="archive"; filename="a"\r\n\r\n' + archive + b"\r\n"
    field = b'--x\r\nContent-Disposition: form-data; name="methods"\r\n\r\nlrp\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for body, status, told in (
        (part + field + b"--x--\r\n", 422, "the file comes last"),
        (part, 400, "closing boundary"),
        (part.replace(b"archive", b"file") + b"--x--\r\n", 422, "in the field 'file'"),
        (field + b"--x--\r\n", 422, "nothing is sent"),
    ):
        refused = client.post("/batches", content=body, headers=headers)
        assert (refused.status_code, told in refused.json()["detail"]) == (status, True), refused.text


def test_a_manifest_names_pictures_of_a_source(client: httpx.Client) -> None:
    source = f"file://{PHOTOGRAPHS}"
    lines = b'"chelsea.png"\n{"item": "coffee.png"}\n"nope.png"\n"../__init__.py"\n\n"chelsea.png"\n'
    batch = send(client, lines, {"Content-Type": "application/x-ndjson"}, source=source)
    assert standing(ended(client, batch)) == ("succeeded", 5, 5, 3)
    assert [line.get("error", {}).get("status") for line in index(client, batch)] == [None, None, 404, 422, 422]
    batch = send(client, b'["chelsea.png"]', {"Content-Type": "application/json"}, source=source)
    assert standing(ended(client, batch)) == ("succeeded", 1, 1, 0)


@pytest.mark.parametrize(
    ("data", "source", "status"),
    [
        (b'["cat.png"]', "http://169.254.169.254/latest", 422),
        (b'["cat.png"]', "file:///etc", 422),
        (b'["cat.png"]', f"file://{PHOTOGRAPHS}/../..", 422),
        (b'["cat.png"]', None, 422),
        (b"[1]", f"file://{PHOTOGRAPHS}", 422),
        (b"[" * 100_000, f"file://{PHOTOGRAPHS}", 400),
        (b"\xff", f"file://{PHOTOGRAPHS}", 400),
        (b"[]", f"file://{PHOTOGRAPHS}", 422),
        (b"[" + b"{}," * 1_000_000 + b"{}]", f"file://{PHOTOGRAPHS}", 422),
    ],
)
def test_other_manifests_are_refused(client: httpx.Client, data: bytes, source: str | None, status: int) -> None:
    parameters = {} if source is None else {"source": source}
    headers = {"Content-Type": "application/json"}
    assert client.post("/batches", content=data, headers=headers, params=parameters).status_code == status


def test_parts_are_added_replaced_and_closed(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    batch = client.post("/batches", params={"open": True}).json()
    place = batch["links"]["self"]
    assert refusal(client.post(f"{place}/close"))[0] == 422
    assert client.get(f"{place}/items/0").status_code == 409
    assert client.post(f"{place}/pause").status_code == 409

    def put(name: str, data: bytes, media: str = "application/zip", **parameters: str) -> dict[str, Any]:
        response = client.put(f"{place}/parts/{name}", content=data, headers={"Content-Type": media}, params=parameters)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    put("b", zipped({"first.png": cat}))
    assert put("b", zipped({"x.png": cat, "y.png": b"bad"}))["items"] == 2
    put("a.png", coffee, "image/png")
    source = f"file://{PHOTOGRAPHS}"
    assert put("c", b'["coffee.png", "x.png"]', "application/json", source=source)["items"] == 5
    assert client.put(f"{place}/parts/d", content=b"garbage", headers=ZIP).status_code == 400
    assert client.put(f"{place}/parts/.d", content=cat, headers=ZIP).status_code == 422
    assert client.post(f"{place}/close").status_code == 202
    assert standing(ended(client, batch)) == ("succeeded", 5, 5, 2)
    assert [(line["item"], "error" in line) for line in index(client, batch)] == [
        ("a.png", False),
        ("x.png", False),
        ("y.png", True),
        ("coffee.png", False),
        ("x.png", True),
    ]
    assert client.put(f"{place}/parts/e", content=cat, headers={"Content-Type": "image/png"}).status_code == 409


def test_what_has_failed_is_tried_again(settings: Settings, tmp_path: Path, cat: bytes) -> None:
    source = f"file://{tmp_path}"
    (tmp_path / "here.png").write_bytes(cat)
    more = {"worker": True, "batch_sources": source, "data_dir": settings.data_dir / "retry"}
    with serving(settings.model_copy(update=more)) as client:
        headers = {"Content-Type": "application/json"}
        batch = send(client, b'["here.png", "late.png"]', headers, source=source)
        assert standing(ended(client, batch)) == ("succeeded", 2, 2, 1)
        before = index(client, batch, errors=False)
        (tmp_path / "late.png").write_bytes(cat)
        assert client.post(f"{batch['links']['self']}/retry").status_code == 202
        assert standing(ended(client, batch)) == ("succeeded", 2, 2, 0)
        assert index(client, batch)[:1] == before


def test_a_batch_is_paused_resumed_cancelled_and_deleted(client: httpx.Client, settings: Settings, cat: bytes) -> None:
    batch = send(client, zipped({f"{i:02}.png": cat for i in range(99)}), methods="rise", masks=500)
    place = batch["links"]["self"]
    assert client.post(f"{place}/pause").json()["state"] == "paused"
    assert client.post(f"{place}/resume").json()["state"] in ("queued", "running")
    assert client.post(f"{place}/close").status_code == 409
    assert client.get(f"{place}/items/98").status_code == 409
    client.post(f"{place}/cancel")
    assert ended(client, batch)["state"] == "cancelled"
    assert client.post(f"{place}/resume").status_code == 409
    assert client.post(f"{place}/retry").status_code == 409
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404
    assert not (settings.data_dir / "artifacts" / batch["id"]).exists()


def test_a_request_that_is_sent_again_begins_no_second_batch(client: httpx.Client, cat: bytes) -> None:
    headers = {**ZIP, "Idempotency-Key": "once"}
    first, second = (send(client, zipped({"a.png": cat}), headers) for _ in range(2))
    assert first["id"] == second["id"]
    assert client.post("/batches", content=zipped({}), headers=headers, params={"class_id": 1}).status_code == 422
    client.delete(first["links"]["self"])
    assert client.post("/batches", content=zipped({"a.png": cat}), headers=headers).status_code == 410


def test_an_upload_that_was_cut_off_can_be_sent_again(client: httpx.Client, cat: bytes) -> None:
    data = zipped({"a.png": cat})
    head = "POST /batches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/zip\r\nIdempotency-Key: cut\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as connection:
        connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data[:1000])
        eventually(lambda: [one for one in client.get("/batches").json()["data"] if one["state"] == "open"])
    batch = send(client, data, {**ZIP, "Idempotency-Key": "cut"})
    assert standing(ended(client, batch)) == ("succeeded", 1, 1, 0)


def test_batches_are_no_jobs_to_other_routes(client: httpx.Client, cat: bytes) -> None:
    batch = send(client, zipped({"a.png": cat}))
    assert batch["id"] in [one["id"] for one in client.get("/batches").json()["data"]]
    assert batch["id"] not in client.get("/visualize").text
    assert batch["id"] not in client.get("/visualize?kind=batch").text
    for path in (batch["id"], f"{batch['id']}%2F0", f"{batch['id']}/image"):
        assert client.get(f"/visualize/{path}").status_code == 404
    job = client.post("/visualize", json={"class_id": 1, "iterations": 1, "size": 64}).json()
    assert client.get(f"/batches/{job['id']}").status_code == 404


def test_keys_see_their_own_batches_and_have_bounds(fresh: Settings, tmp_path: Path, cat: bytes) -> None:
    file = tmp_path / "keys"
    file.write_text(f"alice {digest('cl_alice')}\nbob {digest('cl_bob')}\n")
    more = {"api_keys_file": file, "max_jobs": 20, "max_archive_bytes": 300_000, "max_stored_bytes": 400_000}
    with serving(fresh.model_copy(update=more)) as client:  # a key may have two
        batch = send(client, zipped({"a.png": cat}), {**ZIP, **ALICE})
        for path in ("", "/index", "/results", "/events", "/items/0"):
            assert client.get(batch["links"]["self"] + path, headers=BOB).status_code == 404
            assert client.get(batch["links"]["self"] + path).status_code == 401
        for verb in ("pause", "resume", "retry", "cancel", "close"):
            assert client.post(f"{batch['links']['self']}/{verb}", headers=BOB).status_code == 404
        assert client.delete(batch["links"]["self"], headers=BOB).status_code == 404
        assert client.get("/batches", headers=BOB).json()["data"] == []
        large = client.post("/batches", content=zipped({"a.png": cat, "b.png": cat}), headers={**ZIP, **ALICE})
        assert large.status_code == 413
        full = client.post("/batches", content=zipped({"c.png": cat}), headers={**ZIP, **ALICE})
        assert (full.status_code, "delete batches" in full.json()["detail"]) == (429, True), full.text
        send(client, zipped({"a.png": cat}), {**ZIP, **BOB})
        client.delete(batch["links"]["self"], headers=ALICE)
        send(client, zipped({"c.png": cat}), {**ZIP, **ALICE})


def test_the_python_clients_begin_wait_and_fetch(
    client: httpx.Client, cat: bytes, coffee: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "pictures.zip"
    file.write_bytes(zipped({"a b/ü.png": cat, "text.txt": b"text"}))
    url = str(client.base_url)

    def check(done: dict[str, Any], lines: list[dict[str, Any]], one: bytes, zip_file: Path) -> None:
        assert standing(done) == ("succeeded", 2, 2, 1)
        assert [(line["item"], "error" in line) for line in lines] == [("a b/ü.png", False), ("text.txt", True)]
        assert np.load(io.BytesIO(one)).shape == (224, 224)
        with zipfile.ZipFile(zip_file) as results:
            assert results.namelist() == ["index.jsonl", "maps/grad_cam/a b/ü.png.npy"]

    with Client(url) as sync:
        begun = sync.batches.begin(file, methods="grad_cam")
        done = sync.batches.wait(begun["id"], 60)
        sync.batches.download(begun["id"], tmp_path / "sync.zip")
        lines = list(sync.batches.index(begun["id"]))
        check(done, lines, sync.batches.map(begun["id"], "a b/ü.png"), tmp_path / "sync.zip")
        with pytest.raises(ServiceError, match="no overlays"):
            sync.batches.overlay(begun["id"], 0)
        sync.batches.delete(begun["id"])
        with pytest.raises(ServiceError, match="no batch"):
            list(sync.batches.index(begun["id"]))

    async def asynchronous() -> None:
        async with AsyncClient(url) as client:
            begun = await client.batches.begin(methods="grad_cam")
            await client.batches.add(begun["id"], "part", file)
            await client.batches.act(begun["id"], "close")
            done = await client.batches.wait(begun["id"], 60)
            await client.batches.download(begun["id"], tmp_path / "async.zip")
            lines = [line async for line in client.batches.index(begun["id"])]
            check(done, lines, await client.batches.map(begun["id"], 0), tmp_path / "async.zip")
            listed = await client.batches.begin_manifest(["chelsea.png"], f"file://{PHOTOGRAPHS}", methods="grad_cam")
            assert (await client.batches.wait(listed["id"], 60))["errors"] == 0

    asyncio.run(asynchronous())
