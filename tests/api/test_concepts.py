"""`POST /concepts` over HTTP."""

import base64
import io

import httpx
import numpy as np
import pytest
from PIL import Image

from service.client import Client
from service.pictures import tints


def post(client: httpx.Client, accept: str, query: str, *photographs: bytes) -> httpx.Response:
    files = [("image", photograph) for photograph in photographs]
    return client.post(f"/concepts?{query}", files=files, headers={"Accept": accept})


def test_json_tells_what_each_factor_adds(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    answer = post(client, "application/json", "factors=3&layer=fire8", cat, coffee).json()
    data = answer["data"]
    assert answer["meta"]["parameters"]["factors"] == 3
    assert answer["meta"]["parameters"]["layer"] == "fire8"
    assert [one["colour"] for one in data["factors"]] == list(tints.COLOURS[:3])
    assert [one["explained"]["name"] for one in data["photographs"]] == ["Egyptian cat", "espresso"]
    means = np.mean([one["importances"] for one in data["photographs"]], axis=0)
    np.testing.assert_allclose([one["importance"] for one in data["factors"]], means)
    for factor in data["factors"]:
        weights = [channel["weight"] for channel in factor["channels"]]
        assert weights == sorted(weights, reverse=True)
        assert 0 < sum(weight**2 for weight in weights) <= 1
    picture = Image.open(io.BytesIO(base64.b64decode(data["png"])))
    assert picture.size == (451 + 512, 341 + 4 * tints.ROW)


def test_maps_are_those_of_the_numbers(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    maps = np.load(io.BytesIO(post(client, "application/x-npy", "factors=3&layer=fire8", cat, coffee).content))
    assert maps.shape == (2, 3, 13, 13)
    data = post(client, "application/json", "factors=3&layer=fire8", cat, coffee).json()["data"]
    for of_photograph, one in zip(maps, data["photographs"], strict=True):
        for map_, (x, y) in zip(of_photograph, one["places"], strict=True):
            assert map_[int(y * 13), int(x * 13)] == map_.max()


def test_a_picture_is_the_same_each_time(client: httpx.Client, cat: bytes) -> None:
    one, other = (post(client, "image/png", "", cat) for _ in range(2))
    assert one.headers["content-type"] == "image/png"
    assert one.content == other.content
    assert Image.open(io.BytesIO(one.content)).size == (451, 300 + 6 * tints.ROW)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("layer=fire99", "no layer 'fire99'; it has"),
        ("class_id=1000", "class_id must be from 0 to 999"),
        ("factors=13", "factors"),
        ("factors=0", "factors"),
        ("layer=preprocessed&factors=4", "factors must be from 1 to 3"),
        ("opacity=2", "opacity"),
    ],
)
def test_bad_parameters_are_refused(client: httpx.Client, cat: bytes, query: str, message: str) -> None:
    response = post(client, "image/png", query, cat)
    assert response.status_code == 422
    assert message in response.json()["detail"]


def test_maps_of_several_sizes_are_no_array(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    assert post(client, "image/png", "resize=native", cat, coffee).status_code == 200
    response = post(client, "application/x-npy", "resize=native", cat, coffee)
    assert response.status_code == 422
    assert "resize=squash" in response.json()["detail"]


def test_too_many_activations_are_refused(client: httpx.Client, cat: bytes) -> None:
    response = post(client, "image/png", "layer=relu_conv1&resize=native", *[cat] * 16)
    assert response.status_code == 422
    assert "send fewer of them" in response.json()["detail"]


def test_the_client_asks_for_factors(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    with Client(str(client.base_url)) as own:
        data = own.concepts([cat, coffee], layer="fire8", factors=3)["data"]
    assert len(data["factors"]) == 3
    assert [one["explained"]["name"] for one in data["photographs"]] == ["Egyptian cat", "espresso"]
