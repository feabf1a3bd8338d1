"""XRAI and guided integrated gradients on SqueezeNet against the package of their authors (PAIR saliency).

Optional: pip install --no-deps saliency.
"""

from typing import Any

import numpy as np
import pytest

from service.attribution import METHODS
from service.attribution.regions import ranked
from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import fit
from service.saliency.view import View

peer = pytest.importorskip("saliency.core", reason="optional: pip install --no-deps saliency")

CLASS = 285


@pytest.fixture(scope="module")
def image(cat: bytes) -> Any:
    return fit(decode(cat, 10**7), (224, 224), 256 / 224, "squash").pixels


@pytest.fixture
def gradients(network: Network) -> Any:
    """What the package asks for gradients: pictures (n, H, W, 3) in, their gradients out."""

    def call(pictures: Any, call_model_args: Any, expected_keys: Any) -> dict[str, Any]:
        images = np.asarray(pictures, np.float32).transpose(0, 3, 1, 2)
        at = network.value_and_grad(images, np.full(len(images), CLASS))
        return {peer.INPUT_OUTPUT_GRADIENTS: at.gradients.transpose(0, 2, 3, 1)}

    return call


def ours(network: Network, image: Any, name: str, **parameters: Any) -> Any:
    method = METHODS[name]
    return method.run(View(network, None), image, CLASS, method.parameters(**parameters)).map


def error(found: Any, expected: Any) -> float:
    value = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    print(f"relative error {value:.1e}")
    return value


def test_guided_integrated_gradients(
    network: Network, image: Any, gradients: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ours(network, image, "guided_integrated_gradients", steps=20)
    quantile = np.quantile
    monkeypatch.setattr(np, "quantile", lambda a, q, interpolation: quantile(a, q, method=interpolation))  # as it was
    theirs = peer.GuidedIG().GetMask(
        image.transpose(1, 2, 0), gradients, x_baseline=None, x_steps=20, fraction=0.25, max_dist=0.02
    )
    assert error(found, theirs.sum(axis=2)) < 1e-2


def test_xrai_ranks_as_its_authors_do(network: Network, image: Any, gradients: Any) -> None:
    """From the same attributions and segments; the segments themselves come from scikit-image in both."""
    black = ours(network, image, "integrated_gradients", steps=10)
    rng = np.random.default_rng(0)
    labels = [np.kron(rng.permutation(49).reshape(7, 7), np.ones((32, 32), int)), np.indices((224, 224))[0] // 20]
    masks = [part == k for part in labels for k in np.unique(part)]
    theirs = peer.XRAI().GetMask(
        image.transpose(1, 2, 0), gradients, base_attribution=np.repeat(black[..., None], 3, 2), segments=masks,
        extra_parameters=peer.XRAIParameters(algorithm="full"),
    )  # fmt: skip
    assert error(ranked(black.astype(float), masks), theirs) < 1e-3
