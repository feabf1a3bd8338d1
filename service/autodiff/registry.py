"""Which operator has which rule, and which operators have no gradient."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from service.autodiff.coverage import NO_GRADIENT_BECAUSE, note

Cotangents = Sequence[ir.Value | None]
VJP = Callable[..., Cotangents]


@dataclass(frozen=True)
class Rule:
    """The vector-Jacobian product of one operator.

    apply: ``apply(op, node, *dy)`` returns one cotangent per input of the node, None where it is zero. ``dy`` are the
        cotangents of the node's outputs; trailing outputs that nothing flows back to are left out, others are None.
    core_axes: for operators that broadcast, the number of trailing axes that take no part in it (0 for Add, 2 for
    MatMul);
        the walk then sums the cotangents back to the shapes of the inputs. None where nothing is broadcast.
    broadcasts: the inputs that are broadcast, if not all are.
    """

    apply: VJP
    core_axes: int | None = None
    broadcasts: Collection[int] | None = None

    def stretches(self, i: int) -> bool:
        """Whether input ``i`` may have been stretched to the shape of the output."""
        return self.core_axes is not None and (self.broadcasts is None or i in self.broadcasts)


RULES: dict[str, Rule] = {}

# Nothing flows back through these.
NO_GRADIENT = frozenset(NO_GRADIENT_BECAUSE)

# Their outputs are integers that stand for numbers: the rounding is passed as if it were not there.
STRAIGHT_THROUGH = frozenset(["QuantizeLinear", "DynamicQuantizeLinear"])


def vjp(
    *op_types: str, core_axes: int | None = None, broadcasts: Collection[int] | None = None
) -> Callable[[VJP], VJP]:
    """Register the decorated function as the rule of the operators ``op_types`` (default domain)."""

    def register(apply: VJP) -> VJP:
        for op_type in op_types:
            RULES[op_type] = Rule(apply, core_axes, broadcasts)
        return apply

    return register


def missing_message(nodes: Sequence[ir.Node]) -> str:
    """One line per node that has no rule, with the reason where there is one."""
    return "no gradient rule for:\n" + "\n".join(map(_line, nodes))


def _line(node: ir.Node) -> str:
    reason = "" if node.domain else note(node.op_type)
    name = f"  {node.op_identifier()[0] or 'ai.onnx'}.{node.op_type} (node {node.name!r})"
    return f"{name}: {reason}" if reason else name
