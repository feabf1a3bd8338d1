"""What the client takes as a photograph, and what it gives: pictures, arrays, and answers that show themselves."""

import base64
import io
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.client import Client, Explanations, Job, Map, Picture, Predictions, ServiceError
from service.client.photographs import encoded, listed
from tests.conftest import PHOTOGRAPHS
from tests.test_client import JOB

CAT = PHOTOGRAPHS / "chelsea.png"


@pytest.fixture(scope="module")
def asked(client: httpx.Client) -> Iterator[Client]:
    with Client(str(client.base_url)) as asked:
        yield asked


def pixels(file: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(file)))


def opened(file: Any) -> Image.Image:
    with Image.open(file) as image:
        image.load()
        return image


def turned() -> Image.Image:
    """An upright picture, read from a file that lies on its side."""
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    opened(CAT).save(file, "JPEG", exif=exif)
    return opened(file)


def test_photographs_are_files_images_and_arrays(cat: bytes) -> None:
    array = pixels(cat)
    with CAT.open("rb") as file:
        same = [cat, bytearray(cat), memoryview(cat), str(CAT), CAT, file, opened(CAT), array]
        assert [np.array_equal(pixels(encoded(one)), array) for one in same] == [True] * len(same)
    grey = array[..., 0]
    assert np.array_equal(pixels(encoded(grey)), grey)
    assert pixels(encoded(opened(CAT).convert("CMYK"))).shape == array.shape
    image = turned()
    assert np.array_equal(pixels(encoded(image)), np.asarray(image))
    assert Image.open(io.BytesIO(encoded(image))).getexif() == {}


@pytest.mark.parametrize(
    ("photograph", "message"),
    [
        (np.zeros((2, 2, 3)), r"float64 .* send uint8"),
        (np.zeros((3, 9, 9), np.uint8), r"\(3, 9, 9\) is no photograph"),
        (np.zeros((9, 9, 2), np.uint8), "no photograph"),
        (7, "int is no photograph"),
        (None, "NoneType is no photograph"),
        ("https://example.org/cat.png", "send the bytes"),
        (io.StringIO("text"), "mode 'rb'"),
    ],
)
def test_what_is_no_photograph_is_told(photograph: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        encoded(photograph)


def test_one_photograph_or_several(cat: bytes) -> None:
    one = [cat, bytearray(cat), str(CAT), CAT, opened(CAT), pixels(cat), io.BytesIO(cat)]
    assert [len(listed(photograph)) for photograph in one] == [1] * len(one)
    assert listed((cat, CAT)) == [cat, CAT]
    assert listed(iter([cat])) == [cat]
    assert listed([]) == []


def test_maps_are_arrays_and_pictures(asked: Client, cat: bytes) -> None:
    found = asked.map(CAT, method="gradient")
    values = found.array()
    assert values.shape == (224, 224)
    assert values.dtype == np.float32
    shown = pixels(found._repr_png_() or b"")
    assert shown.shape == (224, 224, 3)
    assert shown.sum(axis=2).flat[values.argmax()] == max(shown.sum(axis=2).flat)
    overlay = asked.overlay(cat, method="gradient")
    assert overlay.media_type == "image/png"
    assert overlay.array().shape == (*overlay.pillow().size[::-1], 3)
    assert base64.b64decode(overlay._repr_mimebundle_()["image/png"]) == overlay


def test_a_map_without_a_hottest_pixel_is_dark() -> None:
    assert pixels(Map(written(np.zeros((4, 4), np.float32)))._repr_png_() or b"").max() < 10
    assert Map(written(np.ones((4, 4, 4), np.float32)))._repr_png_() is None


def written(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_printed_they_say_what_they_are() -> None:
    assert str(Picture(b"GIF8")) == "<Picture, image/gif, 4 bytes>"
    assert f"{Map(b'12')}" == "<Map, 2 bytes>"


def test_pictures_that_notebooks_do_not_know_are_put_into_html() -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "WEBP")
    assert Picture(file.getvalue())._repr_mimebundle_()["text/html"].startswith('<img src="data:image/webp;base64,')


def test_explanations_show_maps_and_classes(asked: Client, coffee: bytes) -> None:
    found = asked.explain([CAT, coffee], method="gradient", class_id=None)
    assert [picture.media_type for picture in found.pictures] == ["image/png"] * 2
    html = found._repr_html_()
    assert html.count("<img ") == 2
    assert "Egyptian cat, 64" in html


@pytest.mark.parametrize("target", [{"class": 285}, [{"class": 285}]])
def test_targets_are_written_as_objects_too(asked: Client, target: Any) -> None:
    found = asked.explain(CAT, target=target)
    assert found["data"][0]["explained"]["target"] == "class:285"
    assert "class:285" in found._repr_html_()


def test_predictions_show_classes(asked: Client) -> None:
    html = asked.predict(CAT)._repr_html_()
    assert "<td>Egyptian cat</td>" in html
    assert html.count("<tr>") == 5


HOSTILE = "<script>alert(1)</script>"
EXPLAINED = {"target": HOSTILE, "name": None, "probability": None, "zero_gradient": True, "warning": HOSTILE}


@pytest.mark.parametrize(
    "answer",
    [
        Job.model_validate(JOB | {"class_name": HOSTILE, "trace": [1.0, inf, 3.0], "problem": {"detail": HOSTILE}}),
        Explanations(data=[{"explained": EXPLAINED, "heatmap": {"png": ""}}]),
        Predictions(
            data=[
                {"objects": [{"name": HOSTILE, "probability": None, "score": 1.0, "box": [1.0, 2.0, 3.0, 4.0]}]},
                {"values": {HOSTILE: 1.5}, "vector": [1.0], "similarity": 0.5},
                {"mask": {"png": "", "classes": [{"name": HOSTILE, "share": 0.5}]}},
                {"predictions": []},
            ]
        ),
    ],
)
def test_names_are_text_in_notebooks(answer: Any) -> None:
    html = answer._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "nan" not in html
    assert "inf" not in html


def test_what_the_service_refuses_is_an_error_with_its_words(asked: Client) -> None:
    with pytest.raises(ServiceError, match="there is no method 'nonsense'") as caught:
        asked.overlay(CAT, method="nonsense")
    assert caught.value.status == 422
    with pytest.raises(FileNotFoundError):
        asked.overlay(Path("nowhere.png"))
