"""A network with a known formula: a small two-layer CNN in float64 NumPy with the interface of the real one."""

from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate
from scipy.special import softmax

from service.attribution import ValueAndGrad
from service.attribution.method import EXACT, Rules

BIASES = np.array([0.3, -0.2, 0.5, 0.1])


class Toy:
    """relu(conv3x3) gives a layer of 4 maps; the scores of 3 classes are weighted sums of the maps.

    Gradients are computed by the chain rule; rules of relevance, which are tested elsewhere, give the derivative.
    """

    cam_layer = "maps"
    pixel_layer = None

    def __init__(self, seed: int = 0, smooth: bool = False) -> None:
        rng = np.random.default_rng(seed)
        self.kernels = rng.normal(size=(4, 3, 3, 3))
        self.heads = rng.normal(size=(3, 4, 10, 12))
        self.smooth = smooth  # a softplus instead of the Relu, so that integrals converge fast
        self.images_seen = 0

    def before(self, image: Any) -> Any:
        image = image.astype(np.float64)
        return np.stack([correlate(image, k, mode="valid")[0] for k in self.kernels])

    def maps(self, image: Any) -> Any:
        z = self.before(image)
        return np.logaddexp(0, z) if self.smooth else z.clip(0)

    def logits64(self, image: Any) -> Any:
        return (self.heads * self.maps(image)).sum(axis=(1, 2, 3))

    def logits(self, images: Any, layer: str | None = None, values: Any = None) -> Any:
        self.images_seen += len(images)
        if layer is not None:
            return np.einsum("kchw,nchw->nk", self.heads, values).astype(np.float32)
        return np.stack([self.logits64(i) for i in images]).astype(np.float32)

    def parts(self, images: Any, class_ids: Any, part: str) -> Any:
        """As if each map had been given a bias of its own, or as if two blocks had attended to 6 x 7 patches."""
        at = self.value_and_grad(images, class_ids)
        if part == "bias":
            z, d = self.before(images[0]), self.heads[at.class_ids[0]]
            return at, [], [(d * (z > 0) * BIASES[:, None, None])[None].astype(np.float32)]
        rng = np.random.default_rng(9)
        values = softmax(rng.normal(size=(2, 1, 3, 43, 43)), axis=-1).astype(np.float32)
        return at, list(values), list(rng.normal(size=values.shape).astype(np.float32))

    def probabilities(self, images: Any) -> Any:
        return softmax(self.logits(images), axis=1)

    def of(self, values: Any, class_id: int) -> Any:
        return values[:, class_id]

    def gradient(self, image: Any, class_id: int, rules: Rules = EXACT) -> Any:
        z, d = self.before(image), self.heads[class_id]
        slope = 1 / (1 + np.exp(-z)) if self.smooth else (z > 0)
        d = {"exact": d * slope, "guided": d.clip(0) * slope, "deconvnet": d.clip(0)}.get(rules.name, d * slope)
        out = np.zeros(image.shape)
        for kernel, dz in zip(self.kernels, d, strict=True):
            for i, j in np.ndindex(3, 3):
                out[:, i : i + dz.shape[0], j : j + dz.shape[1]] += kernel[:, i, j][:, None, None] * dz
        return out

    def value_and_grad(
        self, images: Any, class_ids: Any, rules: Rules = EXACT, layer: str | None = None, references: Any = None
    ) -> ValueAndGrad:
        logits = self.logits(images)
        chosen = np.where(class_ids < 0, logits.argmax(axis=1), class_ids)
        at = images if layer is None else np.stack([self.maps(i) for i in images]).astype(np.float32)
        each = [self.heads[c] if layer else self.gradient(i, c, rules) for i, c in zip(images, chosen, strict=True)]
        scores = logits[np.arange(len(images)), chosen]
        return ValueAndGrad(logits, chosen, scores, np.zeros(len(images), bool), at, np.stack(each).astype(np.float32))


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def image() -> Any:
    return np.random.default_rng(1).random((3, 12, 14)).astype(np.float32)
