"""A network that was trained to tell drawn shapes: its maps point at the right one, whatever its task."""

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from service.attribution import METHODS
from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import standalone
from service.networks.network import Network
from service.saliency.detections import detect
from service.saliency.grammar import parse
from service.saliency.targets import NOTHING, Beside, resolve
from service.saliency.view import View
from tests.api.drawings import UNIT
from tests.models import shapes
from tests.models.networks import write

CHOICES: dict[str, dict[str, Any]] = {
    "detector": {"labels": shapes.KINDS},
    "segmenter": {"labels": (*shapes.KINDS, "nothing")},
    "several": {"labels": shapes.KINDS, "scores": "sigmoid"},
    "number": {"scores": "none"},
    "vector": {"task": "embedding"},
}
PICTURES = 20
MARGIN = 1  # pixel
SMOOTHING = 1.5  # pixels, as that of overlays
LEAST = 0.9  # of the maxima are where they belong


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    folder = tmp_path_factory.mktemp("shapes")
    found = {}
    for task, choices in CHOICES.items():
        path = write(shapes.network_for(task), folder, f"{task}.onnx")
        found[task] = standalone(add(path, folder / "models", Choices(name=task, **UNIT, **choices)))
    return found


@pytest.fixture(scope="module")
def drawn() -> shapes.Drawn:
    return shapes.draw(PICTURES, seed=7, least=len(shapes.KINDS))


@pytest.fixture(scope="module")
def alone() -> list[Any]:
    """A picture with nothing but the shape, for each kind."""
    many = shapes.draw(100, seed=9)
    there = np.isfinite(many.boxes[..., 0])
    return [
        many.images[int(np.flatnonzero(there[:, k] & (there.sum(axis=1) == 1))[0])] for k in range(len(shapes.KINDS))
    ]


def target_of(network: Network, image: Any, kind: int, alone: list[Any]) -> Any:
    """What says that there is a shape of the kind; None where the network does not see it."""
    task = network.model.manifest.task
    if task == "detection":
        found = detect(network, network.outputs(image[None]), image.shape[1:])
        rank = next((i for i, each in enumerate(found) if each.class_id == kind), None)
        return None if rank is None else resolve(network, image, parse(f"detection:{rank}"), NOTHING)
    if task == "embedding":
        return resolve(network, image, parse("similarity"), Beside(None, alone[kind]))
    text = (
        f"region:{kind}" if task == "segmentation" else f"log_odds:{kind}" if task == "multilabel" else "output:size[0]"
    )
    return resolve(network, image, parse(text), NOTHING)


def points_at(network: Network, image: Any, target: Any, method: str, values: dict[str, Any]) -> tuple[int, int]:
    """Where the map is hottest, column and row."""
    chosen = METHODS[method]
    heat = chosen.run(View(network, None, target), image, 0, chosen.parameters(**values)).map
    heat = gaussian_filter(np.abs(heat) if chosen.sign == "absolute" else heat, SMOOTHING)
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    return int(x), int(y)


@pytest.mark.parametrize(
    ("task", "method", "values"),
    [
        ("detector", "gradient", {}),
        ("detector", "deeplift", {}),
        ("detector", "grad_cam", {}),
        ("segmenter", "gradient", {}),
        ("segmenter", "lrp", {}),
        ("segmenter", "grad_cam", {}),
        ("several", "grad_cam", {}),
        ("several", "gradient", {}),
        ("number", "lrp", {}),
        ("number", "grad_cam", {}),
        ("vector", "deeplift", {}),
        ("vector", "rise", {"masks": 200, "cells": 6}),
    ],
)
def test_the_map_lights_up_on_the_right_shape(
    networks: dict[str, Network],
    drawn: shapes.Drawn,
    alone: list[Any],
    task: str,
    method: str,
    values: dict[str, Any],
) -> None:
    """The pointing game (Zhang et al. 2016, Top-down Neural Attention, section 4.1), among three shapes."""
    hits = []
    for image, boxes in zip(drawn.images, drawn.boxes, strict=True):
        for kind in range(1 if task == "number" else len(shapes.KINDS)):
            target = target_of(networks[task], image, kind, alone)
            if target is None:
                hits.append(False)
                continue
            x, y = points_at(networks[task], image, target, method, values)
            left, upper, right, lower = boxes[kind]
            hits.append(left - MARGIN <= x < right + MARGIN and upper - MARGIN <= y < lower + MARGIN)
    assert np.mean(hits) >= LEAST, np.mean(hits)
