"""Networks that tell something else than the class of a picture."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from PIL import Image, ImageDraw

from service.errors import ModelError
from service.models.drafting import Choices, draft
from service.models.importing import add
from service.settings import Settings
from tests.api.drawings import DISC, SIZE, SQUARE, UNIT, drawn, explained, inside, png
from tests.conftest import eventually, serving
from tests.models.networks import COLOURS, classifier, embedder, segmenter, write


@pytest.fixture(scope="module")
def shapes() -> bytes:
    return drawn()


@pytest.fixture(scope="module")
def tasks(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("tasks")
    models, files = folder / "models", folder / "files"
    for name, model, choices in (
        ("colours", segmenter(), {"labels": COLOURS}),
        ("vectors", embedder(), {"task": "embedding"}),
        ("numbers", classifier(size=32), {"scores": "none"}),
        ("several", classifier(size=32), {"scores": "sigmoid"}),
    ):
        add(write(model, files, f"{name}.onnx"), models, Choices(name=name, **UNIT, **choices))  # type: ignore[arg-type]
    with serving(settings.model_copy(update={"models_dir": models, "default_model": "colours"})) as client:
        eventually(lambda: all(model["served"] for model in client.get("/models").json()))
        yield client


def predict(client: httpx.Client, model: str, **files: bytes) -> Any:
    response = client.post("/predict", files=files, params={"model": model})
    assert response.status_code == 200, response.text
    (one,) = response.json()["data"]
    return one


def test_models_tell_their_task(tasks: httpx.Client) -> None:
    found = {name: tasks.get(f"/models/{name}").json() for name in ("colours", "vectors", "numbers", "several")}
    assert [one["task"] for one in found.values()] == ["segmentation", "embedding", "regression", "multilabel"]
    assert found["colours"]["outputs"] == ["scores", "maps"]
    assert found["vectors"]["outputs"] == ["vector", "features"]


def test_a_segmentation_is_a_mask(tasks: httpx.Client, shapes: bytes) -> None:
    one = predict(tasks, "colours", image=shapes)
    assert one["task"] == "segmentation"
    assert one["predictions"] is None
    mask = one["mask"]
    levels = np.asarray(Image.open(io.BytesIO(base64.b64decode(mask["png"]))))
    assert levels.shape == (mask["height"], mask["width"]) == (64, 64)
    assert [each["name"] for each in mask["classes"]] == ["nothing", "blue", "red"]
    x, y = (SQUARE[0] + SQUARE[2]) // 2 * 64 // SIZE[0], (SQUARE[1] + SQUARE[3]) // 2 * 64 // SIZE[1]
    assert COLOURS[levels[y, x]] == "blue"
    for each in mask["classes"]:
        flat = np.repeat(np.arange(len(each["run_lengths"])) % 2, each["run_lengths"]).reshape(64, 64).T
        np.testing.assert_array_equal(flat == 1, levels == each["class_id"])
        assert each["share"] == pytest.approx((levels == each["class_id"]).mean())


def test_a_segmentation_is_a_picture(tasks: httpx.Client, shapes: bytes) -> None:
    response = tasks.post(
        "/predict", files={"image": shapes}, params={"model": "colours"}, headers={"Accept": "image/png"}
    )
    picture = np.asarray(Image.open(io.BytesIO(response.content)))
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    tints = {tuple(picture[y, x]) for x, y in ((35, 55), (150, 85), (5, 5))}
    assert len(tints) == 3


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients", "occlusion", "grad_cam", "lrp", "deeplift"])
@pytest.mark.parametrize(("name", "box"), [("red", DISC), ("blue", SQUARE)])
def test_the_map_of_a_region_lights_up_where_it_is(
    tasks: httpx.Client, shapes: bytes, method: str, name: str, box: tuple[int, int, int, int]
) -> None:
    few: dict[str, Any] = {"window": 4, "stride": 4} if method == "occlusion" else {}
    few |= {"layer": "e"} if method == "grad_cam" else {}
    target = f"region:{COLOURS.index(name)}"
    heat = explained(tasks, shapes, model="colours", target=target, method=method, **few)
    assert inside(heat, box) > 0.9
    y, x = np.unravel_index(np.abs(heat).argmax(), heat.shape)
    assert box[0] - 6 <= x * SIZE[0] / 64 <= box[2] + 6
    assert box[1] - 6 <= y * SIZE[1] / 64 <= box[3] + 6


def test_the_region_may_be_sent_along(tasks: httpx.Client, shapes: bytes) -> None:
    by_box = explained(
        tasks, shapes, model="colours", target="region:3", box=",".join(map(str, DISC)), method="gradient"
    )
    assert inside(by_box, DISC) > 0.9
    mask = Image.new("RGB", SIZE)
    ImageDraw.Draw(mask).rectangle((DISC[0], DISC[1], DISC[2] - 1, DISC[3] - 1), fill=(255, 255, 255))
    response = tasks.post(
        "/saliency",
        files={"image": shapes, "mask": png(mask)},
        params={"model": "colours", "target": "region:3"},
        headers={"Accept": "application/x-npy"},
    )
    np.testing.assert_allclose(np.load(io.BytesIO(response.content)), by_box, atol=1e-6)


def test_a_region_that_is_nowhere(tasks: httpx.Client, shapes: bytes) -> None:
    response = tasks.post("/saliency", files={"image": shapes}, params={"model": "colours", "target": "region:2"})
    assert response.status_code == 422
    assert "the network sees it nowhere" in response.json()["detail"]


def test_a_place_of_a_segmentation(tasks: httpx.Client, shapes: bytes) -> None:
    heat = explained(tasks, shapes, model="colours", target="output:maps[1, 30, 11]")
    y, x = np.nonzero(heat)
    assert (x.min(), x.max(), y.min(), y.max()) == pytest.approx((11, 11, 30, 30), abs=4)


def test_vectors(tasks: httpx.Client, shapes: bytes, cat: bytes) -> None:
    one = predict(tasks, "vectors", image=shapes, other=cat)
    assert one["task"] == "embedding"
    assert len(one["vector"]) == 8
    other = predict(tasks, "vectors", image=cat)["vector"]
    expected = np.dot(one["vector"], other) / np.linalg.norm(one["vector"]) / np.linalg.norm(other)
    assert one["similarity"] == pytest.approx(expected, rel=1e-4)
    response = tasks.post(
        "/saliency", files={"image": shapes, "other": cat}, params={"model": "vectors", "target": "similarity"}
    )
    assert response.status_code == 200, response.text
    (explanation,) = response.json()["data"]
    assert explanation["explained"]["score"] == pytest.approx(expected, rel=1e-4)


def test_numbers_and_several_classes(tasks: httpx.Client, cat: bytes) -> None:
    numbers = predict(tasks, "numbers", image=cat)
    assert list(numbers["values"]) == [f"class {i}" for i in range(7)]
    several = predict(tasks, "several", image=cat)["predictions"]
    applying = {name for name, value in numbers["values"].items() if value >= 0}
    assert {one["name"] for one in several} == applying
    assert all(one["probability"] >= 0.5 for one in several)


def test_what_does_not_belong_to_a_task(tasks: httpx.Client, shapes: bytes) -> None:
    for model, accept, files, words in (
        ("vectors", "image/png", {"image": shapes}, "has the task embedding"),
        ("colours", "application/json", {"image": shapes, "other": shapes}, "compared by an embedding"),
    ):
        response = tasks.post("/predict", files=files, params={"model": model}, headers={"Accept": accept})
        assert response.status_code == 422
        assert words in response.json()["detail"]


@pytest.mark.parametrize(
    ("options", "scores"),
    [
        ({}, "softmax"),
        ({"channels_last": True}, "softmax"),
        ({"activation": "Softmax<axis = 1>"}, "softmax"),
        ({"activation": "Sigmoid"}, "sigmoid"),
        ({"activation": "ArgMax<axis = 1>"}, "softmax"),
    ],
)
def test_segmentations_of_every_form(options: dict[str, Any], scores: str, tmp_path: Path) -> None:
    from service.networks.checking import standalone

    model = segmenter(**options)
    path = write(model, tmp_path)
    drafted = draft(onnx.load(path), path, Choices(labels=COLOURS)).manifest
    assert (drafted.task, drafted.scores, drafted.logits) == ("segmentation", scores, "scores")
    network = standalone(add(path, tmp_path / "models", Choices(labels=COLOURS, **UNIT)))  # type: ignore[arg-type]
    image = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    (expected,) = ReferenceEvaluator(segmenter(), None).run(["maps"], {"pixels": image})
    outputs = network.outputs(image)
    np.testing.assert_allclose(outputs[network.model.manifest.places or ""], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(outputs["scores"], expected.mean(axis=(2, 3)), rtol=1e-3, atol=1e-4)


def test_a_detector_is_not_taken_for_a_classifier(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 18]>
        detector (float[N, 3, 64, 64] pixels) => (float[N, 50, 4] boxes) { boxes = Reshape(pixels, shape) }"""
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1, 50, 4]), "shape"))
    path = write(model, tmp_path)
    with pytest.raises(ModelError, match="for a segmentation"):
        draft(onnx.load(path), path, Choices())
