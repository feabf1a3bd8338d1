"""The mask of a Relu without a comparison."""

import numpy as np
import onnx_ir as ir

from service.autodiff import activations
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents

STEEPEST = float(np.finfo(np.float32).max)


def relu(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · [y > 0], the mask computed as max(0, min(1, y · 3.4e38)).

    That is one vectorized activation, several times cheaper than a comparison and a selection. In float16 the slope
    would be infinite, so there the comparison stays.
    """
    y = node.outputs[0]
    if y.dtype == ir.DataType.FLOAT16:
        return activations.relu(op, node, dy)
    return [op.Mul(dy, op.HardSigmoid(y, alpha=STEEPEST, beta=0.0))]
