"""The default network: its file, its names, and its gradient against independent formulations."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from service.autodiff import differentiate
from service.graphs.rewrites import simplify
from service.models import squeezenet
from service.models.build import build
from service.models.manifest import read
from service.models.weights import squeezenet_weights
from service.networks.network import Network
from service.networks.objectives import class_score
from service.networks.questions import CLASS_ID, D_SCORE, PREDICTED, SCORE
from service.pictures.decode import decode
from service.pictures.images import fit

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def proto(network: Network) -> onnx.ModelProto:
    return network.model.proto


def test_the_file_is_valid_and_standard(proto: onnx.ModelProto) -> None:
    onnx.checker.check_model(proto, full_check=True)
    assert {node.domain for node in proto.graph.node} == {""}
    assert proto.opset_import[0].version >= 18


def test_sizes_are_symbolic(proto: onnx.ModelProto) -> None:
    (image,) = proto.graph.input
    assert image.name == "image"
    assert [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim] == ["N", 3, "H", "W"]


def test_every_layer_of_the_manifest_is_a_value_of_the_graph(proto: onnx.ModelProto) -> None:
    values = {name for node in proto.graph.node for name in node.output}
    assert set(squeezenet.LAYERS) <= values
    assert {"conv1", *squeezenet.FIRES, "conv10", "logits"} <= values


def test_a_second_build_changes_nothing(tmp_path: Path) -> None:
    assert {p.name for p in build(tmp_path)} == {"squeezenet1_1.onnx", "squeezenet1_1.toml"}
    times = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    assert build(tmp_path) == []
    assert {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == times


def test_a_damaged_file_is_built_anew(tmp_path: Path) -> None:
    build(tmp_path)
    path = tmp_path / "squeezenet1_1.onnx"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert build(tmp_path) == [path]
    assert path.read_bytes() == whole


def test_a_build_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "squeezenet1_1.onnx"
    path.write_bytes(b"old")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        build(tmp_path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_manifest_in_the_repository_is_the_one_that_is_built() -> None:
    assert read(REPOSITORY / "onnx_models" / "squeezenet1_1.toml") == squeezenet.manifest()


@pytest.mark.parametrize("resize", ["squash", "crop", "native"])
def test_photographs_are_recognised(network: Network, cat: bytes, coffee: bytes, resize: str) -> None:
    def top(data: bytes) -> int:
        pixels = fit(decode(data, 10**7), (224, 224), 256 / 224, resize).pixels  # type: ignore[arg-type]
        return int(network.classify(pixels[None]).argmax())

    assert 281 <= top(cat) <= 285
    assert top(coffee) == 967


def in_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph computing in float64."""
    double = onnx.ModelProto()
    double.CopyFrom(model)
    for tensor in double.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    for value in [*double.graph.input, *double.graph.output]:
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    del double.graph.value_info[:]
    return double


def test_the_gradient_agrees_with_central_differences_in_float64(
    network: Network, proto: onnx.ModelProto, cat: bytes
) -> None:
    image = fit(decode(cat, 10**7), (47, 47), 1, "native").pixels[None, :, :, :53].astype(np.float64)
    double = in_float64(proto)
    forward = ReferenceEvaluator(double)
    seed = np.zeros((1, 1000))
    seed[0, 285] = 1.0
    gradient = ReferenceEvaluator(differentiate(double, of="logits", wrt="image"))
    (dx,) = gradient.run(["d_image"], {"image": image, "d_logits": seed})
    v = np.random.default_rng(0).normal(size=image.shape)
    step = 1e-7

    def score(at: np.ndarray) -> float:
        return float(forward.run(["logits"], {"image": at})[0][0, 285])

    expected = (score(image + step * v) - score(image - step * v)) / (2 * step)
    assert abs(expected) > 0.1
    assert np.sum(dx * v) == pytest.approx(expected, rel=1e-5)
    actual = network.value_and_grad(image.astype(np.float32), np.array([285])).gradients
    assert np.abs(actual - dx).max() / np.abs(dx).max() < 1e-4


@pytest.mark.parametrize("shape", [(224, 224), (75, 61)], ids=str)
def test_the_gradient_is_that_of_autograd_in_float64(network: Network, cat: bytes, shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch", reason="optional: pip install torch==2.13.0")
    from tests.models.torch_squeezenet import autograd

    image = cut_out(cat, shape)[None].astype(np.float64)
    scored = class_score(simplify(in_float64(network.model.proto)), network.model.manifest)
    graph = ReferenceEvaluator(differentiate(scored, of=SCORE, wrt="image"))
    ours = graph.run(["d_image"], {"image": image, CLASS_ID: np.array([285]), D_SCORE: np.ones(1)})[0]
    _, theirs = autograd(torch, squeezenet_weights(), image, np.array([285]))
    assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 1e-6


# Where an activation lies within rounding of a kink (a Relu at 0, two equal values under a max pool), the float32
# gradients of any two implementations differ by 1e-4 to 2e-2 of their norm, and so do PyTorch's gradients in float32
# and float64. Elsewhere they differ by 3e-7.
def test_the_gradient_agrees_with_autograd(network: Network, cat: bytes, coffee: bytes) -> None:
    torch = pytest.importorskip("torch", reason="optional: pip install torch==2.13.0")
    from tests.models.torch_squeezenet import autograd

    errors = []
    for data in (cat, coffee):
        for shape in ((224, 224), (227, 225), (193, 301), (225, 231), (301, 193)):
            images = np.stack([cut_out(data, shape)] * 2)
            at = network.value_and_grad(images, np.array([PREDICTED, 76]))
            logits, gradients = autograd(torch, squeezenet_weights(), images, at.class_ids)
            np.testing.assert_allclose(at.logits, logits, rtol=1e-4, atol=1e-4)
            errors += [
                float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(at.gradients, gradients, strict=True)
            ]
    print("relative errors:", " ".join(f"{error:.0e}" for error in sorted(errors)))
    assert np.median(errors) < 1e-6
    assert sum(error > 1e-4 for error in errors) <= len(errors) / 4


def cut_out(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """The upper left part of a photograph whose short side is 320 pixels."""
    return np.ascontiguousarray(fit(decode(data, 10**7), (320, 320), 1, "native").pixels[:, : shape[0], : shape[1]])
