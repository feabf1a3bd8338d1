"""`POST /conductance` over HTTP."""

import base64
import io

import httpx
import numpy as np
import pytest
from PIL import Image

from service.client import Client
from service.pictures import tints


def post(client: httpx.Client, accept: str, query: str, photograph: bytes) -> httpx.Response:
    return client.post(f"/conductance?{query}", files={"image": photograph}, headers={"Accept": accept})


def test_the_table_is_that_of_the_numbers(client: httpx.Client, cat: bytes) -> None:
    query = "layer=fire8&steps=20&channels=5"
    values = np.load(io.BytesIO(post(client, "application/x-npy", query, cat).content)).astype(np.float64)
    data = post(client, "application/json", query, cat).json()["data"]
    assert values.shape == (512, 13, 13)
    channels = values.sum(axis=(1, 2))
    best = sorted(range(512), key=lambda c: -abs(channels[c]))[:5]
    assert [one["channel"] for one in data["strongest"]] == best
    for one in data["strongest"]:
        assert one["conductance"] == pytest.approx(channels[one["channel"]], rel=1e-4)
        assert one["share"] == pytest.approx(one["conductance"] / channels.sum(), rel=1e-4)
    assert data["explained"]["name"] == "Egyptian cat"
    assert data["completeness_error"] == pytest.approx(channels.sum() - data["score_difference"], abs=1e-3)
    assert Image.open(io.BytesIO(base64.b64decode(data["png"]))).size[0] == 3 * 160 + 2 * 4


@pytest.mark.parametrize("layer", ["fire3", "fire9"])
def test_the_whole_score_passes_through_a_layer(client: httpx.Client, cat: bytes, layer: str) -> None:
    def error(steps: int) -> float:
        data = post(client, "application/json", f"layer={layer}&steps={steps}", cat).json()["data"]
        return abs(data["completeness_error"] / data["score_difference"])

    few, many = error(4), error(256)
    assert many < 0.01
    assert many < few


def test_a_contrast_is_what_one_class_is_carried_by_and_not_the_other(client: httpx.Client, cat: bytes) -> None:
    def channels(query: str) -> np.ndarray:
        content = post(client, "application/x-npy", f"steps=8&layer=fire9&{query}", cat).content
        return np.load(io.BytesIO(content)).sum(axis=(1, 2))

    contrast = channels("class_id=285&other_class_id=282")
    np.testing.assert_allclose(contrast, channels("class_id=285") - channels("class_id=282"), atol=1e-4)


def test_orange_speaks_for_the_class_and_blue_against_it(client: httpx.Client, cat: bytes) -> None:
    query = "layer=fire9&steps=8&channels=9&tile=160"
    strongest = post(client, "application/json", query, cat).json()["data"]["strongest"]
    signs = [one["conductance"] > 0 for one in strongest]
    assert True in signs
    assert False in signs
    image = np.asarray(Image.open(io.BytesIO(post(client, "image/png", query, cat).content))).astype(int)
    height = (image.shape[0] - 2 * 4) // 3 - tints.ROW
    for i, positive in enumerate(signs):
        y, x = i // 3 * (height + tints.ROW + 4), i % 3 * 164
        tile = image[y : y + height, x : x + 160]
        warm = float((tile[..., 0] - tile[..., 2]).mean())
        assert (warm > 0) == positive


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("layer=fire99", "no layer 'fire99'; it has"),
        ("class_id=1000", "class_id must be from 0 to 999"),
        ("other_class_id=-1", "other_class_id must be from 0 to 999"),
        ("steps=0", "steps"),
        ("steps=1001", "steps"),
        ("tile=9", "tile"),
        ("baseline=pink", "baseline"),
    ],
)
def test_bad_parameters_are_refused(client: httpx.Client, cat: bytes, query: str, message: str) -> None:
    response = post(client, "image/png", query, cat)
    assert response.status_code == 422
    assert message in response.json()["detail"]


def test_what_takes_too_long_is_refused(client: httpx.Client, cat: bytes) -> None:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((1200, 224)).convert("RGB").save(buffer, "PNG")
    response = post(client, "image/png", "steps=1000&resize=native", buffer.getvalue())
    assert response.status_code == 422
    assert "ask for fewer steps" in response.json()["detail"]


def test_the_client_asks_for_conductance(client: httpx.Client, cat: bytes) -> None:
    with Client(str(client.base_url)) as own:
        data = own.conductance(cat, layer="fire8", steps=4, channels=2)["data"]
    assert len(data["strongest"]) == 2
