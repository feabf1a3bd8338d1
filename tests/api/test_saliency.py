"""`POST /saliency` and `POST /classify` over HTTP."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.networks.network import Network


def picture(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def post(client: httpx.Client, data: bytes, accept: str = "application/json", **parameters: Any) -> httpx.Response:
    return client.post("/saliency", files={"image": data}, params=parameters, headers={"Accept": accept})


SIGNS = ("positive", "negative", "absolute")


def test_json_says_everything(client: httpx.Client, cat: bytes) -> None:
    response = post(client, cat)
    assert response.status_code == 200
    answer = response.json()
    meta, (one,) = answer["meta"], answer["data"]
    assert meta["model"] == "squeezenet1_1"
    assert meta["weights_sha256"].startswith("f286bbf4")
    assert meta["provider"] == "cpu"
    assert meta["parameters"] == {
        "model": "squeezenet1_1", "resize": "squash", "decode": "exact", "class_id": None, "other_class_id": None,
        "method": "gradient", "mode": "now", "target": None, "box": None, "raw": False,
        "output": "heatmap", "sign": None, "colormap": "inferno", "opacity": 0.9, "smoothing": 0.0,
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
    heatmap = post(client, cat, raw=True).json()["data"][0]["heatmap"]
    assert float(raw.max()) == pytest.approx(heatmap["maximum"])
    assert base64.b64decode(heatmap["npy"]) == response.content
    assert post(client, cat).json()["data"][0]["heatmap"]["npy"] is None


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


def explained(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [one["explained"] for one in response.json()["data"]]


def test_every_method_answers_and_tells_its_parameters(client: httpx.Client, cat: bytes) -> None:
    for method in client.get("/methods").json():
        if method["needs"] is not None:
            continue
        least = {"samples": 12, "steps": 12, "masks": 12, "permutations": 2, "designs": 4, "channels": 12, "stride": 32}
        few = {name: number for name, number in least.items() if name in method["parameters"]}
        response = post(client, cat, method=method["name"], **few)
        (one,) = explained(response)
        assert one["warning"] == method["warning"]
        told = response.json()["meta"]["parameters"]
        assert method["parameters"].keys() <= told.keys()
        assert all(told[name] == number for name, number in few.items())
        assert "window" not in told or method["name"] == "occlusion"


def test_integrated_gradients_tell_their_completeness_error(client: httpx.Client, cat: bytes) -> None:
    (one,) = explained(post(client, cat, method="integrated_gradients", steps=64))
    assert abs(one["notes"]["completeness_error"]) < 0.05 * one["notes"]["score_difference"]


def test_a_parameter_of_another_method_is_refused(client: httpx.Client, cat: bytes) -> None:
    response = post(client, cat, method="smoothgrad", window=3)
    assert response.status_code == 422
    assert "smoothgrad does not take window; it takes samples, noise, seed" in response.json()["detail"]


def test_each_method_has_its_own_bounds(client: httpx.Client, cat: bytes) -> None:
    """Of `samples`, which several methods take."""
    for path in ("/saliency", "/evaluate"):
        refused = client.post(f"{path}?method=lime&samples=5", files={"image": cat})
        assert refused.status_code == 422
        assert "samples of lime: Input should be greater than or equal to 10" in refused.json()["detail"]
    as_job = client.post("/saliency?method=lime&samples=5000&mode=job", files={"image": cat})
    assert as_job.status_code == 202
    assert client.post("/saliency?method=smoothgrad&samples=5000", files={"image": cat}).status_code == 422


def test_a_layer_that_does_not_exist_is_answered_with_those_that_do(client: httpx.Client, cat: bytes) -> None:
    for response in (
        post(client, cat, method="grad_cam", layer="fire99"),
        client.post("/activations?layer=fire99", files={"image": cat}),
    ):
        assert response.status_code == 422
        assert "it has: " in response.json()["detail"]
        assert "fire9" in response.json()["detail"]


def test_several_classes_in_one_request(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    assert [one["class_id"] for one in explained(post(client, cat, class_id=[281, 285]))] == [281, 285]
    form = client.post("/saliency", files=[("image", cat), ("image", coffee)], data={"class_id": "281, 967"})
    assert [(one["image"], one["explained"]["class_id"]) for one in form.json()["data"]] == [
        (0, 281),
        (0, 967),
        (1, 281),
        (1, 967),
    ]
    single = picture(post(client, cat, "image/png").content)
    both = post(client, cat, "image/png", class_id=[281, 285])
    assert picture(both.content).shape == (single.shape[0], 2 * single.shape[1], 3)
    assert both.headers["convlens-class-id"] == "281, 285"
    assert post(client, cat, "application/x-npy", class_id=[281, 285]).status_code == 422


def test_a_contrast(client: httpx.Client, cat: bytes) -> None:
    (one,) = explained(post(client, cat, class_id=285, other_class_id=281))
    (first,), (second,) = explained(post(client, cat, class_id=285)), explained(post(client, cat, class_id=281))
    assert one["score"] == pytest.approx(first["score"] - second["score"], rel=1e-5)
    assert one["other_class_id"] == 281
    assert "other_class_id must be" in post(client, cat, other_class_id=1000).json()["detail"]


def test_the_sign_of_what_is_shown(client: httpx.Client, cat: bytes) -> None:
    shown = {
        sign: post(client, cat, "image/png", method="gradient_x_input", output="heatmap", sign=sign, colormap="gray")
        for sign in SIGNS
    }
    positive, negative, absolute = (picture(shown[sign].content)[..., 0] > 0 for sign in SIGNS)
    assert not (positive & negative).any()
    assert (positive | negative)[absolute].mean() > 0.99
    assert (
        shown["absolute"].content
        == post(client, cat, "image/png", method="gradient_x_input", output="heatmap", colormap="gray").content
    )


def test_what_takes_long_is_told_to_become_a_job(client: httpx.Client, cat: bytes) -> None:
    response = post(client, cat, method="rise", masks=5000)
    assert response.status_code == 422
    assert (
        "takes as long as 5001 runs of the network, a request may take 2000; send it with mode=job"
        in response.json()["detail"]
    )


def test_a_method_that_needs_what_the_network_has_not(client: httpx.Client, cat: bytes) -> None:
    response = post(client, cat, method="transformer_attribution")
    assert response.status_code == 422
    assert "squeezenet1_1 has no attention" in response.json()["detail"]


def test_a_classifier_predicts_classes(client: httpx.Client, cat: bytes) -> None:
    one = client.post("/predict", files={"image": cat}).json()["data"][0]
    assert (one["task"], one["predictions"][0]["name"]) == ("classification", "Egyptian cat")
