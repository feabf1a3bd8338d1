"""Open sizes get names: the same for what is equal whatever the sizes are, and no others."""

import itertools

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort

from service.autodiff import RULES, differentiate
from service.autodiff.nchwc import NCHWC_RULES
from service.autodiff.symbolic_dims import name_sizes
from tests.autodiff.graphs import graph

BODY = """
    a = Conv<strides=[2,2], pads=[1,1,1,1]>(x, w) r = Relu(a)
    b = Conv<strides=[2,2], pads=[1,1,1,1]>(x, w) c = Conv<pads=[1,1,1,1]>(r, v)
    d = Concat<axis=1>(b, c) f = Conv(r, v)
    p = MaxPool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(d) q = MaxPool<kernel_shape=[3,3], strides=[2,2]>(d)
    s = Slice(d, z, e, k) m = AveragePool<kernel_shape=[2,2], strides=[2,2], auto_pad="SAME_UPPER">(d)
    y = GlobalAveragePool(m)
"""
CONSTANTS = {
    "w": np.ones((4, 3, 3, 3)),
    "v": np.ones((5, 4, 3, 3)),
    "z": np.array([1]),
    "e": np.array([4]),
    "k": np.array([2]),
}


def test_equal_names_are_equal_sizes() -> None:
    """At many sizes of the image."""
    model = ir.from_proto(
        onnx.shape_inference.infer_shapes(graph(BODY, {"x": np.zeros((2, 3, 9, 9))}, CONSTANTS, "float", symbolic=True))
    )
    name_sizes(model.graph)
    values = [*model.graph.inputs, *(y for node in model.graph for y in node.outputs)]
    names = {
        value.name: [str(size.value) if isinstance(size, ir.SymbolicDim) else size for size in value.shape]
        for value in values
    }  # type: ignore[union-attr]
    assert names["a"] == names["b"] == names["r"]
    assert names["c"][2:] == names["d"][2:] == names["a"][2:]
    assert names["p"][2] != names["q"][2]
    proto = ir.to_proto(model)
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in ("x", "y"))
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = [one.name for one in session.get_outputs()]
    for n, height, width in itertools.product((1, 2), (8, 9, 10, 11, 13), (9, 12)):
        x = np.zeros((n, 3, height, width), np.float32)
        sizes: dict[str, int] = {}
        for name, found in zip(["x", *outputs], [x, *session.run(outputs, {"x": x})], strict=True):
            for size, actual in zip(names[name], found.shape, strict=True):
                assert sizes.setdefault(str(size), actual) == actual if isinstance(size, str) else size == actual


def test_a_gradient_of_open_sizes_stays_in_the_fast_layout() -> None:
    """The runtime masks it there if it sees that both have the same shape."""
    body = (
        "a = Conv<pads=[1,1,1,1]>(x, w) r = Relu(a) b = Conv<pads=[1,1,1,1]>(r, v) s = Relu(b) "
        "c = Conv(s, u) y = ReduceSum<keepdims=0>(c)"
    )
    constants = {"w": np.ones((16, 16, 3, 3)), "v": np.ones((16, 16, 3, 3)), "u": np.ones((16, 16, 1, 1))}
    forward = graph(body, {"x": np.zeros((1, 16, 8, 8))}, constants, "float", symbolic=(0, 2, 3))
    model = differentiate(forward, of="y", wrt="x", rules=RULES | NCHWC_RULES)
    model = onnx.shape_inference.infer_shapes(model)
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in model.graph.value_info
    }
    masked = [node for node in model.graph.node if node.op_type == "Mul"]
    assert len(masked) == 2
    for node in masked:
        dy, mask = (shapes[name] for name in node.input)
        assert dy == mask == ["x_0", 16, "x_2", "x_3"]
