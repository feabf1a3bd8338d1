"""`POST /saliency` and `POST /classify` over HTTP."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.network import Network


def picture(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def post(client: httpx.Client, data: bytes, accept: str = "application/json", **parameters: Any) -> httpx.Response:
    return client.post("/saliency", files={"image": data}, params=parameters, headers={"Accept": accept})


def test_json_says_everything(client: httpx.Client, cat: bytes) -> None:
    response = post(client, cat)
    assert response.status_code == 200
    answer = response.json()
    meta, (one,) = answer["meta"], answer["data"]
    assert meta["model"] == "squeezenet1_1"
    assert meta["weights_sha256"].startswith("f286bbf4")
    assert meta["provider"] == "cpu"
    assert meta["parameters"] == {
        "model": "squeezenet1_1", "resize": "squash", "class_id": None, "method": "gradient", "output": "heatmap",
        "colormap": "inferno", "opacity": 0.9, "smoothing": 0.0,
    }  # fmt: skip
    assert {"decode", "resize", "run", "colour", "encode"} == set(meta["timings_ms"])
    assert [p["class_id"] for p in one["predictions"]][:3] == [285, 282, 281]
    assert one["predictions"][0]["probability"] == pytest.approx(0.6435, abs=1e-3)
    assert one["explained"]["class_id"] == 285
    assert one["explained"]["value"] == "logits"
    assert one["explained"]["score"] == pytest.approx(31.956, abs=1e-2)
    assert one["explained"]["zero_gradient"] is False
    assert one["heatmap"]["box"] == [0, 0, 451, 300]
    assert 0 <= one["heatmap"]["minimum"] < one["heatmap"]["maximum"]
    assert picture(base64.b64decode(one["heatmap"]["png"])).shape == (224, 224, 3)


def test_json_is_the_default_and_preferences_are_weighed(client: httpx.Client, cat: bytes) -> None:
    assert post(client, cat, "*/*").headers["content-type"] == "application/json"
    assert post(client, cat, "application/json;q=0.5, image/png").headers["content-type"] == "image/png"
    assert post(client, cat, "image/*").headers["content-type"] == "image/png"


def test_the_overlay_has_the_size_of_the_photograph(client: httpx.Client, cat: bytes) -> None:
    response = post(client, cat, "image/png")
    assert picture(response.content).shape == (300, 451, 3)
    assert response.headers["convlens-class-id"] == "285"
    assert response.headers["convlens-provider"] == "cpu"
    assert "run;dur=" in response.headers["server-timing"]


def test_outputs(client: httpx.Client, cat: bytes) -> None:
    assert picture(post(client, cat, "image/png", output="heatmap").content).shape == (224, 224, 3)
    assert picture(post(client, cat, "image/png", output="panel").content).shape == (300, 3 * 451, 3)


def test_the_raw_map_is_not_normalized(client: httpx.Client, cat: bytes) -> None:
    response = post(client, cat, "application/x-npy")
    raw = np.load(io.BytesIO(response.content))
    assert (raw.dtype, raw.shape) == (np.float32, (224, 224))
    heatmap = post(client, cat).json()["data"][0]["heatmap"]
    assert float(raw.max()) == pytest.approx(heatmap["maximum"])


def test_the_same_request_gives_the_same_bytes(client: httpx.Client, cat: bytes) -> None:
    for accept in ("image/png", "application/x-npy"):
        assert post(client, cat, accept).content == post(client, cat, accept).content


def test_the_raw_body_is_as_good_as_a_form(client: httpx.Client, cat: bytes) -> None:
    raw = client.post("/saliency", content=cat, headers={"Content-Type": "image/png", "Accept": "image/png"})
    assert raw.content == post(client, cat, "image/png").content


def test_parameters_may_be_form_fields(client: httpx.Client, cat: bytes) -> None:
    answer = client.post("/saliency", files={"image": cat}, data={"class_id": "76", "resize": "native"}).json()
    assert answer["data"][0]["explained"]["class_id"] == 76
    assert answer["data"][0]["heatmap"]["width"] == 337


def test_several_images_come_back_in_order(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    answer = client.post("/saliency", files=[("image", coffee), ("image", cat), ("image", coffee)]).json()
    assert [one["explained"]["class_id"] for one in answer["data"]] == [967, 285, 967]


def test_a_crop_is_explained_where_it_lies(client: httpx.Client, coffee: bytes) -> None:
    heatmap = post(client, coffee, resize="crop").json()["data"][0]["heatmap"]
    assert heatmap["box"] == [125, 25, 475, 375]
    assert picture(post(client, coffee, "image/png", resize="crop").content).shape == (350, 350, 3)


def test_a_score_of_zero_says_what_was_differentiated(client: httpx.Client, network: Network) -> None:
    grey = io.BytesIO()
    Image.new("RGB", (224, 224), (128, 128, 128)).save(grey, "PNG")
    scores = network.classify(np.full((1, 3, 224, 224), 128 / 255, np.float32))[0]
    for class_id, value in ((scores.argmin(), "conv10_average"), (scores.argmax(), "logits")):
        explained = post(client, grey.getvalue(), class_id=class_id).json()["data"][0]["explained"]
        assert explained["value"] == value
        assert (explained["score"] < 0) == (value == "conv10_average")
        assert explained["zero_gradient"] is False


def test_classify(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    answer = client.post("/classify", files=[("image", cat), ("image", coffee)]).json()
    first, second = (one["predictions"] for one in answer["data"])
    assert first[0]["name"] == "Egyptian cat"
    assert (second[0]["class_id"], second[0]["name"]) == (967, "espresso")
    assert len(first) == 5
    assert [p["probability"] for p in first] == sorted((p["probability"] for p in first), reverse=True)
