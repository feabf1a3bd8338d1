"""HTTP as its standards have it: cut bodies, conditions, codings, HEAD, media types, prefixes."""

import gzip
import io
import json
import socket
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from service.settings import Settings
from tests.conftest import Server, serving

BOUNDARY = "xYzZy"


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings) as client:
        yield client


def form(parts: list[tuple[str, bytes]], end: bytes = f"--{BOUNDARY}--\r\n".encode()) -> bytes:
    """A form as clients send it. parts: what stands behind ``form-data; ``, and the content."""
    made = b""
    for disposition, content in parts:
        made += f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return made + end


def post(api: httpx.Client, path: str, body: bytes, **headers: str) -> httpx.Response:
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return api.post(path, content=body, headers=kind | headers)


IMAGE = 'name="image"; filename="a.png"'


def test_a_form_without_its_end_is_refused(api: httpx.Client, cat: bytes) -> None:
    assert post(api, "/classify", form([(IMAGE, cat)])).status_code == 200
    for end in (b"", f"--{BOUNDARY}".encode(), f"--{BOUNDARY}-".encode()):
        refused = post(api, "/classify", form([(IMAGE, cat), (IMAGE, cat)], end))
        assert refused.status_code == 400
        assert "ends before its closing boundary" in refused.json()["detail"]
    cut = form([('name="kind"', b"deepdream"), (IMAGE, cat), ('name="iterations"', b"5")], b"")[:-2]
    assert post(api, "/visualize", cut).status_code == 400


def test_a_body_with_fewer_bytes_than_it_promised_is_not_answered(server: Server, cat: bytes) -> None:
    body = form([(IMAGE, cat)])
    host, port = str(server.url).removeprefix("http://").rstrip("/").split(":")
    head = (
        f"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    for sent in (body, body[: len(body) // 2]):
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(head.encode() + sent)
            if len(sent) < len(body):
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        assert (b" 200 " in answer[:20]) == (sent == body)


def test_blank_fields_count_as_absent_and_encoded_names_are_files(api: httpx.Client, cat: bytes) -> None:
    parts = [("name=\"image\"; filename*=UTF-8''%e2%82%ac.png", cat), ('name="class_id"', b""), ('name="method"', b" ")]
    response = post(api, "/saliency", form(parts))
    assert response.status_code == 200
    assert response.json()["meta"]["parameters"]["class_id"] is None


@pytest.mark.parametrize("body", [{"class_id": True}, {"class_id": [1, False]}, {"class_id": 1, "seed": True}])
def test_truths_are_no_numbers(api: httpx.Client, body: dict[str, Any]) -> None:
    refused = api.post("/visualize", json=body)
    assert refused.status_code == 422
    assert "true or false" in json.dumps(refused.json())


def test_media_types_in_any_case(api: httpx.Client, cat: bytes) -> None:
    response = api.post("/saliency", files={"image": cat}, headers={"Accept": "IMAGE/PNG"})
    assert response.headers["content-type"] == "image/png"


@pytest.mark.parametrize(("accept", "kind"), [("image/webp", "WEBP"), ("image/jpeg", "JPEG"), ("image/*", "PNG")])
@pytest.mark.parametrize("output", ["overlay", "heatmap"])
def test_overlays_in_other_formats(api: httpx.Client, cat: bytes, accept: str, kind: str, output: str) -> None:
    asked = {"image": cat}
    exact = api.post(f"/saliency?output={output}", files=asked, headers={"Accept": "image/png"}).content
    response = api.post(f"/saliency?output={output}", files=asked, headers={"Accept": accept})
    picture, original = (Image.open(io.BytesIO(data)) for data in (response.content, exact))
    assert (picture.format, picture.size) == (kind, original.size)
    if kind != "PNG":
        pixels, expected = (list(one.convert("RGB").resize((8, 8)).tobytes()) for one in (picture, original))
        assert max(abs(a - b) for a, b in zip(pixels, expected, strict=True)) <= 12
        assert output == "heatmap" or len(response.content) < len(exact) / 2


def test_packed_bodies_within_their_bounds(api: httpx.Client, settings: Settings, cat: bytes) -> None:
    body = form([(IMAGE, cat)])
    plain = post(api, "/classify", body).json()["data"]
    for coding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        assert post(api, "/classify", pack(body), **{"Content-Encoding": coding}).json()["data"] == plain
    bomb = gzip.compress(b"\0" * (settings.max_body_bytes + 1))
    assert post(api, "/classify", bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    for coding, data, status in (("br", body, 415), ("gzip", body, 400), ("gzip", gzip.compress(body)[:-20], 400)):
        assert post(api, "/classify", data, **{"Content-Encoding": coding}).status_code == status


def test_text_is_compressed_when_asked_for_and_pictures_are_not(api: httpx.Client, cat: bytes) -> None:
    packed = api.get("/models/squeezenet1_1/classes", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["vary"]
    assert int(packed.headers["content-length"]) < len(packed.content) / 2
    plain = api.get("/models/squeezenet1_1/classes", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content
    for accept in ("image/png", "application/x-npy"):
        picture = api.post("/saliency", files={"image": cat}, headers={"Accept": accept, "Accept-Encoding": "gzip"})
        assert "content-encoding" not in picture.headers


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/models", "/models/squeezenet1_1", "/methods", "/visualize", "/openapi.json", "/metrics"]
)
def test_head_is_get_without_a_body(api: httpx.Client, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    got, head = api.get(path, headers=plain), api.head(path, headers=plain)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":
        assert head.headers["content-length"] == got.headers["content-length"]


def test_head_of_a_stream_ends(api: httpx.Client) -> None:
    job = api.post("/visualize", json={"class_id": 1, "size": 64}).json()
    head = api.head(job["links"]["events"])
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")
    assert api.delete(job["links"]["self"]).status_code == 204


def test_conditions_as_lists_weak_tags_and_any(api: httpx.Client) -> None:
    job = api.post("/visualize", json={"class_id": 1, "size": 64}).json()["links"]["self"]
    api.post(f"{job}/cancel")
    etag = api.get(job).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = api.get(job, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    for unknown in ('"other"', 'W/"x", "y"'):
        assert api.get(job, headers={"If-None-Match": unknown}).status_code == 200


def test_a_prefix_of_a_proxy_is_in_all_links(fresh: Settings) -> None:
    prefixed = fresh.model_copy(update={"root_path": "/lens/", "trust_forwarded_prefix": True})
    with serving(prefixed) as api:
        for headers, prefix in (({}, "/lens"), ({"X-Forwarded-Prefix": "/a/b"}, "/a/b")):
            answer = api.post("/visualize", json={"class_id": 1, "size": 64}, headers=headers)
            links = answer.json()["links"]
            assert answer.headers["location"].startswith(f"{prefix}/visualize/")
            assert all(links[name].startswith(f"{prefix}/visualize/") for name in ("self", "image", "events", "cancel"))
            assert api.get(links["self"].removeprefix(prefix)).status_code == 200  # as a proxy that takes it off
            assert api.get("/openapi.json", headers=headers).json()["servers"][0]["url"] == prefix
        assert api.get("/lens/healthz").status_code == 200  # as a proxy that leaves it
        wrong = api.post(
            "/visualize", json={"class_id": 1, "size": 64}, headers={"X-Forwarded-Prefix": "//evil.example"}
        )
        assert wrong.headers["location"].startswith("/lens/")
    with serving(fresh) as api:
        answer = api.post("/visualize", json={"class_id": 1, "size": 64}, headers={"X-Forwarded-Prefix": "/a"})
        assert answer.headers["location"].startswith("/visualize/")
