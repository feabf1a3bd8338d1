"""Detectors: what they find, and which pixels a detection or one of its sides depends on."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from PIL import Image

from service.attribution import Floats
from service.models.drafting import Choices, draft
from service.models.importing import add
from service.networks.checking import standalone
from service.networks.network import Network
from service.saliency.detections import detect
from service.saliency.grammar import parse
from service.saliency.targets import NOTHING, resolve
from service.settings import Settings
from tests.api.drawings import DISC, SQUARE, UNIT, drawn, explained, inside
from tests.conftest import eventually, serving
from tests.models.networks import detector, write

FORMS = ("pair", "wide", "tall", "suppressed")
NAMES = ("red", "green", "blue")


def opened(form: str, folder: Path) -> Network:
    path = write(detector(form), folder, f"{form}.onnx")
    return standalone(add(path, folder / "models", Choices(name=form, labels=NAMES, **UNIT)))  # type: ignore[arg-type]


def pixels_of(picture: bytes) -> Floats:
    pixels = np.asarray(Image.open(io.BytesIO(picture)).resize((64, 64)), np.float32).transpose(2, 0, 1) / 255
    return np.ascontiguousarray(pixels)


@pytest.fixture(scope="module")
def shapes() -> bytes:
    return drawn()


@pytest.fixture(scope="module")
def detectors(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("detectors")
    for form in FORMS:
        opened(form, folder)
    with serving(settings.model_copy(update={"models_dir": folder / "models", "default_model": "pair"})) as client:
        eventually(lambda: all(model["served"] for model in client.get("/models").json()))
        yield client


@pytest.mark.parametrize("form", FORMS)
def test_detectors_are_told_from_their_outputs(form: str, tmp_path: Path) -> None:
    path = write(detector(form), tmp_path)
    drafted = draft(onnx.load(path), path, Choices())
    manifest = drafted.manifest
    assert (manifest.task, len(manifest.labels), manifest.logits) == ("detection", 3, "scores")
    assert manifest.detection is not None
    assert manifest.detection.unit == ("picture" if form == "pair" else "pixel")
    assert manifest.detection.classes_first == (form == "suppressed")
    assert manifest.scores == ("softmax" if form == "pair" else "none")
    assert "taken" in drafted.guesses["scores"]


@pytest.mark.parametrize("form", FORMS)
def test_objects_are_where_they_are(detectors: httpx.Client, shapes: bytes, form: str) -> None:
    response = detectors.post("/predict", files={"image": shapes}, params={"model": form})
    assert response.status_code == 200, response.text
    (one,) = response.json()["data"]
    assert one["task"] == "detection"
    found = one["objects"]
    assert {each["name"] for each in found} == {"red", "blue"}
    probabilities = [each["probability"] for each in found]
    assert probabilities == sorted(probabilities, reverse=True)
    for each in found:
        left, upper, right, lower = each["box"]
        x, y = (left + right) / 2, (upper + lower) / 2
        box = DISC if each["name"] == "red" else SQUARE
        assert box[0] - 13 <= x <= box[2] + 13
        assert box[1] - 8 <= y <= box[3] + 8
    picture = detectors.post(
        "/predict", files={"image": shapes}, params={"model": form}, headers={"Accept": "image/png"}
    )
    assert Image.open(io.BytesIO(picture.content)).size == (200, 120)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["gradient", "integrated_gradients", "occlusion", "lrp_epsilon"])
def test_a_detection_depends_on_its_object(
    detectors: httpx.Client,
    shapes: bytes,
    form: str,
    method: str,
) -> None:
    found = detectors.post("/predict", files={"image": shapes}, params={"model": form}).json()["data"][0]["objects"]
    few: dict[str, Any] = {"window": 8, "stride": 8} if method == "occlusion" else {}
    for rank, each in enumerate(found[:3]):
        heat = explained(detectors, shapes, model=form, target=f"detection:{rank}", method=method, **few)
        assert inside(heat, DISC if each["name"] == "red" else SQUARE, margin=20) > 0.9


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("side", ["left", "right", "upper", "lower"])
def test_sides_against_central_differences(form: str, side: str, tmp_path: Path, shapes: bytes) -> None:
    network = opened(form, tmp_path)
    image = pixels_of(shapes)
    target = resolve(network, image, parse(f"detection:0.{side}"), NOTHING)
    at = network.value_and_grad(image[None], target=target)
    first = detect(network, network.outputs(image[None]), (64, 64))[0]
    place = first.box[("left", "upper", "right", "lower").index(side)] * (1 if form == "pair" else 64)
    assert at.scores[0] == pytest.approx(place, rel=1e-5)
    step = 0.5 * at.gradients / np.linalg.norm(at.gradients)
    ahead, behind = (float(network.score(image[None] + s, target)[0]) for s in (step, -step))
    assert ahead - behind == pytest.approx(float(np.linalg.norm(at.gradients)), rel=2e-2)


def test_boxes_of_one_object_are_taken_together(tmp_path: Path) -> None:
    network = opened("pair", tmp_path)
    assert network.model.manifest.detection is not None
    scores = np.full((1, 64, 4), -9, np.float32)
    boxes = np.tile(np.array([0.8, 0.8, 0.1, 0.1], np.float32), (1, 64, 1))
    scores[0, [3, 5, 7, 9], [0, 0, 1, 0]] = (5, 4, 3, 2)
    boxes[0, [3, 5, 7]] = [(0.3, 0.3, 0.2, 0.2), (0.31, 0.3, 0.2, 0.2), (0.3, 0.3, 0.2, 0.2)]
    found = detect(network, {"logits": scores, "boxes": boxes}, (64, 64))
    assert [(each.row, each.class_id) for each in found] == [(3, 0), (7, 1), (9, 0)]
    assert found[0].box == pytest.approx((0.2, 0.2, 0.4, 0.4))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("detection:99", "there is no detection:99"),
        ("match:99", "there is no match:99"),
        ("detection:0.top", "a target is a sum of"),
        ("region:1", "is no"),
    ],
)
def test_what_is_wrong_is_told(detectors: httpx.Client, shapes: bytes, target: str, words: str) -> None:
    response = detectors.post("/saliency", files={"image": shapes}, params={"target": target, "model": "pair"})
    assert response.status_code == 422
    assert words in response.json()["detail"]


def test_classes_are_explained_by_their_best_box(detectors: httpx.Client, shapes: bytes) -> None:
    for name, box in (("red", DISC), ("blue", SQUARE)):
        heat = explained(detectors, shapes, model="pair", class_id=NAMES.index(name))
        assert inside(heat, box, margin=20) > 0.9


@pytest.mark.parametrize("form", FORMS)
def test_scores_of_detections_against_central_differences(form: str, tmp_path: Path, shapes: bytes) -> None:
    network = opened(form, tmp_path)
    image = pixels_of(shapes)
    target = resolve(network, image, parse("detection:0 - 0.5*detection:1"), NOTHING)
    at = network.value_and_grad(image[None], target=target)
    step = 0.05 * at.gradients / np.linalg.norm(at.gradients)
    ahead, behind = (float(network.score(image[None] + s, target)[0]) for s in (step, -step))
    assert (ahead - behind) / 0.1 == pytest.approx(float(np.linalg.norm(at.gradients)), rel=2e-2)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_like_a_detection_against_the_paper(form: str, tmp_path: Path, shapes: bytes) -> None:
    network = opened(form, tmp_path)
    image = pixels_of(shapes)
    target = resolve(network, image, parse("match:1"), NOTHING)
    first = detect(network, network.outputs(image[None]), (64, 64))[1]
    for other in (image, image[:, ::-1].copy(), image * 0.7):
        outputs = network.outputs(other[None])
        detection = network.model.manifest.detection
        assert detection is not None
        scores = network.probabilities(outputs[detection.scores][0])[:, :3]
        wanted = network.probabilities(network.outputs(image[None])[detection.scores][0])[first.row, :3]
        corners = []
        for a, b, c, d in outputs[detection.boxes][0] * (1 if form == "pair" else 1 / 64):
            corners.append((b, a, d, c) if form == "suppressed" else (a - c / 2, b - d / 2, a + c / 2, b + d / 2))
        expected = max(
            intersection_over_union(box, first.box)
            * float(row @ wanted / np.linalg.norm(row) / np.linalg.norm(wanted) * row.max())
            for box, row in zip(corners, scores, strict=True)
        )
        assert network.score(other[None], target)[0] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    at = network.value_and_grad(image[None], target=target)
    step = 0.02 * at.gradients / np.linalg.norm(at.gradients)
    ahead, behind = (float(network.score(image[None] + s, target)[0]) for s in (step, -step))
    assert (ahead - behind) / 0.04 == pytest.approx(float(np.linalg.norm(at.gradients)), rel=2e-2)


def intersection_over_union(one: Sequence[float], other: Sequence[float]) -> float:
    def area(left: float, upper: float, right: float, lower: float) -> float:
        return max(right - left, 0) * max(lower - upper, 0)

    common = area(max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3]))
    return common / (area(*one) + area(*other) - common)


@pytest.mark.parametrize("form", FORMS)
def test_the_black_box_map_of_a_detection(detectors: httpx.Client, shapes: bytes, form: str) -> None:
    found = detectors.post("/predict", files={"image": shapes}, params={"model": form}).json()["data"][0]["objects"]
    rank = next(i for i, each in enumerate(found) if each["name"] == "blue")
    heat = explained(
        detectors, shapes, model=form, target=f"match:{rank}", method="rise", masks=400, cells=8, fill="black"
    )
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert SQUARE[0] - 6 <= x * 200 / 64 <= SQUARE[2] + 6
    assert SQUARE[1] - 6 <= y * 120 / 64 <= SQUARE[3] + 6
