"""`POST /activations` over HTTP."""

import base64
import io

import httpx
import numpy as np
from PIL import Image

from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import fit


def post(client: httpx.Client, photograph: bytes, accept: str, query: str = "") -> httpx.Response:
    return client.post(f"/activations?{query}", files={"image": photograph}, headers={"Accept": accept})


def test_the_numbers_are_those_of_the_network(client: httpx.Client, network: Network, cat: bytes) -> None:
    response = post(client, cat, "application/x-npy", "layer=fire4")
    values = np.load(io.BytesIO(response.content))
    pixels = fit(decode(cat, 10**7), (224, 224), 256 / 224, "squash").pixels
    np.testing.assert_allclose(values, network.activations(pixels[None], ["fire4"])[0][0])


def test_a_grid_of_the_strongest_maps(client: httpx.Client, cat: bytes) -> None:
    response = post(client, cat, "image/png", "layer=relu_conv1&channels=9&tile=40&colormap=gray")
    image = np.asarray(Image.open(io.BytesIO(response.content)).convert("L"))
    assert image.shape == (3 * 41 - 1, 3 * 41 - 1)
    tiles = [image[y : y + 40, x : x + 40].mean() for y in (0, 41, 82) for x in (0, 41, 82)]
    assert np.all(np.diff(tiles) <= 3)  # from the strongest on


def test_json_has_all_layers_of_the_manifest(client: httpx.Client, cat: bytes) -> None:
    answer = post(client, cat, "application/json", "channels=4").json()
    layers = {one["layer"]: one for one in answer["data"]}
    assert list(layers) == client.get("/models/squeezenet1_1").json()["layers"]
    assert layers["fire9"]["size"] == [13, 13]
    means = [channel["mean"] for channel in layers["fire9"]["strongest"]]
    assert means == sorted(means, reverse=True)
    assert 0 < layers["relu_conv1"]["active"] < 1
    assert Image.open(io.BytesIO(base64.b64decode(layers["pool1"]["png"]))).size == (113, 113)


def test_one_layer_per_picture(client: httpx.Client, cat: bytes) -> None:
    response = post(client, cat, "image/png", "layer=fire2&layer=fire3")
    assert response.status_code == 422
    assert "one layer at a time" in response.json()["detail"]
