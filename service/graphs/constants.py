"""Computing in advance what does not depend on the image."""

import onnx
import onnx_ir as ir
from onnxscript import optimizer

MOST_ELEMENTS = 2**24  # of a constant that is computed


def fold(model: ir.Model) -> None:
    """Replace what is computed from constants, and from sizes that are fixed, by constants."""
    optimizer.fold_constants(
        model,
        onnx_shape_inference=True,
        input_size_limit=MOST_ELEMENTS,
        output_size_limit=MOST_ELEMENTS,
        should_fold=_always,
    )
    optimizer.remove_unused_nodes(model)


def without_shape_arithmetic(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with fixed sizes as constants; the same object if it does not compute with sizes."""
    # What is folded tells inference the sizes of what follows, which can be folded then.
    while any(node.op_type in ("Shape", "Size") for node in proto.graph.node):
        model = ir.from_proto(proto)
        fold(model)
        before, proto = proto, onnx.shape_inference.infer_shapes(ir.to_proto(model), data_prop=True)
        if len(proto.graph.node) == len(before.graph.node):
            break
    return proto


def _always(node: ir.Node) -> bool | None:
    """Fold operators that expand small tensors too; None leaves the decision about others to the optimizer."""
    return True if node.op_type in ("ConstantOfShape", "Expand", "Tile") else None
