"""`/v1`, KServe's first protocol, asked by hand and, if it is installed, by KServe's own client."""

import asyncio
import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.waiting import eventually

NAME = "squeezenet1_1"
PREDICT, EXPLAIN = f"/v1/models/{NAME}:predict", f"/v1/models/{NAME}:explain"


def file(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def answer(client: httpx.Client, path: str, instances: list[Any], **parameters: Any) -> Any:
    response = client.post(path, json={"instances": instances, "parameters": parameters})
    assert response.status_code == 200, response.text
    ((_, told),) = response.json().items()
    return told


def test_models(client: httpx.Client) -> None:
    assert client.get("/v1/models").json() == {"models": [NAME]}
    assert client.get(f"/v1/models/{NAME}").json() == {"name": NAME, "ready": True}
    assert client.get("/v1/models/vgg").status_code == 404


def test_predictions_are_probabilities(client: httpx.Client, cat: bytes) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(cat)).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))
    planes = pixels.transpose(2, 0, 1) / np.float32(255)
    rows = answer(client, PREDICT, [file(cat), pixels.tolist(), planes.tolist()])
    assert rows[0] == rows[1] == rows[2]
    assert sum(rows[0]) == pytest.approx(1)
    best = client.post("/classify", files={"image": cat}).json()["data"][0]["predictions"][0]
    assert (np.argmax(rows[0]), max(rows[0])) == (best["class_id"], best["probability"])


def test_explanations_are_the_maps_of_saliency(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    for parameters in (
        {"resize": "crop"},
        {"method": "grad_cam", "class_id": 281, "layer": "fire5"},
        {"method": "smoothgrad", "samples": 3, "seed": 7},
        {"target": "log_odds:285"},
        {"target": {"log_odds": 285}},
    ):
        target = {"target": "log_odds:285"} if "target" in parameters else {}
        raw = client.post(
            "/saliency", files={"image": coffee}, params=parameters | target, headers={"Accept": "application/x-npy"}
        )
        expected = np.load(io.BytesIO(raw.content))
        first, second = answer(client, EXPLAIN, [file(cat), file(coffee)], **parameters)
        assert np.array_equal(np.array(second["map"], np.float32), expected)
        assert not np.array_equal(first["map"], second["map"])
        as_file = answer(client, EXPLAIN, [file(coffee)], maps="npy", **parameters)[0]["map"]["b64"]
        assert np.array_equal(np.load(io.BytesIO(base64.b64decode(as_file))), expected)
        assert second["explained"]["class_id"] == parameters.get("class_id", None if "target" in parameters else 967)
        assert second["box"] == ([125, 25, 475, 375] if "resize" in parameters else [0, 0, 600, 400])
        assert second["predictions"][0]["name"] == "espresso"


GREY = [[[0.5] * 224] * 224] * 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "body.instances: Field required"),
        ({"instances": []}, "at least 1 item"),
        ({"instances": [7]}, "instance 0 is something else; send a file as"),
        ({"instances": [GREY, {"data": "AAAA"}]}, "instance 1 is something else"),
        ({"instances": [{"b64": "?"}]}, "instance 0 must be a file in base64"),
        ({"instances": [{"b64": "AAAA"}]}, "not an image that can be decoded"),
        ({"instances": [[[]]]}, "instance 0 is a list (1, 0)"),
        ({"instances": [[[[[1]]]]]}, "instance 0 is a list (1, 1, 1, 1)"),
        ({"instances": [[[[1, 2, 3]], [[1, 2]]]]}, "instance 0 is not nested as (2, 1, 3)"),
        ({"instances": [[[[0.5, 0.5, 0.5]]]]}, "whole numbers from 0 to 255 where the colours are last"),
        ({"instances": [[[[0.5] * 8] * 8] * 3]}, "no side may be shorter than 224"),
        ({"instances": [[[[2] * 224] * 224] * 3]}, "the values are from 2 to 2"),
        ({"instances": [{"b64": ""}] * 17}, "at most 16 pictures"),
        ({"instances": [GREY], "parameters": {"model": "vgg"}}, "parameters.model"),
        ({"instances": [GREY], "signature_name": "x"}, "body.signature_name"),
    ],
)
def test_instances_that_are_no_pictures(client: httpx.Client, body: Any, message: str) -> None:
    for path in (PREDICT, EXPLAIN):
        response = client.post(path, json=body)
        assert response.status_code == 400
        assert message in response.json()["error"]


def test_maps_of_very_many_values_are_files(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.inference_answers.MAX_VALUES", 60_000)
    body: dict[str, Any] = {"instances": [GREY, GREY]}
    refused = client.post(EXPLAIN, json=body)
    assert refused.status_code == 400
    assert "the maps have 100,352 values" in refused.json()["error"]
    assert client.post(EXPLAIN, json=body | {"parameters": {"maps": "npy"}}).status_code == 200


def test_what_cannot_be_explained(client: httpx.Client) -> None:
    for parameters, message in (
        ({"method": "magic"}, "there is no method 'magic'"),
        ({"method": "grad_cam", "samples": 3}, "grad_cam does not take samples"),
        ({"class_id": 1000}, "class_id must be from 0 to 999"),
        ({"target": "similarity"}, "similarity needs a second picture"),
        ({"target": "log_odds:285", "class_id": 285}, "leave out class_id"),
        ({"method": "rise", "masks": 5000}, "a request may take 2000"),
    ):
        response = client.post(EXPLAIN, json={"instances": [GREY], "parameters": parameters})
        assert response.status_code == 400
        assert message in response.json()["error"]


def test_kserve_s_client(client: httpx.Client, cat: bytes) -> None:
    kserve = pytest.importorskip("kserve", reason="KServe's SDK is not installed: it brings 400 MB")
    eventually(lambda: client.get("/v2/health/ready").is_success)
    url = str(client.base_url)

    async def scenario() -> None:
        async with kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2", retries=1)) as second:
            assert await second.is_server_live(url)
            assert await second.is_server_ready(url)
            assert await second.is_model_ready(url, NAME)
            for binary in (True, False):
                grey = kserve.InferInput("image", [1, 3, 224, 224], "FP32")
                grey.set_data_from_numpy(np.array([GREY], np.float32), binary_data=binary)
                request = kserve.InferRequest(NAME, [grey], parameters={"binary_data_output": binary})
                found = await second.infer(url, request, model_name=NAME)
                outputs = {one.name: one.as_numpy() for one in found.outputs}
                assert outputs["logits"].shape == (1, 1000)
        async with kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v1", retries=1)) as first:
            assert await first.is_model_ready(url, NAME)
            body = {"instances": [file(cat)]}
            predicted = await first.infer(url, body, model_name=NAME)
            assert np.argmax(predicted["predictions"]) == 285
            explained = await first.explain(url, NAME, body)
            assert np.shape(explained["explanations"][0]["map"]) == (224, 224)
            with pytest.raises(httpx.HTTPStatusError, match="instance 0 is something else"):
                await first.infer(url, {"instances": [1]}, model_name=NAME)

    asyncio.run(scenario())
