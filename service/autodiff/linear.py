"""Rules of matrix products."""

import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import operand, rank, shape_of


def _transposed(op: Ops, x: ir.Value, axes: int) -> ir.Value:
    """``x``, of ``axes`` axes, with the last two exchanged."""
    order = [*range(axes - 2), axes - 1, axes - 2]
    return op.Transpose(x, perm=order)


@vjp("MatMul", core_axes=2)
def matmul(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """DA = dY·Bᵀ, dB = Aᵀ·dY; a vector is a matrix of one row (left) or one column (right)."""
    a, b = operand(node, 0), operand(node, 1)
    a_rank, b_rank = rank(a), rank(b)
    a_matrix = op.Unsqueeze(a, op.constant([0])) if a_rank == 1 else a
    b_matrix = op.Unsqueeze(b, op.constant([1])) if b_rank == 1 else b
    added = [axis for axis, vector in ((-2, a_rank == 1), (-1, b_rank == 1)) if vector]
    if added:
        dy = op.Unsqueeze(dy, op.constant(added))
    da = op.MatMul(dy, _transposed(op, b_matrix, max(b_rank, 2)))
    db = op.MatMul(_transposed(op, a_matrix, max(a_rank, 2)), dy)
    if a_rank == 1:
        da = _sum_vector(op, da, a, axis=-2, stacked=b_rank > 2)
    if b_rank == 1:
        db = _sum_vector(op, db, b, axis=-1, stacked=a_rank > 2)
    return [da, db]


def _sum_vector(op: Ops, dv: ir.Value, v: ir.Value, axis: int, stacked: bool) -> ir.Value:
    """The cotangent of a vector that was taken as a row or column, summed over the stack it was multiplied with."""
    if not stacked:
        return op.Squeeze(dv, op.constant([axis]))
    rows = op.Reshape(dv, op.Concat(op.constant([-1]), shape_of(op, v), axis=0))
    return op.ReduceSum(rows, op.constant([0]), keepdims=0)


@vjp("Gemm", core_axes=0, broadcasts={2})
def gemm(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = α·A·B + β·C: dA = α·dY·Bᵀ, dB = α·Aᵀ·dY, dC = β·dY, with A and B transposed where the attributes say so."""
    a, b = node.inputs[:2]
    alpha, beta = node.attributes.get_float("alpha", 1.0), node.attributes.get_float("beta", 1.0)
    trans_a, trans_b = node.attributes.get_int("transA", 0), node.attributes.get_int("transB", 0)
    if trans_a:
        da = op.Gemm(b, dy, alpha=alpha, transA=trans_b, transB=1)
    else:
        da = op.Gemm(dy, b, alpha=alpha, transB=1 - trans_b)
    if trans_b:
        db = op.Gemm(dy, a, alpha=alpha, transA=1, transB=trans_a)
    else:
        db = op.Gemm(a, dy, alpha=alpha, transA=1 - trans_a)
    return [da, db, dy if beta == 1.0 else op.Mul(dy, beta)]


@vjp("Einsum")
def einsum(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """The cotangent of an operand is dy summed with all the others, each under its own labels."""
    equation = node.attributes["equation"].as_string().replace(" ", "")
    terms, _, result = equation.partition("->")
    labels = terms.split(",")
    if "->" not in equation:
        counted = sorted(c for c in set(terms) - {",", "."} if terms.count(c) == 1)
        result = ("..." if "..." in terms else "") + "".join(counted)
    cotangents = []
    for i, mine in enumerate(labels):
        others = [label for j, label in enumerate(labels) if j != i]
        known = set(result).union(*others) if others else set(result)
        if not set(mine) <= known or len(set(mine.replace("...", ""))) != len(mine.replace("...", "")):
            raise NotDifferentiable(
                f"Einsum {equation!r} sums or repeats a label of one operand alone (node {node.name!r})"
            )
        rest = [operand(node, j) for j in range(len(labels)) if j != i]
        cotangents.append(op.Einsum(dy, *rest, equation=",".join([result, *others]) + "->" + mine))
    return cotangents
