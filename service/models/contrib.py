"""Operators that ONNX Runtime knows but not the standard, written out in those of the standard.

Those of its own domain ``com.microsoft`` come from its quantizer and its optimizer; others were once part of the
standard as experiments, and old converters wrote them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from service.autodiff import NotDifferentiable, Ops
from service.autodiff.lowering import Lowering
from service.autodiff.quantization import Quantized, dequantized, quantized
from service.autodiff.shapes import operand, optional_operand

DOMAIN = "com.microsoft"
CONTRIB: dict[str, Lowering] = {}
FORMER: dict[str, Lowering] = {}


def _contrib(*op_types: str) -> Callable[[Lowering], Lowering]:
    def register(apply: Lowering) -> Lowering:
        CONTRIB.update(dict.fromkeys(op_types, apply))
        return apply

    return register


def _number(value: float) -> np.ndarray[Any, Any]:
    """A scalar constant of its own type, since the types around it may not be known."""
    return np.array(value, np.float32)


def _standard_attributes(node: ir.Node, *names: str) -> dict[str, ir.Attr]:
    return {name: node.attributes[name] for name in names if name in node.attributes}


@_contrib("QuantizeLinear", "DequantizeLinear")
def _same_in_the_standard(op: Ops, node: ir.Node) -> list[ir.Value]:
    return [getattr(op, node.op_type)(*node.inputs, **_standard_attributes(node, "axis"))]


def _pointwise(apply: Callable[[Ops, ir.Node, ir.Value], ir.Value]) -> Lowering:
    """An operator of one quantized input: what ``apply`` computes from the numbers that it stands for."""

    def written_out(op: Ops, node: ir.Node) -> list[ir.Value]:
        _refuse_channels_last(node)
        x, scale, zero, new_scale, new_zero = node.inputs[:5]
        y = apply(op, node, dequantized(op, Quantized(x, scale, zero)))
        return [quantized(op, y, new_scale, new_zero)]

    return written_out


def _refuse_channels_last(node: ir.Node) -> None:
    if node.attributes.get_int("channels_last", 0):
        raise NotDifferentiable(f"{node.op_type} (node {node.name!r}) has its channels last")


_POOLING = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides", "dilations")
_contrib("QLinearSigmoid")(_pointwise(lambda op, _, x: op.Sigmoid(x)))
_contrib("QLinearLeakyRelu")(_pointwise(lambda op, node, x: op.LeakyRelu(x, **_standard_attributes(node, "alpha"))))
_contrib("QLinearGlobalAveragePool")(_pointwise(lambda op, _, x: op.GlobalAveragePool(x)))
_contrib("QLinearAveragePool")(
    _pointwise(lambda op, node, x: op.AveragePool(x, **_standard_attributes(node, *_POOLING)))
)
_contrib("QLinearSoftmax")(_pointwise(lambda op, node, x: op.Softmax(x, **_standard_attributes(node, "axis"))))


@_contrib("QLinearReduceMean")
def _reduce_mean(op: Ops, node: ir.Node) -> list[ir.Value]:
    x, scale, zero, new_scale, new_zero = node.inputs[:5]
    axes = op.constant(list(node.attributes.get_ints("axes", ())))
    y = op.ReduceMean(dequantized(op, Quantized(x, scale, zero)), axes, **_standard_attributes(node, "keepdims"))
    return [quantized(op, y, new_scale, new_zero)]


@_contrib("QLinearAdd", "QLinearMul")
def _binary(op: Ops, node: ir.Node) -> list[ir.Value]:
    a, b = (dequantized(op, Quantized(*node.inputs[i : i + 3])) for i in (0, 3))
    return [quantized(op, getattr(op, node.op_type.removeprefix("QLinear"))(a, b), *node.inputs[6:8])]


@_contrib("QLinearConcat")
def _concat(op: Ops, node: ir.Node) -> list[ir.Value]:
    parts = [dequantized(op, Quantized(*node.inputs[i : i + 3])) for i in range(2, len(node.inputs), 3)]
    return [quantized(op, op.Concat(*parts, axis=node.attributes["axis"].as_int()), *node.inputs[:2])]


@_contrib("QGemm")
def _gemm(op: Ops, node: ir.Node) -> list[ir.Value]:
    a, b = (Quantized(*node.inputs[i : i + 3]) for i in (0, 3))
    columns = 0 if node.attributes.get_int("transB", 0) else 1
    product = op.Gemm(
        dequantized(op, a),
        dequantized(op, b, axis=columns),
        **_standard_attributes(node, "transA", "transB", "alpha"),
    )
    if (bias := optional_operand(node, 6)) is not None:
        alpha = node.attributes.get_float("alpha", 1.0)
        stands_for = op.Mul(op.Mul(operand(node, 1), operand(node, 4)), _number(alpha))
        product = op.Add(product, op.Mul(op.Cast(bias, to=ir.DataType.FLOAT), stands_for))
    scale = optional_operand(node, 7)
    return [product if scale is None else quantized(op, product, scale, optional_operand(node, 8))]


@_contrib("DynamicQuantizeMatMul")
def _dynamic_matmul(op: Ops, node: ir.Node) -> list[ir.Value]:
    """The rounding of the first factor is passed straight through anyway, and here left out."""
    a, b, scale = (operand(node, i) for i in range(3))
    y = op.MatMul(a, dequantized(op, Quantized(b, scale, optional_operand(node, 3)), axis=-1))
    bias = optional_operand(node, 4)
    return [y if bias is None else op.Add(y, bias)]


@_contrib("MatMulIntegerToFloat")
def _matmul_to_float(op: Ops, node: ir.Node) -> list[ir.Value]:
    a, b, a_scale, b_scale = (operand(node, i) for i in range(4))
    product = op.MatMul(
        dequantized(op, Quantized(a, a_scale, optional_operand(node, 4))),
        dequantized(op, Quantized(b, b_scale, optional_operand(node, 5)), axis=-1),
    )
    bias = optional_operand(node, 6)
    return [product if bias is None else op.Add(product, bias)]


_CONVOLUTION = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


@_contrib("FusedConv")
def _fused_convolution(op: Ops, node: ir.Node) -> list[ir.Value]:
    y = op.Conv(*node.inputs[:3], **_standard_attributes(node, *_CONVOLUTION))
    if (other := optional_operand(node, 3)) is not None:
        y = op.Add(y, other)
    return [_activated(op, node, y)]


@_contrib("FusedGemm")
def _fused_gemm(op: Ops, node: ir.Node) -> list[ir.Value]:
    return [
        _activated(op, node, op.Gemm(*node.inputs, **_standard_attributes(node, "alpha", "beta", "transA", "transB")))
    ]


def _activated(op: Ops, node: ir.Node, x: ir.Value) -> ir.Value:
    """The activation that is fused into a node; its parameters come in the order of the standard's attributes."""
    kind = node.attributes.get_string("activation", "")
    given = list(node.attributes.get_floats("activation_params", ()))
    named = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta")}
    if kind == "Clip":
        low, high = given
        return op.Clip(x, _number(low), _number(high))
    if kind in ("", "Relu", "Tanh", "Sigmoid", *named):
        return getattr(op, kind)(x, **dict(zip(named.get(kind, ()), given, strict=False))) if kind else x
    raise NotDifferentiable(f"{node.op_type} (node {node.name!r}) has the activation {kind}")


@_contrib("FusedMatMul")
def _fused_matmul(op: Ops, node: ir.Node) -> list[ir.Value]:
    if any(node.attributes.get_int(name, 0) for name in ("transBatchA", "transBatchB")):
        raise NotDifferentiable(f"FusedMatMul (node {node.name!r}) transposes its batch")
    factors = []
    for value, name in zip(node.inputs[:2], ("transA", "transB"), strict=True):
        if value is None or value.shape is None:
            raise NotDifferentiable(f"the rank of a factor of FusedMatMul (node {node.name!r}) is not known")
        axes = list(range(len(value.shape)))
        turned = node.attributes.get_int(name, 0) and len(axes) > 1
        factors.append(op.Transpose(value, perm=[*axes[:-2], axes[-1], axes[-2]]) if turned else value)
    y = op.MatMul(*factors)
    alpha = node.attributes.get_float("alpha", 1.0)
    return [y if alpha == 1.0 else op.Mul(y, _number(alpha))]


@_contrib("Gelu", "BiasGelu")
def _gelu(op: Ops, node: ir.Node) -> list[ir.Value]:
    x, bias = operand(node, 0), optional_operand(node, 1)
    x = x if bias is None else op.Add(x, bias)
    return [op.Mul(op.Mul(x, _number(0.5)), op.Add(op.Erf(op.Mul(x, _number(np.sqrt(0.5)))), _number(1.0)))]


@_contrib("FastGelu")
def _fast_gelu(op: Ops, node: ir.Node) -> list[ir.Value]:
    x, bias = operand(node, 0), optional_operand(node, 1)
    x = x if bias is None else op.Add(x, bias)
    cubic = op.Mul(op.Mul(op.Mul(x, x), x), _number(0.044715))
    inner = op.Mul(op.Add(x, cubic), _number(np.sqrt(2 / np.pi)))
    return [op.Mul(op.Mul(x, _number(0.5)), op.Add(op.Tanh(inner), _number(1.0)))]


@_contrib("QuickGelu")
def _quick_gelu(op: Ops, node: ir.Node) -> list[ir.Value]:
    x = operand(node, 0)
    return [op.Mul(x, op.Sigmoid(op.Mul(x, _number(node.attributes.get_float("alpha", 1.702)))))]


@_contrib("SkipLayerNormalization")
def _skip_layer_normalization(op: Ops, node: ir.Node) -> list[ir.Value | None]:
    x, skip, gamma = (operand(node, i) for i in range(3))
    total = op.Add(x, skip)
    if (bias := optional_operand(node, 4)) is not None:
        total = op.Add(total, bias)
    y = op.LayerNormalization(
        total, gamma, optional_operand(node, 3), axis=-1, epsilon=node.attributes.get_float("epsilon", 1e-12)
    )
    return [y, None, None, total][: len(node.outputs)]


def _former(op_type: str) -> Callable[[Lowering], Lowering]:
    def register(apply: Lowering) -> Lowering:
        FORMER[op_type] = apply
        return apply

    return register


@_former("ImageScaler")
def _image_scaler(op: Ops, node: ir.Node) -> list[ir.Value]:
    """The image times a number, plus a number for each channel."""
    bias = np.array(node.attributes.get_floats("bias", ()), np.float32).reshape(1, -1, 1, 1)
    return [op.Add(op.Mul(operand(node, 0), _number(node.attributes.get_float("scale", 1.0))), bias)]


@_former("Affine")
def _affine(op: Ops, node: ir.Node) -> list[ir.Value]:
    alpha, beta = (
        _number(node.attributes.get_float(name, default)) for name, default in (("alpha", 1.0), ("beta", 0.0))
    )
    return [op.Add(op.Mul(operand(node, 0), alpha), beta)]


@_former("ParametricSoftplus")
def _parametric_softplus(op: Ops, node: ir.Node) -> list[ir.Value]:
    alpha, beta = (_number(node.attributes.get_float(name, 1.0)) for name in ("alpha", "beta"))
    return [op.Mul(op.Softplus(op.Mul(operand(node, 0), beta)), alpha)]


@_former("ScaledTanh")
def _scaled_tanh(op: Ops, node: ir.Node) -> list[ir.Value]:
    alpha, beta = (_number(node.attributes.get_float(name, 1.0)) for name in ("alpha", "beta"))
    return [op.Mul(op.Tanh(op.Mul(operand(node, 0), beta)), alpha)]
