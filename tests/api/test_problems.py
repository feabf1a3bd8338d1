"""Bad input gets a clear problem document."""

import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from threading import Event
from typing import Any

import httpx
import pytest
from PIL import Image

from service.settings import Settings
from tests.conftest import serving


def problem(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance"} <= set(body)
    detail: str = body["detail"]
    return detail


def png(width: int, height: int) -> bytes:
    """A valid PNG of one colour, of any size, made without its pixels in memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    row, packer = bytes(1 + (width + 7) // 8), zlib.compressobj(9)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("data", [b"", b"just text", Image.new("RGB", (9, 9)).tobytes()])
def test_not_an_image(client: httpx.Client, data: bytes) -> None:
    assert "send" in problem(client.post("/saliency", files={"image": data}), 400)
    assert "send" in problem(client.post("/classify", content=data, headers={"Content-Type": "image/png"}), 400)


def test_a_truncated_jpeg(client: httpx.Client, cat: bytes) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(cat)).save(buffer, "JPEG")
    assert "truncated" in problem(client.post("/saliency", files={"image": buffer.getvalue()[:-500]}), 400)


def test_too_many_pixels(client: httpx.Client) -> None:
    data = png(30_000, 30_000)
    assert len(data) < 2**20
    assert "30000 x 30000 pixels, more than 50,000,000" in problem(client.post("/saliency", files={"image": data}), 422)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"class_id": 1000}, "from 0 to 999 for squeezenet1_1; it is 1000"),
        ({"class_id": -1}, "from 0 to 999"),
        ({"class_id": "nan"}, "query.class_id"),
        ({"class_id": 1e300}, "query.class_id"),
        ({"class_id": 2**70}, "from 0 to 999"),
        ({"method": "magic"}, "there is no method 'magic'; there are: gradient"),
        ({"colormap": "rainbow"}, "'inferno'"),
        ({"resize": "zoom"}, "'squash', 'crop' or 'native'"),
        ({"opacity": "2"}, "query.opacity"),
        ({"opacity": "nan"}, "query.opacity"),
        ({"smoothing": "inf"}, "query.smoothing"),
        ({"clas_id": "3"}, "query.clas_id: Extra inputs are not permitted"),
    ],
)
def test_a_parameter_out_of_range(client: httpx.Client, cat: bytes, parameters: dict[str, Any], message: str) -> None:
    assert message in problem(client.post("/saliency", files={"image": cat}, params=parameters), 422)


def test_a_wrong_form_field_is_located(client: httpx.Client, cat: bytes) -> None:
    assert "form.class_id" in problem(client.post("/saliency", files={"image": cat}, data={"class_id": "x"}), 422)
    assert "must be text" in problem(client.post("/saliency", files={"image": cat, "photo": cat}), 422)
    assert "must be a file" in problem(client.post("/saliency", data={"image": "cat.png"}, files={"x": b""}), 422)


def test_unknown_models_and_paths(client: httpx.Client, cat: bytes) -> None:
    assert "no model 'vgg'" in problem(client.post("/saliency?model=vgg", files={"image": cat}), 404)
    problem(client.get("/models/vgg"), 404)
    problem(client.get("/nowhere"), 404)
    assert problem(client.get("/saliency"), 405) == "Method Not Allowed"


def test_unacceptable_and_unsupported(client: httpx.Client, cat: bytes) -> None:
    for accept in ("text/html", "garbage", "image/png;q=0"):
        assert "image/png" in problem(client.post("/saliency", files={"image": cat}, headers={"Accept": accept}), 406)
    for media in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
        assert "curl -F" in problem(client.post("/saliency", content=b"x", headers={"Content-Type": media}), 415)
    assert "of no declared type" in problem(client.post("/saliency", content=b"x"), 415)


@pytest.mark.parametrize("media", ["multipart/form-data", "multipart/form-data; boundary=b"])
def test_a_form_that_is_broken(client: httpx.Client, media: str) -> None:
    problem(client.post("/saliency", content=b"--a\r\nnonsense", headers={"Content-Type": media}), 400)


def test_too_many_images(client: httpx.Client, cat: bytes) -> None:
    for number in (17, 18, 40):
        assert "at most 16 images" in problem(client.post("/saliency", files=[("image", cat)] * number), 422)


def test_one_bad_image_among_good_ones(client: httpx.Client, cat: bytes) -> None:
    problem(client.post("/saliency", files=[("image", cat), ("image", b"x")]), 400)


def test_pictures_hold_one_image(client: httpx.Client, cat: bytes) -> None:
    response = client.post("/saliency", files=[("image", cat)] * 2, headers={"Accept": "image/png"})
    assert "holds one image, 2 were sent" in problem(response, 422)


def test_an_unexpected_failure_is_a_problem_of_its_own_request(
    fresh: Settings, cat: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    with serving(fresh) as client:
        with monkeypatch.context() as patch:
            patch.setattr("service.pictures.images.normalize", broken)
            detail = problem(client.post("/saliency", files={"image": cat}), 500)
        assert "secret" not in detail
        assert client.post("/saliency", files={"image": cat}).status_code == 200


@pytest.fixture(scope="module")
def strict(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    limits = {"max_body_bytes": 300_000, "upload_seconds": 1.0, "data_dir": tmp_path_factory.mktemp("strict")}
    with serving(settings.model_copy(update=limits)) as client:
        yield client


def test_bytes_are_counted_while_they_stream(strict: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield bytes(10_000)

    response = strict.post("/saliency", content=endless(), headers={"Content-Type": "image/png"})
    assert "more than 300,000 bytes" in problem(response, 413)


def test_a_declared_size_is_believed(strict: httpx.Client) -> None:
    problem(strict.post("/saliency", content=bytes(300_001), headers={"Content-Type": "image/png"}), 413)


def test_forms_are_bounded_too(strict: httpx.Client) -> None:
    problem(strict.post("/saliency", files={"image": bytes(300_001)}), 413)


def test_what_fits_is_answered(strict: httpx.Client, cat: bytes) -> None:
    assert strict.post("/classify", files={"image": cat}).status_code == 200


def test_a_body_that_does_not_arrive_is_given_up(strict: httpx.Client) -> None:
    never = Event()

    def stalled() -> Iterator[bytes]:
        yield b"x"
        never.wait(5)
        yield b"x"

    with suppress(httpx.WriteError):  # the server may close the connection before the client writes on
        assert "within 1 seconds" in problem(
            strict.post("/saliency", content=stalled(), headers={"Content-Type": "image/png"}), 408
        )
