"""Networks of the ONNX model zoo inside the package onnx: IR version 3, weights among the inputs, opset 9."""

import gc
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from service.attribution import METHODS
from service.kinds.feature import ClassParameters
from service.kinds.run import Visualization
from service.models.drafting import Choices
from service.models.importing import add
from service.models.reading import read_onnx
from service.networks.checking import gradient_error, standalone
from service.networks.network import Network
from service.saliency.view import View

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
# All weights are constants, so that some scores hardly depend on the image.
DEPENDENT = ["light_inception_v1", "light_resnet50", "light_shufflenet", "light_squeezenet"]
LARGE = ["light_bvlc_alexnet", "light_zfnet512", "light_vgg19"]  # gigabytes each, so one after the other
INDEPENDENT = ["light_densenet121", "light_inception_v2"]


def added(name: str, folder: Path) -> Network:
    """The network as the service imports it."""
    return standalone(add(LIGHT / f"{name}.onnx", folder, Choices(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))))


@pytest.fixture(scope="module")
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """One at a time, for all tests of it."""
    return added(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("network", DEPENDENT, indirect=True)
def test_gradients_agree_with_differences_of_the_original(network: Network) -> None:
    compare_with_differences(network)


def test_gradients_of_the_large_ones_agree_too(tmp_path: Path) -> None:
    for name in LARGE:
        compare_with_differences(added(name, tmp_path))
        gc.collect()


@pytest.mark.parametrize("network", [*DEPENDENT, *INDEPENDENT], indirect=True)
def test_they_are_explained_and_drawn(network: Network) -> None:
    image = np.random.default_rng(0).random((3, 224, 224), np.float32)
    assert network.probabilities(network.classify(image[None])).sum() == pytest.approx(1, rel=1e-4)
    for method, parameters in (
        ("gradient", {}),
        ("grad_cam", {}),
        ("lrp", {}),
        ("deeplift", {}),
        ("occlusion", {"window": 112, "stride": 112}),
    ):
        chosen = METHODS[method]
        found = chosen.run(View(network, None), image, 7, chosen.parameters(**parameters))
        assert found.map.shape == (224, 224)
        assert np.isfinite(found.map).all()
        if method == "deeplift":
            assert abs(found.notes["completeness_error"]) <= 1e-3 * np.abs(found.map).sum() + 1e-6
    drawing = Visualization(network, ClassParameters(class_id=7, iterations=2, seed=1).completed(network))
    assert len(list(drawing.steps())) == 2
    assert drawing.picture().shape == (224, 224, 3)


def compare_with_differences(network: Network) -> None:
    """Compare a gradient with central differences of the untouched file."""
    mean, std = (np.array(v, np.float32)[:, None, None] for v in ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    image = np.random.default_rng(0).random((3, 224, 224), np.float32)
    at = network.value_and_grad(image[None], np.array([7]))
    proto = onnx.load(LIGHT / network.model.manifest.file)
    weights = {tensor.name for tensor in proto.graph.initializer}
    feed = next(value.name for value in proto.graph.input if value.name not in weights)
    # The original ends in a softmax; the value before it is compared.
    logits = next(node.input[0] for node in proto.graph.node if node.op_type == "Softmax")
    proto.graph.output.append(onnx.helper.make_tensor_value_info(logits, onnx.TensorProto.FLOAT, None))
    before = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])

    def score(pixels: np.ndarray) -> float:
        (values,) = before.run([logits], {feed: ((pixels - mean) / std)[None].astype(np.float32)})
        return float(values.reshape(-1)[7])

    assert at.logits[0, 7] == pytest.approx(score(image), rel=1e-4)
    gradient = at.gradients[0].astype(np.float64)
    slope = float(np.sqrt((gradient**2).sum()))
    direction = gradient / slope
    errors = [
        abs((score(image + s * direction) - score(image - s * direction)) / (2 * s) - slope) / slope
        for s in (0.03, 0.1, 0.3, 1.0)
    ]
    assert min(errors) < 2e-2


@pytest.mark.parametrize("network", INDEPENDENT, indirect=True)
def test_a_gradient_below_the_precision_of_the_score_is_not_judged(network: Network) -> None:
    assert gradient_error(network) is None


TOY = """<ir_version: 8, opset_import: ["": 18]> toy (float[N,3,S,S] x) => (float[N,2] y)
    <float[2,3,1,1] w = {1,2,3,4,5,6}> { c = Conv(x, w) a = GlobalAveragePool(c) y = Flatten(a) }"""


def test_nodes_in_any_order_and_sizes_of_minus_one(tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(TOY)
    nodes = list(proto.graph.node)[::-1]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    for axis in (0, 2, 3):
        proto.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = -1
    onnx.save(proto, tmp_path / "toy.onnx")
    read = read_onnx(tmp_path / "toy.onnx")
    assert [node.op_type for node in read.graph.node] == ["Conv", "GlobalAveragePool", "Flatten"]
    assert all(not dim.HasField("dim_value") for dim in list(read.graph.input[0].type.tensor_type.shape.dim)[2:])
    network = standalone(add(tmp_path / "toy.onnx", tmp_path / "models", Choices(labels=("a", "b"), mean=(0, 0, 0))))
    gradients = network.value_and_grad(np.zeros((1, 3, 8, 8), np.float32), np.array([1])).gradients
    np.testing.assert_allclose(gradients[0], np.array([4, 5, 6])[:, None, None] / 64 * np.ones((3, 8, 8)), rtol=1e-5)


def test_layers_of_a_network_with_channels_last(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["": 18]> toy (float[N,8,8,3] x) => (float[N,2] y)
        <float[2,3,1,1] w = {1,2,3,4,5,6}>
        { t = Transpose<perm=[0,3,1,2]>(x) c = Conv(t, w) r = Relu(c) a = GlobalAveragePool(r) y = Flatten(a) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "last.onnx")
    network = standalone(add(tmp_path / "last.onnx", tmp_path / "models", Choices(labels=("a", "b"))))
    assert {"c", "r"} <= set(network.layers)
    assert network.cam_layer == "r"
