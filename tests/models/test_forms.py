"""Files of every form that people have: added, classified, explained, drawn, and compared with the untouched file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper
from scipy.signal import correlate

from service.attribution import METHODS
from service.kinds.feature import ClassParameters
from service.kinds.run import Visualization
from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import check, smooth_image, standalone
from service.networks.network import Network
from service.networks.questions import Quantity, Target, Term
from service.saliency.view import View
from tests.models.networks import write

Array = np.ndarray[Any, Any]
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass
class Form:
    """A file and what its input is for an image (3, H, W) in [0, 1].

    Attributes:
        input: The input as ONNX text.
        body: The nodes up to ``scores``.
        size: Height and width of the picture.
        feed: What the original gets for one image, with its batch axis.
        scores: What the manifest is to say of the scores.
        classes: How many there are.
        channels: Those of the convolution.
        head: What follows the scores, and the outputs.
        choices: What the user says.
        type: The type of the weights.
        opset: The opset.
        ir_version: The version of the format.
    """

    input: str
    body: str
    size: tuple[int, int]
    feed: Callable[[Array], Array]
    scores: str = "softmax"
    classes: int = 3
    channels: int = 3
    head: str = "y = Softmax<axis=1>(scores)"
    outputs: str = "float[N,K] y"
    choices: Choices = field(default_factory=lambda: Choices(preprocessing="unit"))
    type: str = "float"
    opset: int = 13
    ir_version: int = 8

    def model(self) -> onnx.ModelProto:
        """The file, with weights drawn at random."""
        numpy_type = {"float": np.float32, "double": np.float64, "float16": np.float16}[self.type]
        rng = np.random.default_rng(1)
        weights: dict[str, Array] = {
            "w": rng.normal(size=(5, self.channels, 3, 3)).astype(numpy_type),
            "m": (rng.normal(size=(5, self.classes)) * 3).astype(numpy_type),
        }
        text = (
            f'<ir_version: {self.ir_version}, opset_import: ["": {self.opset}]> g ({self.input}) => ({self.outputs}) '
            f"<float[1] unused = {{0}}> {{ {self.body} {self.head} }}"
        )
        model = onnx.parser.parse_model(text)
        del model.graph.initializer[:]
        used = {name for node in model.graph.node for name in node.input}
        extra = {
            "flat_size": np.array([0, self.channels, *self.size]),
            "byte_scale": np.array(1 / 255, np.float32),
            "byte_zero": np.array(0, np.uint8),
            "one": np.array([1]),
        }
        model.graph.initializer.extend(
            numpy_helper.from_array(array, name) for name, array in (weights | extra).items() if name in used
        )
        if self.ir_version < 4:
            model.graph.input.extend(
                helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in model.graph.initializer
            )
        return model


# A smooth network, so that differences are exact: a convolution, a mean over places, a matrix.
NET = """c = Conv<pads=[1,1,1,1], strides=[2,2]>(p, w) r = Tanh(c)
    a = GlobalAveragePool(r) f = Flatten(a) scores = MatMul(f, m)"""


def chw(image: Array) -> Array:
    return image[None].astype(np.float32)


def hwc(image: Array) -> Array:
    return image.transpose(1, 2, 0)[None].astype(np.float32)


def grey(image: Array) -> Array:
    return np.tensordot(LUMA, image, axes=1)[None, None].astype(np.float32)


def as_p(node: str) -> str:
    return f"p = {node} {NET}"


FORMS = {
    "weights among the inputs, one channel, IR 3, opset 8": Form(
        "float[1,1,28,28] x", as_p("Identity(x)"), (28, 28), grey, channels=1, ir_version=3, opset=8
    ),
    "wide, channels last": Form("float[N,48,96,3] x", as_p("Transpose<perm=[0,3,1,2]>(x)"), (48, 96), hwc),
    "high, fixed": Form("float[N,3,60,24] x", as_p("Identity(x)"), (60, 24), chw),
    "one side fixed": Form(
        "float[N,3,32,W] x", as_p("Identity(x)"), (32, 80), chw, choices=Choices(preprocessing="unit", size=(32, 80))
    ),
    "alpha": Form(
        "float[N,4,32,32] x",
        as_p("Identity(x)"),
        (32, 32),
        lambda image: np.concatenate([chw(image), np.ones((1, 1, *image.shape[1:]), np.float32)], axis=1),
        channels=4,
    ),
    "bytes behind a cast": Form(
        "uint8[N,32,32,3] x",
        f"i = Cast<to=1>(x) s = Mul(i, byte_scale) {as_p('Transpose<perm=[0,3,1,2]>(s)')}",
        (32, 32),
        lambda image: hwc(image * 255),
        choices=Choices(),
    ),
    "bytes that are dequantized": Form(
        "uint8[N,3,32,32] x",
        f"d = DequantizeLinear(x, byte_scale, byte_zero) {as_p('Identity(d)')}",
        (32, 32),
        lambda image: chw(image * 255),
        choices=Choices(),
    ),
    "half precision": Form(
        "float16[N,3,32,32] x", as_p("Identity(x)"), (32, 32), chw, type="float16", outputs="float16[N,K] y"
    ),
    "double precision": Form(
        "double[N,3,32,32] x", as_p("Identity(x)"), (32, 32), chw, type="double", outputs="double[N,K] y"
    ),
    "no axis of channels": Form(
        "float[N,28,28] x", as_p("Unsqueeze(x, one)"), (28, 28), lambda image: grey(image)[:, 0], channels=1
    ),
    "flat": Form(
        "float[N,784] x", as_p("Reshape(x, flat_size)"), (28, 28), lambda image: grey(image).reshape(1, -1), channels=1
    ),
    "batch of four": Form(
        "float[4,3,32,32] x",
        as_p("Identity(x)"),
        (32, 32),
        lambda image: chw(image).repeat(4, axis=0),
        outputs="float[4,K] y",
    ),
    "several outputs": Form(
        "float[N,3,32,32] x",
        as_p("Identity(x)"),
        (32, 32),
        chw,
        head="y = Softmax<axis=1>(scores) t = Tanh(scores)",
        outputs="float[N,5,16,16] r, float[N,K] t, float[N,K] y",
        choices=Choices(preprocessing="unit", output="y"),
    ),
    "the class instead of scores": Form(
        "float[N,3,32,32] x",
        as_p("Identity(x)"),
        (32, 32),
        chw,
        head="y = ArgMax<axis=1, keepdims=0>(scores)",
        outputs="int64[N] y",
    ),
    "one sigmoid": Form(
        "float[N,3,32,32] x",
        as_p("Identity(x)"),
        (32, 32),
        chw,
        scores="sigmoid",
        classes=1,
        head="y = Sigmoid(scores)",
    ),
    "one number": Form(
        "float[N,3,32,32] x", as_p("Identity(x)"), (32, 32), chw, scores="none", classes=1, head="y = Identity(scores)"
    ),
    "several sigmoids": Form(
        "float[N,3,32,32] x", as_p("Identity(x)"), (32, 32), chw, scores="sigmoid", head="y = Sigmoid(scores)"
    ),
    "a softmax written out": Form(
        "float[N,3,32,32] x",
        as_p("Identity(x)"),
        (32, 32),
        chw,
        head="h = ReduceMax<axes=[1]>(scores) s = Sub(scores, h) e = Exp(s) t = ReduceSum(e, one) y = Div(e, t)",
    ),
    "an input that nothing needs": Form("float[N,3,32,32] x, float[1] unneeded", as_p("Identity(x)"), (32, 32), chw),
}


def added(form: Form, folder: Path) -> Network:
    (folder / "from").mkdir()
    onnx.save(form.model(), folder / "from" / "a file.onnx")
    place = add(folder / "from" / "a file.onnx", folder / "models", form.choices)
    check(place)
    return standalone(place)


def original(form: Form) -> Callable[[Array], Array]:
    """The scores of an image by the untouched file."""
    model = form.model()
    kind = {"float": 1, "float16": 10, "double": 11}[form.type]
    if all(output.name != "scores" for output in model.graph.output):
        model.graph.output.append(helper.make_tensor_value_info("scores", kind, None))
    if any(output.name == "y" for output in model.graph.output) and "uint8" in form.input:
        _let_bytes_be_floats(model)
    if form.type == "double":  # the runtime has no such convolution on a CPU: the reference evaluator
        run: Any = onnx.reference.ReferenceEvaluator(model)
    else:
        run = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    numpy_type = {"float": np.float32, "double": np.float64, "float16": np.float16}[form.type]
    others = {"unneeded": np.zeros(1, np.float32)} if "unneeded" in form.input else {}

    def scores(image: Array) -> Array:
        (found,) = run.run(["scores"], {"x": form.feed(image).astype(numpy_type), **others})
        values: Array = found[0].astype(np.float64)
        return values

    return scores


def _let_bytes_be_floats(model: onnx.ModelProto) -> None:
    """Let differences be smaller than a byte: the cast reads floats, and what is dequantized is multiplied."""
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            node.op_type = "Mul"
            del node.input[2]


@pytest.mark.parametrize("name", FORMS)
def test_scores_and_gradients_are_those_of_the_untouched_file(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    network, before = added(form, tmp_path), original(form)
    assert network.model.name == "a-file"
    assert (network.size, network.classes, network.model.manifest.scores) == (form.size, form.classes, form.scores)
    image = smooth_image(form.size)
    coarse = form.type == "float16"
    at = network.value_and_grad(image[None], np.array([form.classes - 1]))
    np.testing.assert_allclose(
        at.logits[0], before(image), rtol=2e-2 if coarse else 1e-4, atol=2e-2 if coarse else 1e-4
    )
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = rng.normal(size=image.shape) * (np.abs(image - 0.5) < 0.45)
        step = 0.05 if coarse else 3e-3
        ahead, behind = (before(image + s * direction)[form.classes - 1] for s in (step, -step))
        expected = (ahead - behind) / (2 * step)
        scale = np.linalg.norm(at.gradients[0]) * np.linalg.norm(direction) / np.sqrt(direction.size)
        assert float((at.gradients[0] * direction).sum()) == pytest.approx(
            expected, abs=(0.2 if coarse else 2e-2) * scale
        )


@pytest.mark.parametrize("name", FORMS)
def test_it_is_explained_and_drawn(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    network = added(form, tmp_path)
    image = smooth_image(form.size)
    view = View(network, None)
    for method, parameters in (
        ("gradient", {}),
        ("grad_cam", {}),
        ("occlusion", {"window": 8, "stride": 8}),
        ("rise", {"masks": 10}),
    ):
        chosen = METHODS[method]
        found = chosen.run(view, image, -1, chosen.parameters(**parameters))
        assert found.map.shape == form.size
        assert np.isfinite(found.map).all()
        assert found.map.any()
    assert network.cam_layer == "r"
    for preset in ("cs231n", "lucid", "maco"):
        asked = ClassParameters(class_id=form.classes - 1, preset=preset, iterations=3, seed=1)
        drawing = Visualization(network, asked.completed(network))
        scores = [step.measured.score for step in drawing.steps()]
        picture = drawing.conclude()
        assert len(scores) == 3
        assert drawing.state.memory.get("rate", np.ones(())) > 0  # `cs231n` fits its steps to the network
        assert drawing.picture().shape == (*form.size, 3)
        assert (picture.result["predicted_probability"] is None) == (form.scores == "none")
        is_grey = bool((drawing.picture() == drawing.picture()[..., :1]).all())
        assert is_grey == (form.channels == 1)


@pytest.mark.parametrize("name", ["one sigmoid", "several sigmoids"])
def test_probabilities_are_those_of_the_network(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    network, image = added(form, tmp_path), smooth_image(form.size)
    expected = 1 / (1 + np.exp(-original(form)(image)))
    np.testing.assert_allclose(network.probabilities(network.classify(image[None]))[0], expected, rtol=1e-4)


def test_a_batch_that_is_fixed_is_filled_up(tmp_path: Path) -> None:
    network = added(FORMS["batch of four"], tmp_path)
    images = np.random.default_rng(0).random((6, 3, 32, 32), np.float32)
    at = network.value_and_grad(images, np.arange(6) % 3)
    assert at.gradients.shape == images.shape
    for i in range(6):
        alone = network.value_and_grad(images[i : i + 1], np.array([i % 3]))
        np.testing.assert_allclose(at.logits[i], alone.logits[0], rtol=1e-5)
        np.testing.assert_allclose(at.gradients[i], alone.gradients[0], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["score", "chosen", "class_id", "weights", "terms", "d_score", "reference"])
@pytest.mark.parametrize("of", ["kernel", "scores"])
def test_files_may_use_any_names(name: str, of: str, tmp_path: Path) -> None:
    names = {"kernel": "kernel", "scores": "scores"} | {of: name}
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 18]> named (float[N, 3, 32, 32] x) => (float[N, 5] {names["scores"]}) {{
        a = Conv<kernel_shape = [3, 3]>(x, {names["kernel"]}) b = GlobalAveragePool(a)
        {names["scores"]} = Flatten(b) }}"""
    )
    kernel = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(kernel, names["kernel"]))
    network = standalone(add(write(model, tmp_path), tmp_path / "models", Choices(preprocessing="unit")))
    image = np.random.default_rng(1).random((1, 3, 32, 32), np.float32)
    expected = correlate(image[0], kernel[2], mode="valid").mean()
    assert network.value_and_grad(image, np.array([2])).scores[0] == pytest.approx(expected, rel=1e-4)
    target = Target(Quantity(network.model.manifest.logits), np.eye(5, dtype=np.float32)[2])
    assert network.value_and_grad(image, target=target).scores[0] == pytest.approx(expected, rel=1e-4)
    energy, _, _ = network.measure(image, (Term("energy", "a"),), np.ones((1, 1), np.float32), {})
    assert energy[0] > 0
