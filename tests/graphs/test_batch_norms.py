"""Batch normalizations merged with the layers before them."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from service.graphs.batch_norms import without_batch_norms

GRAPH = """
    <ir_version: 8, opset_import: ["" : 18]>
    normed (float[N, 2, 6, 6] x) => (float[N, 4] y)
    <float[3, 2, 3, 3] kernel, float[3] scale, float[3] shift, float[3] mean, float[3] variance,
     float[WEIGHT] weight, float[4] bias, float[4] scale2, float[4] shift2, float[4] mean2, float[4] variance2>
    {
      a = Conv(x, kernel)
      b = BatchNormalization<epsilon = 0.01>(a, scale, shift, mean, variance)
      c = GlobalMaxPool(b)
      d = Flatten(c)
      e = Gemm<transB = TRANSPOSED>(d, weight, bias)
      y = BatchNormalization(e, scale2, shift2, mean2, variance2)
    }
"""


def made(transposed: bool) -> onnx.ModelProto:
    text = GRAPH.replace("TRANSPOSED", str(int(transposed))).replace("WEIGHT", "4, 3" if transposed else "3, 4")
    model = onnx.parser.parse_model(text)
    rng = np.random.default_rng(0)
    for value in model.graph.value_info:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        array = rng.uniform(0.5, 2, shape) if "variance" in value.name else rng.normal(size=shape)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), value.name))
    return model


def run(model: onnx.ModelProto) -> Any:
    x = np.random.default_rng(1).normal(size=(2, 2, 6, 6)).astype(np.float32)
    return ReferenceEvaluator(model).run(None, {"x": x})[0]


@pytest.mark.parametrize("transposed", [False, True])
def test_the_function_stays(transposed: bool) -> None:
    model = made(transposed)
    merged = without_batch_norms(model)
    onnx.checker.check_model(merged, full_check=True)
    assert [node.op_type for node in merged.graph.node] == ["Conv", "GlobalMaxPool", "Flatten", "Gemm"]
    np.testing.assert_allclose(run(merged), run(model), rtol=1e-4, atol=1e-5)


def test_what_is_read_elsewhere_stays() -> None:
    model = made(transposed=False)
    model.graph.output.append(onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, ["N", 3, 4, 4]))
    assert [node.op_type for node in without_batch_norms(model).graph.node].count("BatchNormalization") == 1
