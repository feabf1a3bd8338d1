"""Small classifiers in the forms that exporters produce."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 7


def classifier(
    layout: str = "NCHW",
    softmax: bool = False,
    batch: int | str = "N",
    size: int | str = "S",
    opset: int = 18,
    preprocessing: str | None = None,
    flat: bool = True,
    activation: str = "Relu",
) -> onnx.ModelProto:
    """A convolution, an activation, a global average and a matrix.

    Args:
        layout: NCHW or NHWC.
        softmax: Whether the graph ends in a softmax.
        batch: The batch size, or its symbol.
        size: The side of the image, or its symbol.
        opset: The opset.
        preprocessing: ``bytes`` or ``unit`` if the graph subtracts a mean from pixels in [0, 255] or [0, 1].
        flat: Whether the scores are (N, classes) rather than (N, classes, 1, 1).
        activation: The type of the activation.
    """
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(6, 3, 3, 3)).astype(np.float32) * 0.5,
        "m": rng.normal(size=(CLASSES, 6)).astype(np.float32),
        "b": np.zeros(CLASSES, np.float32),
        "mean": np.full(
            (1, 3, 1, 1) if layout == "NCHW" else (1, 1, 1, 3), 110 if preprocessing == "bytes" else 0.5, np.float32
        ),
        "shape": np.array([0, CLASSES, 1, 1] if not flat else [0, CLASSES], np.int64),
    }
    nodes, x = [], "pixels"

    def add(op_type: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op_type, list(inputs), [f"v{len(nodes)}"], name=f"n{len(nodes)}", **attributes))
        return f"v{len(nodes) - 1}"

    if preprocessing:
        x = add("Sub", x, "mean")
    if layout == "NHWC":
        x = add("Transpose", x, perm=[0, 3, 1, 2])
    x = add("Conv", x, "w", pads=[1, 1, 1, 1], strides=[2, 2])
    x = add(activation, x)
    x = add("Flatten", add("GlobalAveragePool", x))
    x = add("Gemm", x, "m", "b", transB=1)
    x = add("Reshape", x, "shape")
    if softmax:
        x = add("Softmax", x, axis=1)
    nodes[-1].output[0] = "scores"
    dims = [batch, 3, size, size] if layout == "NCHW" else [batch, size, size, 3]
    out = [batch, CLASSES] if flat else [batch, CLASSES, 1, 1]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(a, name) for name, a in weights.items() if name != "mean" or preprocessing],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def write(model: onnx.ModelProto, folder: Path, name: str = "toy.onnx", external: bool = False) -> Path:
    """Write the model to a file, with its weights in another one if ``external``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    onnx.save(model, path, save_as_external_data=external, location="toy.weights", size_threshold=0)
    return path
