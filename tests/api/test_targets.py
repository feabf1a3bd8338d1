"""What else than a class `POST /saliency` explains."""

import io
import json
from typing import Any

import httpx
import numpy as np
import pytest

from service.client import Client
from service.errors import InvalidParameter
from service.networks.network import Network
from service.saliency.grammar import parse
from service.saliency.targets import NOTHING, resolve


def post(client: httpx.Client, data: bytes, accept: str = "application/json", **parameters: Any) -> httpx.Response:
    return client.post("/saliency", files={"image": data}, params=parameters, headers={"Accept": accept})


def raw(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return np.load(io.BytesIO(response.content))


def test_a_class_as_a_target_gives_the_map_of_the_class(client: httpx.Client, cat: bytes) -> None:
    mine = raw(post(client, cat, "application/x-npy", target="class:281"))
    theirs = raw(post(client, cat, "application/x-npy", class_id=281))
    assert np.abs(mine - theirs).max() < 1e-3 * np.abs(theirs).max()


def test_a_difference_is_a_contrast(client: httpx.Client, cat: bytes) -> None:
    mine = raw(post(client, cat, "application/x-npy", target="class:285 - class:281", method="gradient_x_input"))
    theirs = raw(post(client, cat, "application/x-npy", class_id=285, other_class_id=281, method="gradient_x_input"))
    assert np.abs(mine - theirs).max() < 1e-3 * np.abs(theirs).max()


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("log_odds:285", "logits"),
        ("probability:285", "logits"),
        ("output:logits[280:290]", "logits"),
        ("0.5*output:logits[281] - 2 * output:logits[3]", "logits"),
        ("layer:fire4[17]", "fire4"),
        ("layer:fire4[17, 3:9, :]", "fire4"),
    ],
)
def test_targets_are_explained(client: httpx.Client, cat: bytes, target: str, value: str) -> None:
    for method in ("gradient", "deeplift", "lrp_epsilon"):
        response = post(client, cat, target=target, method=method)
        assert response.status_code == 200, response.text
        (one,) = response.json()["data"]
        explained = one["explained"]
        assert (explained["target"], explained["value"], explained["class_id"]) == (target, value, None)
        assert not explained["zero_gradient"]
        assert one["predictions"][0]["class_id"] == 285
        assert "convlens-class-id" not in response.headers
    picture = post(client, cat, "image/png", target=target)
    assert picture.headers["content-type"] == "image/png"


def test_the_score_of_a_target_is_its_value(client: httpx.Client, cat: bytes) -> None:
    probability = client.post("/classify", files={"image": cat}).json()["data"][0]["predictions"][0]["probability"]
    explained = post(client, cat, target="probability:285").json()["data"][0]["explained"]
    assert explained["score"] == pytest.approx(probability, rel=1e-4)
    odds = post(client, cat, target="log_odds:285").json()["data"][0]["explained"]["score"]
    assert odds == pytest.approx(np.log(probability / (1 - probability)), rel=1e-3)


def test_similarity_of_two_pictures(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    def similarity(other: bytes) -> float:
        files = {"image": cat, "other": other}
        response = client.post("/saliency", files=files, params={"target": "similarity", "method": "grad_cam"})
        assert response.status_code == 200, response.text
        return float(response.json()["data"][0]["explained"]["score"])

    assert similarity(cat) == pytest.approx(1, abs=1e-4)
    assert similarity(coffee) < 0.9


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"target": "nonsense"}, "a target is a sum of"),
        ({"target": ""}, "a target is a sum of"),
        ({"target": "class:285 class:3"}, "a target is a sum of"),
        ({"target": "class:285 - layer:fire4[3]"}, "of one kind"),
        ({"target": "9" * 400 + "*class:285"}, "a weight is at most"),
        ({"target": "log_odds:285 - log_odds:3"}, "stand alone"),
        ({"target": "2*log_odds:285"}, "stand alone"),
        ({"target": '{"class": 285, "layer": "fire4"}'}, "says one thing"),
        ({"target": '{"class": true}'}, "at 0.class: Input should be a valid integer"),
        ({"target": '{"class": 285, "side": "left"}'}, "side belongs to a detection"),
        ({"target": '{"class": 285, "index": [1]}'}, "index belongs to"),
        ({"target": '{"output": "logits", "index": ["1:x"]}'}, "selects nothing"),
        ({"target": '{"class": 285, "weight": 1e7}'}, "a weight is at most"),
        ({"target": "[]"}, "at least 1 item"),
        ({"target": "[" * 5000}, "in the JSON of the target"),
        ({"target": '{"similarity": [1, 2]}'}, "has 1000 numbers, not 2"),
        ({"target": "match:0"}, "is no detector"),
        ({"target": "output:logits[x]"}, "selects nothing"),
        ({"target": "class:1000"}, "must be from 0 to 999"),
        ({"target": "layer:fire99[3]"}, "no layer 'fire99'"),
        ({"target": "output:boxes[3]"}, "it has: logits"),
        ({"target": "output:logits[1000]"}, "beyond the end"),
        ({"target": "output:logits[3,4]"}, "has 1 axes"),
        ({"target": "output:logits[5:5]"}, "selects nothing"),
        ({"target": "region:3"}, "is no segmentation"),
        ({"target": "similarity"}, "second picture"),
        ({"target": "class:285", "class_id": 3}, "leave out class_id"),
        ({"target": "class:285", "method": "finer_cam"}, "compares classes"),
        ({"box": "1,2,3,4"}, "for a target like region"),
        ({"target": "layer:fire2[0]", "method": "grad_cam", "layer": "fire8"}, "does not depend on"),
    ],
)
def test_what_is_wrong_is_told(client: httpx.Client, cat: bytes, parameters: dict[str, Any], words: str) -> None:
    response = post(client, cat, **parameters)
    assert response.status_code == 422, response.text
    assert words in response.text


def test_files_that_nothing_asks_for_are_refused(client: httpx.Client, cat: bytes) -> None:
    for field in ("other", "mask"):
        response = client.post("/saliency", files={"image": cat, field: cat})
        assert response.status_code == 422
        assert "target" in response.json()["detail"]


def test_parsing() -> None:
    wanted = parse(" 2*output:/model.3/Add-1[0, :, 2:5] - output:/model.3/Add-1[1] ")
    assert [weight for weight, _ in wanted.terms] == [2, -1]
    assert wanted.terms[0][1].name == "/model.3/Add-1"
    assert wanted.terms[0][1].index == (0, slice(None), slice(2, 5))
    with pytest.raises(ValueError, match="at most 65,536 characters"):
        parse(f"class:1{' ' * 2**16}")
    with pytest.raises(ValueError, match="at most 100"):
        parse(" + ".join(["class:1"] * 101))


@pytest.mark.parametrize(
    ("in_json", "text"),
    [
        ('{"class": 285}', "class:285"),
        ('[{"log_odds": 3}]', "log_odds:3"),
        (
            '[{"output": "heat", "index": [0, ":", "2:5", ":3"], "weight": 2.5}, {"output": "heat", "weight": -1}]',
            "2.5*output:heat[0, :, 2:5, :3] - output:heat[:]",
        ),
        ('{"layer": "fire4", "index": [17], "weight": -1}', "- layer:fire4[17]"),
        ('{"detection": 2, "side": "lower"}', "detection:2.lower"),
        ('{"match": 1}', "match:1"),
        ('{"similarity": true}', "similarity"),
    ],
)
def test_the_json_form_is_another_way_to_write_the_same(in_json: str, text: str) -> None:
    assert parse(in_json).text == text
    assert parse(in_json).terms == parse(text).terms


def test_a_vector_of_ones_own(client: httpx.Client, cat: bytes, network: Network) -> None:
    vector = np.random.default_rng(0).random(1000).round(4)
    form = json.dumps({"similarity": vector.tolist()})
    response = client.post("/saliency", files={"image": cat}, data={"target": form}, headers={"Accept": "*/*"})
    assert response.status_code == 200, response.text
    image = np.random.default_rng(1).random((3, 224, 224), np.float32)
    found = network.score(image[None], resolve(network, image, parse(form), NOTHING))[0]
    logits = network.classify(image[None])[0]
    assert found == pytest.approx(vector @ logits / np.linalg.norm(vector) / np.linalg.norm(logits), rel=1e-4)


def test_the_clients_explain_and_predict(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    with Client(str(client.base_url)) as own:
        (found,) = own.explain([cat], {"other": [coffee]}, target="similarity", method="grad_cam")["data"]
        assert found["explained"]["target"] == "similarity"
        assert [one["predictions"][0]["class_id"] for one in own.predict([cat, coffee])["data"]] == [285, 967]


def test_a_layer_of_a_large_picture_has_too_many_values(network: Network) -> None:
    large = np.zeros((3, 2400, 3000), np.float32)
    with pytest.raises(InvalidParameter, match="use resize=squash"):
        resolve(network, large, parse("layer:relu_conv1[3]"), NOTHING)


def test_maps_of_targets_are_put_to_the_test(client: httpx.Client, cat: bytes) -> None:
    def evaluated(**parameters: Any) -> Any:
        query = {"method": "gradient_x_input", "points": 4, "stages": 1, **parameters}
        query["metrics"] = "completeness,mu_fidelity,cascading_randomization,random_logit"
        response = client.post("/evaluate", files={"image": cat}, params=query)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    mine, theirs = evaluated(target="class:285"), evaluated(class_id=285)
    assert (mine["class_id"], theirs["class_id"]) == (None, 285)
    for name in ("completeness", "mu_fidelity", "cascading_randomization"):
        mine_, theirs_ = (one["metrics"][name]["gradient_x_input"]["value"] for one in (mine, theirs))
        assert mine_ == pytest.approx(theirs_, rel=1e-2), name
    assert mine["metrics"]["random_logit"]["gradient_x_input"]["value"] is None
    plot = client.post(
        "/evaluate",
        files={"image": cat},
        params={"target": "layer:fire4[3]", "points": 4, "stages": 1},
        headers={"Accept": "image/png"},
    )
    assert plot.headers["content-type"] == "image/png"
    refused = client.post("/evaluate", files={"image": cat}, params={"target": "similarity"})
    assert refused.status_code == 422
    assert "second picture" in refused.json()["detail"]
