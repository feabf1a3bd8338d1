"""The rule of Resize: along each axis it is a matrix of weights, whose transpose carries the cotangent back."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from service.autodiff.errors import NotDifferentiable
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import constant_value, fixed_dims, operand, rank


@vjp("Resize")
def resize(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = Aᵀ·dy along each axis that is resized. Sizes and scales must be known."""
    x = operand(node, 0)
    before, after = fixed_dims(x), fixed_dims(node.outputs[0])
    scales = constant_value(node.inputs[2]) if len(node.inputs) > 2 else None
    if before is None or after is None:
        raise NotDifferentiable(
            f"Resize of a size that is not fixed has no rule (node {node.name!r}); give the model a fixed image size"
        )
    if node.attributes.get_string("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        raise NotDifferentiable(f"Resize by tf_crop_and_resize has no rule (node {node.name!r})")
    listed = node.attributes.get_ints("axes") or range(len(before))
    by_axis: dict[int, float] = (
        dict(zip(listed, scales.tolist(), strict=True)) if scales is not None and scales.size else {}
    )
    for axis, (small, large) in enumerate(zip(before, after, strict=True)):
        if small != large:
            weights = op.constant(_weights(node, small, large, by_axis.get(axis)), like=x)  # (small, large)
            dy = _along(op, dy, weights, axis, rank(x))
    return [dy, None, None, None]


def _along(op: Ops, dy: ir.Value, weights: ir.Value, axis: int, axes: int) -> ir.Value:
    """Weights · dy along the axis."""
    if axis == axes - 2:
        return op.MatMul(weights, dy)
    order = [*(a for a in range(axes) if a != axis), axis]
    last = op.Transpose(dy, perm=order) if axis != axes - 1 else dy
    product = op.MatMul(last, op.Transpose(weights, perm=[1, 0]))
    return op.Transpose(product, perm=np.argsort(order).tolist()) if axis != axes - 1 else product


def _weights(node: ir.Node, small: int, large: int, scale: float | None) -> npt.NDArray[np.float64]:
    """What each of the ``small`` elements adds to each of the ``large`` ones: the rows of a unit matrix, resized."""
    attributes: dict[str, Any] = {
        name: attribute.value
        for name, attribute in node.attributes.items()
        if name not in ("axes", "keep_aspect_ratio_policy")
    }
    kind, value = ("scales", [1.0, scale]) if scale is not None else ("sizes", [small, large])
    names = ["x", "", kind, ""] if kind == "scales" else ["x", "", "", kind]
    one = onnx.helper.make_node("Resize", names, ["y"], **attributes)
    tensor = onnx.numpy_helper.from_array(np.array(value, np.float32 if kind == "scales" else np.int64), kind)
    info = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, [small, None]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([one], "resize", info[:1], info[1:], [tensor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    evaluator: Any = ReferenceEvaluator(model)
    resized: npt.NDArray[np.float64] = evaluator.run(None, {"x": np.eye(small)})[0]
    return resized
