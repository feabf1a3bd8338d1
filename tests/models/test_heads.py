"""What of a graph is taken for the scores of the classes."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from scipy.signal import correlate

from service.errors import ModelError
from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import standalone
from tests.models.networks import write


@pytest.mark.parametrize(
    ("end", "logits"),
    [
        ("y = ReduceMax<axes = [2, 3], keepdims = 0>(maps)", "y"),
        ("kept = ReduceMax<axes = [2, 3]>(maps) y = Flatten(kept)", "y"),
        ("pooled = GlobalAveragePool(maps) flat = Flatten(pooled) y = ReduceMax<axes = [1]>(flat)", "flat"),
        ("pooled = GlobalAveragePool(maps) flat = Flatten(pooled) y = ArgMax<axis = 1>(flat)", "flat"),
    ],
)
def test_a_pool_over_places_is_part_of_the_network_and_a_choice_among_classes_is_not(
    end: str, logits: str, tmp_path: Path
) -> None:
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 32, 32] x) => (
          {"int64" if "ArgMax" in end else "float"}[N, K] y) {{ maps = Conv(x, w) {end} }}"""
    )
    kernel = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(kernel, "w"))
    place = add(write(model, tmp_path), tmp_path / "models", Choices(name="pooled", preprocessing="unit"))
    network = standalone(place)
    assert (network.model.manifest.logits, network.classes) == (logits, 5)
    image = np.random.default_rng(1).random((2, 3, 32, 32), np.float32)
    maps = np.array([[correlate(one, each, "valid")[0] for each in kernel] for one in image])
    expected = maps.mean(axis=(2, 3)) if logits == "flat" else maps.max(axis=(2, 3))
    np.testing.assert_allclose(network.classify(image), expected, rtol=1e-3, atol=1e-4)
    assert network.value_and_grad(image).gradients.any()


def test_labels_of_another_number_than_the_scores_are_refused(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 18]> g (float[N, 3, 32, 32] x) => (float[N, 4, 16, 16] y) {
          y = Conv<strides = [2, 2], pads = [1, 1, 1, 1]>(x, w) }"""
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((4, 3, 4, 4), np.float32), "w"))
    place = add(write(model, tmp_path), tmp_path / "models", Choices(name="dense", preprocessing="unit"))
    text = place.read_text().replace('task = "segmentation"', "").replace('places = "y"', "")
    place.write_text(re.sub(r'logits = ".*"', 'logits = "y"', text))
    with pytest.raises(ModelError, match="4 labels need"):
        standalone(place).classify(np.zeros((1, 3, 32, 32), np.float32))
