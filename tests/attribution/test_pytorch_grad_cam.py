"""Class activation maps on SqueezeNet against pytorch-grad-cam on the same weights.

Grad-CAM++ is left out: there a constant of 1e-6 in the denominator outweighs the squares of gradients as small as
those of SqueezeNet, which changes its map by a third. Ours is checked against the formula in float64.

Optional: pip install --group bench, then pip install scikit-learn and pip install --no-deps grad-cam ttach.
"""

from typing import Any

import numpy as np
import pytest

from service.attribution import METHODS
from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import fit
from service.saliency.view import View
from tests.attribution.peers import stand_in_for_torchvision

torch = pytest.importorskip("torch", reason="optional: pip install --group bench")
pytest.importorskip("sklearn", reason="optional: pip install scikit-learn")
stand_in_for_torchvision()
peer = pytest.importorskip("pytorch_grad_cam", reason="optional: pip install --no-deps grad-cam ttach")

from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: E402

from tests.models.torch_modules import squeezenet  # noqa: E402

CLASS = 285
PEERS = {
    "grad_cam": "GradCAM",
    "layer_cam": "LayerCAM",
    "hires_cam": "HiResCAM",
    "grad_cam_elementwise": "GradCAMElementWise",
    "xgrad_cam": "XGradCAM",
    "eigen_cam": "EigenCAM",
    "eigen_grad_cam": "EigenGradCAM",
    "score_cam": "ScoreCAM",
    "ablation_cam": "AblationCAM",
}


def stretched(values: Any) -> Any:
    """The values from 0 to 1, as the peer gives them."""
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize("method", PEERS)
def test_activation_maps(network: Network, cat: bytes, method: str) -> None:
    image = fit(decode(cat, 10**7), (224, 224), 256 / 224, "squash").pixels
    theirs = squeezenet().requires_grad_()
    cam = getattr(peer, PEERS[method])(model=theirs, target_layers=[theirs[0][12]])
    expected = cam(torch.tensor(image[None]), [ClassifierOutputTarget(CLASS)])[0]
    chosen = METHODS[method]
    few = {"channels": 512} if "channels" in chosen.parameters.model_fields else {}
    found = chosen.run(View(network, None), image, CLASS, chosen.parameters(layer="fire9", **few)).map
    error = np.linalg.norm(stretched(found) - expected) / np.linalg.norm(expected)
    print(f"{method} relative error {error:.1e}")
    assert error < (5e-2 if method == "score_cam" else 1e-4)  # it scales masks with their corners aligned, we do not
