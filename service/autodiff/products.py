"""Rules of products along axes, the remainder and the determinant. Zeros among the factors are handled exactly."""

import numpy as np
import onnx_ir as ir

from service.autodiff.elementwise import mask
from service.autodiff.errors import NotDifferentiable
from service.autodiff.ops import Ops
from service.autodiff.registry import Cotangents, vjp
from service.autodiff.shapes import dtype, known_dim, operand, optional_operand, rank, shape_of


def _without_zeros(op: Ops, x: ir.Value, zero: ir.Value) -> ir.Value:
    """``x`` with ones in the places that ``zero`` marks."""
    return op.Where(zero, op.constant(1, like=x), x)


@vjp("ReduceProd")
def reduce_product(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy times the product of all other factors.

    With p the product of the factors that are not zero, this product is p / x where no other factor is zero, else 0;
    for the only zero itself it is p.
    """
    x, axes = operand(node, 0), optional_operand(node, 1)
    reduction = {"keepdims": 1, "noop_with_empty_axes": node.attributes.get_int("noop_with_empty_axes", 0)}
    zero = op.Equal(x, 0)
    factors = _without_zeros(op, x, zero)
    marks = op.Cast(zero, to=dtype(x))
    product = op.ReduceProd(factors, axes, **reduction)
    other_zeros = op.Sub(op.ReduceSum(marks, axes, **reduction), marks)
    others = mask(op, op.Equal(other_zeros, 0), op.Div(product, factors))
    return [op.Mul(op.Reshape(dy, shape_of(op, product)), others), None]


@vjp("CumProd")
def cumulative_product(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx[i] = Σ_j dy[j] · y[j] / x[i] over all j that have x[i] among their factors.

    Only the first zero on the way contributes where x is zero: its sum runs over the products without it. The products
    beyond a later zero contain the first one, so its own cotangent is 0.
    """
    x, y, axis = operand(node, 0), node.outputs[0], operand(node, 1)
    reverse, exclusive = node.attributes.get_int("reverse", 0), node.attributes.get_int("exclusive", 0)

    def pulled_back(products: ir.Value) -> ir.Value:
        return op.CumSum(op.Mul(dy, products), axis, exclusive=exclusive, reverse=1 - reverse)

    zero = op.Equal(x, 0)
    so_far = op.CumSum(op.Cast(zero, to=dtype(x)), axis, reverse=reverse)
    first = op.And(zero, op.Equal(so_far, 1))
    at_first = op.CumProd(_without_zeros(op, x, first), axis, exclusive=exclusive, reverse=reverse)
    elsewhere = mask(op, op.Not(zero), op.Div(pulled_back(y), _without_zeros(op, x, zero)))
    return [op.Where(first, pulled_back(at_first), elsewhere), None]


@vjp("Mod", core_axes=0)
def modulo(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Y = a − b · n with a whole number n: da = dy, db = −n · dy. Both kinds of remainder differ in n only."""
    a, b = node.inputs
    quotient = op.Round(op.Div(op.Sub(a, node.outputs[0]), b))
    return [dy, op.Neg(op.Mul(dy, quotient))]


@vjp("Det")
def determinant(op: Ops, node: ir.Node, dy: ir.Value) -> Cotangents:
    """Dx = dy · C, the matrix of cofactors: C[i, j] = (−1)^(i+j) times the determinant without row i and column j.

    Unlike det X · X⁻ᵀ it exists for singular matrices too.
    """
    x = operand(node, 0)
    n = known_dim(x, -1)
    if n is None:
        raise NotDifferentiable(f"the size of the matrices of Det is not known (node {node.name!r})")
    outer = op.Reshape(dy, op.Concat(op.Shape(x, end=-2), op.constant([1, 1]), axis=0))
    if n == 1:
        return [outer]
    rest = np.array([[k for k in range(n) if k != i] for i in range(n)])
    rows = op.Gather(x, op.constant(rest), axis=rank(x) - 2)  # (…, i, n − 1, n)
    minors = op.Gather(rows, op.constant(rest), axis=rank(x))  # (…, i, n − 1, j, n − 1)
    order = [*range(rank(x) - 1), rank(x), rank(x) - 1, rank(x) + 1]
    signs = op.constant([[(-1) ** (i + j) for j in range(n)] for i in range(n)], like=x)
    return [op.Mul(outer, op.Mul(signs, op.Det(op.Transpose(minors, perm=order))))]
