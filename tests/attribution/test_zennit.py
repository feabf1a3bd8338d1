"""Relevance propagation on SqueezeNet against zennit on the same weights.

Optional: pip install --group bench, then pip install --no-deps zennit. It asks for torchvision only to know its models.
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
stand_in_for_torchvision()
zennit = pytest.importorskip("zennit", reason="optional: pip install --no-deps zennit")

from zennit.attribution import Gradient  # noqa: E402 - needs torch
from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite  # noqa: E402
from zennit.rules import AlphaBeta, Epsilon, Gamma, Norm, Pass, ZBox, ZPlus  # noqa: E402
from zennit.types import Activation, AvgPool, Convolution  # noqa: E402

from tests.models.torch_modules import squeezenet  # noqa: E402

CLASS = 285
RULES = {
    "lrp_zero": ({}, Epsilon(0)),
    "lrp_epsilon": ({"epsilon": 0.5}, Epsilon(0.5)),
    "lrp_gamma": ({"gamma": 0.25}, Gamma(0.25)),
    "lrp_alpha_beta": ({"alpha": 2}, AlphaBeta(2, 1)),
    "lrp_z_plus": ({}, ZPlus()),
    "excitation_backprop": ({}, ZPlus(zero_params="bias")),
    "lrp": ({"gamma": 0.25}, Gamma(0.25)),
}


@pytest.mark.parametrize("method", RULES)
def test_relevance(network: Network, cat: bytes, method: str) -> None:
    values, rule = RULES[method]
    whole = squeezenet()
    pixels = whole[0][0]
    whole[0][0] = torch.nn.Identity()
    image = fit(decode(cat, 10**7), (224, 224), 256 / 224, "squash").pixels
    x = pixels(torch.tensor(image[None])).requires_grad_()

    layers: list[Any] = [(Activation, Pass()), (AvgPool, Norm()), (Convolution, rule)]
    low, high = (pixels(torch.full((1, 3, 1, 1), value)) for value in (0.0, 1.0))
    first = [(Convolution, ZBox(low, high))]
    composite = SpecialFirstLayerMapComposite(layers, first) if method == "lrp" else LayerMapComposite(layers)
    score = float(whole(x)[0, CLASS].detach())
    with Gradient(whole, composite) as attributor:
        _, expected = attributor(x, torch.eye(1000)[[CLASS]] * score)
    found = METHODS[method].run(View(network, None), image, CLASS, METHODS[method].parameters(**values)).map
    theirs = expected[0].sum(0).detach().numpy()
    error = float(np.linalg.norm(found - theirs) / np.linalg.norm(theirs))
    print(f"relative error {error:.1e}")
    assert error < 1e-5
