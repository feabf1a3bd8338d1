"""The methods on SqueezeNet against Captum on the same weights. Optional: pip install --group bench."""

from typing import Any

import numpy as np
import pytest

from service.attribution import METHODS
from service.attribution.conductance import conductance
from service.attribution.method import Stepwise
from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import fit
from service.saliency.view import View

torch = pytest.importorskip("torch", reason="optional: pip install --group bench")
captum = pytest.importorskip("captum.attr", reason="optional: pip install --group bench")

from tests.autodiff.test_deeplift import multipliers  # noqa: E402
from tests.autodiff.test_relevance import model_of  # noqa: E402
from tests.models.torch_modules import squeezenet  # noqa: E402 - needs torch

CLASS = 285
PLAIN = """
    <ir_version: 8, opset_import: ["" : 18]>
    plain (double[N, 2, 4, 4] x) => (double[N, 1] score)
    <double[3, 2, 3, 3] first, double[3] first_bias, double[3, 3, 3, 3] second, double[3] second_bias,
     double[1, 3] dense, double[1] dense_bias>
    {
      a = Conv<pads = [1, 1, 1, 1]>(x, first, first_bias)
      b = Relu(a)
      c = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(b)
      d = Conv<pads = [1, 1, 1, 1]>(c, second, second_bias)
      e = Softplus(d)
      f = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(e)
      g = Flatten(f)
      h = Gemm<transB = 1>(g, dense, dense_bias)
      score = Sigmoid(h)
    }
"""


@pytest.fixture(scope="module")
def theirs() -> Any:
    return squeezenet()


@pytest.fixture(scope="module")
def image(cat: bytes) -> Any:
    return fit(decode(cat, 10**7), (224, 224), 256 / 224, "squash").pixels


def ours(network: Network, image: Any, name: str, **parameters: Any) -> Any:
    method = METHODS[name]
    return method.run(View(network, None), image, CLASS, method.parameters(**parameters)).map


def error(found: Any, expected: Any) -> float:
    """The relative error of the norm.

    Single values differ where an activation lies within rounding of a kink; see tests/models/test_squeezenet.py.
    """
    value = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    print(f"relative error {value:.1e}")
    return value


def test_gradient_x_input(network: Network, theirs: Any, image: Any) -> None:
    expected = captum.InputXGradient(theirs).attribute(torch.tensor(image[None], requires_grad=True), target=CLASS)
    assert error(ours(network, image, "gradient_x_input"), expected[0].sum(0).detach().numpy()) < 1e-2


def test_integrated_gradients(network: Network, theirs: Any, image: Any) -> None:
    attribute = captum.IntegratedGradients(theirs).attribute
    expected = attribute(
        torch.tensor(image[None]), torch.zeros(1, 3, 224, 224), CLASS, n_steps=20, method="riemann_middle"
    )
    found = ours(network, image, "integrated_gradients", steps=20, baseline="black")
    assert error(found, expected[0].sum(0).detach().numpy()) < 1e-2


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize(("name", "peer"), [("guided_backprop", "GuidedBackprop"), ("deconvnet", "Deconvolution")])
def test_relu_variants(network: Network, theirs: Any, image: Any, name: str, peer: str) -> None:
    expected = getattr(captum, peer)(theirs).attribute(torch.tensor(image[None], requires_grad=True), target=CLASS)
    assert error(ours(network, image, name), expected[0].abs().amax(0).detach().numpy()) < 1e-2


def test_grad_cam(network: Network, theirs: Any, image: Any) -> None:
    layer = theirs[0][12]
    cam = captum.LayerGradCam(theirs, layer).attribute(torch.tensor(image[None]), target=CLASS, relu_attributions=True)
    expected = (
        torch.nn.functional.interpolate(cam, (224, 224), mode="bilinear", align_corners=False)[0, 0].detach().numpy()
    )
    assert error(ours(network, image, "grad_cam", layer="fire9"), expected) < 1e-4


def test_occlusion(network: Network, theirs: Any, image: Any) -> None:
    with torch.no_grad():
        expected = captum.Occlusion(theirs).attribute(
            torch.tensor(image[None]), sliding_window_shapes=(3, 40, 40), strides=(3, 24, 24), baselines=0, target=CLASS
        )
    found = ours(network, image, "occlusion", window=40, stride=24, fill="black")
    assert error(found, expected[0, 0].numpy()) < 1e-3


@pytest.mark.parametrize("layer", ["fire9", "fire4"])
def test_conductance(network: Network, theirs: Any, image: Any, layer: str) -> None:
    """Captum takes the gradient at one end of each part of the path: both ways together it is that at both ends."""
    attribute = captum.LayerConductance(theirs, theirs[0][{"fire9": 12, "fire4": 6}[layer]]).attribute
    picture, black = torch.tensor(image[None]), torch.zeros(1, 3, 224, 224)
    there = attribute(picture, black, CLASS, n_steps=16, method="riemann_trapezoid")
    back = attribute(black, picture, CLASS, n_steps=16, method="riemann_trapezoid")
    expected = (there - back)[0].detach().numpy() / 2
    start = np.zeros_like(image)
    found = Stepwise(conductance(View(network, None), image, CLASS, layer, start, 16)).finish()
    assert error(found.values, expected) < 1e-2


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks")
def test_deeplift() -> None:
    """On a network without max pools, in which Captum 0.9 loses contributions.

    For SqueezeNet its map sums up to 11.6 where the scores differ by 28.8, as ours does.
    """
    torch.manual_seed(0)
    layers = torch.nn
    theirs = layers.Sequential(
        *(layers.Conv2d(2, 3, 3, padding=1), layers.ReLU(), layers.AvgPool2d(2), layers.Conv2d(3, 3, 3, padding=1)),
        *(layers.Softplus(), layers.AvgPool2d(2), layers.Flatten(), layers.Linear(3, 1), layers.Sigmoid()),
    ).double()
    parameters = {name: value.detach().numpy() for name, value in theirs.named_parameters()}
    names = ("first", "first_bias", "second", "second_bias", "dense", "dense_bias")
    model = model_of(PLAIN, dict(zip(names, parameters.values(), strict=True)))
    x, x0 = np.random.default_rng(0).normal(size=(2, 2, 4, 4))
    at = torch.tensor(x[None], requires_grad=True)
    expected = captum.DeepLift(theirs).attribute(at, torch.tensor(x0[None]))[0].detach().numpy()
    _, found = multipliers(model, x, x0)
    np.testing.assert_allclose(found * (x - x0), expected, rtol=1e-5, atol=1e-9)
