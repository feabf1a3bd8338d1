"""Importing networks: drafts of manifests, adapted graphs, and files that cannot be used."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.autodiff import RULES
from service.cli.main import main
from service.errors import ConvlensError, InvalidParameter, ModelError
from service.models.adapt import adapt
from service.models.drafting import Choices, draft
from service.models.importing import add
from service.models.manifest import Preprocessing
from service.models.reading import read_onnx
from service.networks.checking import check, gradient_error, smooth_image, standalone, uncovered
from service.networks.trials import Limits, check_in_child
from service.saliency.explain import warning_of
from service.saliency.metrics import METRICS
from service.settings import Settings
from tests.conftest import serving
from tests.models.networks import CLASSES, classifier, write
from tests.waiting import eventually

FORMS: list[dict[str, Any]] = [
    {},
    {"layout": "NHWC"},
    {"softmax": True},
    {"softmax": True, "flat": False, "layout": "NHWC"},
    {"batch": 1, "size": 32},
    {"batch": "N", "size": 32, "opset": 11},
    {"opset": 7},
    {"preprocessing": "bytes"},
    {"preprocessing": "unit", "layout": "NHWC", "batch": 1},
    {"activation": "HardSigmoid", "opset": 13},
    {"flat": False},
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(f"{k}={v}" for k, v in form.items()) or "plain")
def test_every_form_becomes_a_network_with_the_right_gradient(tmp_path: Path, form: dict[str, Any]) -> None:
    place = add(
        write(classifier(**form), tmp_path / "from"),
        tmp_path / "models",
        Choices(
            size=None if "size" in form else (32, 32), preprocessing=None if form.get("preprocessing") else "imagenet"
        ),
    )
    network = standalone(place)
    manifest = network.model.manifest
    assert (manifest.size, len(manifest.labels), manifest.layout) == ((32, 32), CLASSES, form.get("layout", "NCHW"))
    assert uncovered(network) == []
    assert gradient_error(network) < 1e-2
    images = np.stack([smooth_image((32, 32)), smooth_image((32, 32))[::-1]])
    np.testing.assert_allclose(network.classify(images), expected(form, images), rtol=1e-4, atol=1e-4)
    check(place)


def expected(form: dict[str, Any], images: Any) -> Any:
    """The scores computed in NumPy."""
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in classifier(**form).graph.initializer}
    preprocessing = form.get("preprocessing")
    if preprocessing is None:
        x = (images - np.array([0.485, 0.456, 0.406])[:, None, None]) / np.array([0.229, 0.224, 0.225])[:, None, None]
    else:
        x = images * (255 if preprocessing == "bytes" else 1) - weights["mean"].ravel()[:, None, None]
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    conv = np.zeros((len(x), 6, 16, 16))
    for i, j in np.ndindex(3, 3):
        conv += np.einsum("oc,nchw->nohw", weights["w"][:, :, i, j], padded[:, :, i : i + 32 : 2, j : j + 32 : 2])
    active = (0.2 * conv + 0.5).clip(0, 1) if form.get("activation") == "HardSigmoid" else conv.clip(0)
    return active.mean(axis=(2, 3)) @ weights["m"].T


def test_choices_take_precedence_over_guesses(tmp_path: Path) -> None:
    path = write(classifier(size=64), tmp_path)
    labels = [f"thing {i}" for i in range(CLASSES)]
    manifest = draft(
        read_onnx(path), path, Choices(name="mine", labels=labels, scale=255.0, mean=(1, 2, 3), channels="BGR")
    ).manifest
    assert (manifest.name, manifest.labels[3], manifest.size) == ("mine", "thing 3", (64, 64))
    assert manifest.preprocessing == Preprocessing(in_graph=False, channels="BGR", scale=255.0, mean=(1, 2, 3))
    with pytest.raises(ModelError, match="has 7 classes, there are 2 labels"):
        draft(read_onnx(path), path, Choices(labels=["a", "b"]))


def test_external_weights_come_along(tmp_path: Path) -> None:
    place = add(write(classifier(), tmp_path / "from", external=True), tmp_path / "models", Choices())
    assert (tmp_path / "models" / "toy.weights").exists()
    assert gradient_error(standalone(place)) < 1e-2


def test_a_graph_of_one_size_says_so(tmp_path: Path) -> None:
    network = standalone(add(write(classifier(size=32), tmp_path), tmp_path, Choices()))
    with pytest.raises(InvalidParameter, match="takes pictures of 32 x 32 only, not 48 x 32"):
        network.classify(np.zeros((1, 3, 32, 48), np.float32))


def test_constants_and_shape_arithmetic_are_folded(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["": 18]> g (float[N,3,8,8] x) => (float[N,2] y)
        <int64[1] zero = {0}, int64[1] two = {2}, float[2,3] w = {1, 2, 3, 4, 5, 6}> {
        a = GlobalAveragePool(x) b = Flatten(a)
        s = Shape(x) n = Slice(s, zero, two) c = Concat<axis=0>(zero, two) f = Mul(c, c)
        wt = Transpose<perm=[1,0]>(w) y = MatMul(b, wt) }"""
    path = write(onnx.parser.parse_model(text), tmp_path)
    manifest = draft(read_onnx(path), path, Choices()).manifest
    assert not {"Transpose", "Shape", "Concat"} & {n.op_type for n in adapt(onnx.load(path), manifest).proto.graph.node}


def test_missing_rules_are_named_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier()
    model.graph.node[1].op_type = "Asin"
    monkeypatch.delitem(RULES, "Asin")
    place = add(write(model, tmp_path), tmp_path, Choices())
    assert uncovered(standalone(place)) == ["Asin (n1)"]
    with pytest.raises(ModelError, match=r"Asin \(node 'n1'\)"):
        check(place)


def foreign_operator(model: onnx.ModelProto) -> None:
    model.graph.node[1].domain = "com.acme"
    model.opset_import.append(onnx.helper.make_opsetid("com.acme", 1))


def weights_elsewhere(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")


def no_nodes(model: onnx.ModelProto) -> None:
    del model.graph.node[:]


def endless(model: onnx.ModelProto) -> None:
    model.graph.node.extend([onnx.helper.make_node("Identity", ["v0"], [f"i{i}"]) for i in range(50_001)])


def cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.node[1].output[0]


def lying_shape(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 2**40


HOSTILE = {
    foreign_operator: "not of the ONNX standard: com.acme.Relu",
    weights_elsewhere: "is no file in its folder",
    no_nodes: "holds no graph",
    endless: "more than 50,000",
    cycle: "no valid ONNX file",
    lying_shape: "no valid ONNX file",
}


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda spoil: spoil.__name__)
def test_hostile_files_are_refused_in_words(tmp_path: Path, spoil: Any) -> None:
    place = add(write(classifier(), tmp_path), tmp_path, Choices())
    model = classifier()
    spoil(model)
    (tmp_path / "toy.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=HOSTILE[spoil]):
        check(place)
    assert HOSTILE[spoil] in str(check_in_child(place, Limits(60, 2**33)))


GOOD = classifier(size=8).SerializeToString()
MANIFEST = draft(classifier(size=8), Path("toy.onnx"), Choices()).manifest


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, len(GOOD)),
)
def test_corrupted_files_give_clear_errors(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    folder = tmp_path_factory.mktemp("corrupt")
    path = folder / "toy.onnx"
    path.write_bytes(bytes(data) if changes[0][1] % 2 else bytes(data[:length]))
    with suppress(ConvlensError):  # any other exception is a bug
        adapt(read_onnx(path), MANIFEST)


def test_checks_end_at_their_limits_of_time_and_memory(tmp_path: Path) -> None:
    place = add(write(classifier(), tmp_path), tmp_path, Choices())
    assert check_in_child(place, Limits(0.05, 2**33)) == "trying it out took longer than 0.05 seconds"
    assert check_in_child(place, Limits(60, 2**28)) is not None
    assert check_in_child(place, Limits(60, 2**33)) is None


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(classifier(size=32, softmax=True), tmp_path / "from")
    assert main(["inspect", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "pixels: NCHW, 32 x 32" in printed
    assert "Conv 2" in printed  # the preprocessing is one of the two
    assert "differs from central differences by" in printed
    assert main(["add", str(path), "--name", "mine", "--models-dir", str(tmp_path / "models")]) == 0
    assert (tmp_path / "models" / "mine.onnx").exists()
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    assert main(["inspect", str(tmp_path / "broken.onnx")]) == 2
    assert "convlens: broken.onnx is no valid ONNX file" in capsys.readouterr().err


def quantized() -> onnx.ModelProto:
    """A classifier whose activations are quantized to eight bits."""
    model = classifier(size=32)
    constants = {"scale": np.float32(0.1), "zero": np.int8(-128)}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.array(value), name) for name, value in constants.items()
    )
    pooling = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
    around = [
        onnx.helper.make_node("QuantizeLinear", [pooling.input[0], "scale", "zero"], ["q"]),
        onnx.helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
    ]
    pooling.input[0] = "d"
    nodes = list(model.graph.node)
    i = nodes.index(pooling)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:i], *around, *nodes[i:]])
    return model


def test_a_quantized_network_is_differentiated_straight_through_and_says_so(tmp_path: Path) -> None:
    place = add(write(quantized(), tmp_path / "from"), tmp_path / "models", Choices(name="eight"))
    network, plain = standalone(place), standalone(add(write(classifier(size=32), tmp_path), tmp_path, Choices()))
    check(place)
    assert network.facts.quantized
    assert "quantized" in str(warning_of(network, "gradient"))
    assert warning_of(plain, "gradient") is None
    image = smooth_image((32, 32))[None]
    ours, exact = (n.value_and_grad(image, np.array([2])).gradients for n in (network, plain))
    assert np.linalg.norm(ours - exact) < 0.05 * np.linalg.norm(exact)


@pytest.fixture
def folder(tmp_path: Path, models_dir: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for path in models_dir.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def api(folder: Path, fresh: Settings) -> Iterator[httpx.Client]:
    with serving(fresh.model_copy(update={"models_dir": folder})) as client:
        yield client


def wait_until_tried_out(client: httpx.Client) -> dict[str, Any]:
    return eventually(
        lambda: {model["name"]: model for model in client.get("/models").json()},
        lambda models: all(model["served"] or model["problem"] for model in models.values()),
    )


def test_a_dropped_file_gets_every_endpoint_and_a_broken_one_harms_nobody(
    api: httpx.Client, folder: Path, cat: bytes
) -> None:
    add(write(classifier(size=32, batch=1), folder.parent), folder, Choices(name="mine"))
    (folder / "bad.toml").write_text("name = ")
    add(write(classifier(activation="Hardmax"), folder.parent, "hardmax.onnx"), folder, Choices())
    reloaded = api.post("/models/reload")
    assert {model["name"] for model in reloaded.json()} == {"squeezenet1_1", "mine", "hardmax", "bad"}
    models = wait_until_tried_out(api)
    assert (models["mine"]["served"], models["squeezenet1_1"]["served"]) == (True, True)
    assert "manifest bad.toml cannot be used" in models["bad"]["problem"]
    assert "does not depend" in models["hardmax"]["problem"]
    refused = api.post("/saliency?model=hardmax", files={"image": cat})
    assert refused.status_code == 422
    assert "is not served" in refused.json()["detail"]
    for path in (
        "/saliency",
        "/classify",
        "/activations",
        "/evaluate?stages=1&points=4",
        f"/compare?methods=gradient,grad_cam&box=9,9,300,200&points=4&stages=1&metrics={','.join(METRICS)}",
        "/saliency?method=grad_cam",
        "/saliency?method=rise&masks=20",
    ):
        response = api.post(path, params={"model": "mine"}, files={"image": cat})
        assert response.status_code == 200, response.text
    response = api.post("/saliency?resize=native&model=mine", files={"image": cat})
    assert response.status_code == 422
    assert "32 x 32 only" in response.json()["detail"]
    assert api.get("/models/mine").json()["any_size"] is False
    assert [layer["name"] for layer in api.get("/models/mine/layers").json()] == ["preprocessed", "v0", "v1"]
    asked = {"class_id": 1, "model": "mine"}
    assert "takes pictures of 32 x 32" in api.post("/visualize", json={**asked, "size": 64}).json()["detail"]
    assert api.post("/visualize", json=asked).json()["parameters"]["size"] == 32
    (folder / "mine.toml").unlink()
    api.post("/models/reload")
    assert api.post("/saliency?model=mine", files={"image": cat}).status_code == 404
    assert api.post("/saliency", files={"image": cat}).status_code == 200
