"""Networks with other inputs beside the image."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from service.cli.main import main
from service.errors import ModelError
from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import standalone
from tests.models.networks import write

FIXED: dict[str, Any] = {"im_shape": [[32.0, 48.0]], "tokens": [2, 0]}


def conditioned() -> onnx.ModelProto:
    """Scores that depend on the size that is given, and on two rows of a table."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 18]>
        conditioned (float[N, 3, 32, 48] image, float[B, 2] im_shape, int64[2] tokens) => (float[N, 5] y) {
          a = Conv<kernel_shape = [3, 3]>(image, kernel)
          b = Relu(a)
          c = GlobalAveragePool(b)
          d = Flatten(c)
          words = Gather(table, tokens)
          said = ReduceMean<keepdims = 0>(words, first)
          e = Mul(d, said)
          area = ReduceProd<keepdims = 1>(im_shape, last)
          y = Div(e, area)
        }"""
    )
    rng = np.random.default_rng(0)
    arrays = {"kernel": rng.normal(size=(5, 3, 3, 3)), "table": rng.normal(size=(4, 5))}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays |= {"first": np.array([0]), "last": np.array([1])}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in arrays.items())
    return model


def test_they_are_held_fixed(tmp_path: Path) -> None:
    path = write(conditioned(), tmp_path)
    network = standalone(add(path, tmp_path / "models", Choices(fixed=FIXED, preprocessing="unit")))
    image = np.random.default_rng(1).random((1, 3, 32, 48), np.float32)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {"image": image, "im_shape": np.array(FIXED["im_shape"], np.float32), "tokens": np.array(FIXED["tokens"])}
    (expected,) = session.run(None, feeds)
    np.testing.assert_allclose(network.classify(image), expected, rtol=1e-4, atol=1e-7)
    assert np.abs(network.value_and_grad(image, np.array([2])).gradients).max() > 0


def test_the_command_line_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["add", str(write(conditioned(), tmp_path)), "--models-dir", str(tmp_path / "models")]
    assert main(command) == 2
    assert "(--fix NAME=NUMBERS)" in capsys.readouterr().err
    assert main([*command, "--fix", "im_shape=[[32, 48]]", "--fix", "tokens=[2, 0]"]) == 0
    assert "im_shape" in (tmp_path / "models" / "toy.toml").read_text()
    assert main([*command, "--fix", "im_shape"]) == 2
    assert "NAME=NUMBERS" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({"size": [1]}, "no input 'size' to be fixed; it has: image, im_shape, tokens"),
        ({"im_shape": [32, 48]}, r"has the shape \(\?, 2\), the numbers for it \(2,\)"),
        ({"tokens": [1, 2, 3]}, r"has the shape \(2\)"),
        ({"tokens": ["a", "b"]}, "cannot be fixed to"),
        ({"im_shape": [[1, 2], [3]]}, "cannot be fixed to"),
    ],
)
def test_numbers_that_do_not_fit(fixed: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words):
        add(write(conditioned(), tmp_path), tmp_path / "models", Choices(fixed=fixed))
