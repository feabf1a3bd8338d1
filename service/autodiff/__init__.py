"""Reverse-mode differentiation of ONNX graphs, graph to graph.

Let a graph compute ``y = f(x)``. `differentiate` appends the nodes that compute the vector-Jacobian product
``d_x = d_yᵀ · ∂f/∂x`` for any cotangent ``d_y``, which becomes one more input of the graph. The result is an ordinary
ONNX graph of standard operators: it can be checked, saved, optimized and run wherever the original can.

`backward` visits the nodes between ``y`` and ``x`` in reverse order and asks the rule of each operator for the
cotangents of its inputs. `registry.RULES` holds the textbook rules; the modules imported below have those of one family
of operators each. Operators without a rule that can be written out in simpler ones are written out first (`functions`,
`lowering`). Rules can be exchanged: `relu_variants` has those of other ways through a Relu, `nchwc` those that are
faster in the blocked layout of a CPU runtime.

The package depends on onnx, onnx-ir and numpy only.
"""

from service.autodiff import (
    activations,
    average_pooling,
    control_flow,
    convolution,
    elementwise,
    linear,
    lp_pooling,
    max_pooling,
    normalization,
    picking,
    products,
    quantization,
    recurrent,
    reductions,
    resize,
    sampling,
    sequences,
    shaping,
    spectral,
    trigonometry,
)
from service.autodiff.backward import differentiate, gradient_model, missing_rules
from service.autodiff.errors import NotDifferentiable
from service.autodiff.ops import Ops
from service.autodiff.registry import NO_GRADIENT, RULES, STRAIGHT_THROUGH, Rule, vjp

__all__ = [
    "NO_GRADIENT",
    "RULES",
    "STRAIGHT_THROUGH",
    "NotDifferentiable",
    "Ops",
    "Rule",
    "activations",
    "average_pooling",
    "control_flow",
    "convolution",
    "differentiate",
    "elementwise",
    "gradient_model",
    "linear",
    "lp_pooling",
    "max_pooling",
    "missing_rules",
    "normalization",
    "picking",
    "products",
    "quantization",
    "recurrent",
    "reductions",
    "resize",
    "sampling",
    "sequences",
    "shaping",
    "spectral",
    "trigonometry",
    "vjp",
]
