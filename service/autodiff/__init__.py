"""Reverse-mode differentiation of ONNX graphs, graph to graph.

Let a graph compute ``y = f(x)``. `differentiate` appends the nodes that compute the vector-Jacobian product
``d_x = d_yᵀ · ∂f/∂x`` for any cotangent ``d_y``, which becomes one more input of the graph. What comes out is an ordinary
ONNX graph of standard operators: it can be checked, saved, optimized and run wherever the original can.

The walk (`backward`) visits the nodes between ``y`` and ``x`` in reverse order and asks the rule of each operator
(`registry.RULES`) for the cotangents of its inputs. Rules live in the modules that are imported here, one per kind of
operator. Operators without a rule that can be written out in simpler ones are written out first (`functions`,
`lowering`).
"""

from service.autodiff import (
    activations,
    control_flow,
    elementwise,
    linear,
    lp_pooling,
    normalization,
    picking,
    pooling,
    products,
    quantization,
    recurrent,
    reductions,
    resize,
    sampling,
    sequences,
    shaping,
    spatial,
    spectral,
    trigonometry,
)
from service.autodiff.backward import differentiate, missing_rules
from service.autodiff.ops import Ops
from service.autodiff.registry import NO_GRADIENT, RULES, STRAIGHT_THROUGH, Rule, vjp

__all__ = [
    "NO_GRADIENT",
    "RULES",
    "STRAIGHT_THROUGH",
    "Ops",
    "Rule",
    "activations",
    "control_flow",
    "differentiate",
    "elementwise",
    "linear",
    "lp_pooling",
    "missing_rules",
    "normalization",
    "picking",
    "pooling",
    "products",
    "quantization",
    "recurrent",
    "reductions",
    "resize",
    "sampling",
    "sequences",
    "shaping",
    "spatial",
    "spectral",
    "trigonometry",
    "vjp",
]
