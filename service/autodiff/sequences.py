"""Sequences whose elements can be told from the graph: what reads them reads the elements."""

from collections.abc import Sequence

import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.folding import known_value
from service.autodiff.lowering import lowers
from service.autodiff.ops import Ops
from service.autodiff.shapes import known_dim, operand, optional_operand, rank

_KEY = "elements"


@lowers("SequenceAt")
def sequence_at(op: Ops, node: ir.Node) -> list[ir.Value]:
    """One element."""
    return [op.Identity(_elements(op, operand(node, 0))[_position(node, 1)])]


@lowers("ConcatFromSequence")
def concat_from_sequence(op: Ops, node: ir.Node) -> list[ir.Value]:
    """All elements along one axis, which may be new."""
    axis, elements = node.attributes["axis"].as_int(), _elements(op, operand(node, 0))
    if node.attributes.get_int("new_axis", 0):
        elements = [op.Unsqueeze(element, op.constant([axis])) for element in elements]
    return [op.Concat(*elements, axis=axis)]


@lowers("OptionalGetElement")
def optional_get_element(op: Ops, node: ir.Node) -> list[ir.Value]:
    """What was put in."""
    x = operand(node, 0)
    maker = x.producer()
    if maker is not None and maker.op_type == "Optional" and maker.inputs and maker.inputs[0] is not None:
        return [op.Identity(maker.inputs[0])]
    if isinstance(x.type, ir.TensorType):
        return [op.Identity(x)]
    raise NotDifferentiable(f"it is not known what OptionalGetElement finds (node {node.name!r})")


def _elements(op: Ops, sequence: ir.Value) -> list[ir.Value]:
    """The elements of a sequence, found by following the nodes that made it."""
    maker = sequence.producer()
    if maker is None:
        raise NotDifferentiable(f"the elements of the sequence {sequence.name!r} are not known")
    inputs = [x for x in maker.inputs if x is not None]
    match maker.op_type:
        case "SequenceEmpty":
            return []
        case "SequenceConstruct":
            return inputs
        case "Identity":
            return _elements(op, inputs[0])
        case "SequenceInsert":
            elements = list(_elements(op, inputs[0]))
            elements.insert(_position(maker, 2) if len(inputs) > 2 else len(elements), inputs[1])
            return elements
        case "SequenceErase":
            elements = list(_elements(op, inputs[0]))
            del elements[_position(maker, 1) if len(inputs) > 1 else -1]
            return elements
        case "SplitToSequence":
            if _KEY not in maker.meta:
                maker.meta[_KEY] = _split(op, maker)
            return list(maker.meta[_KEY])
    raise NotDifferentiable(f"the elements of the sequence {sequence.name!r} are not known")


def _split(op: Ops, node: ir.Node) -> Sequence[ir.Value]:
    """The sections of SplitToSequence. A scalar tells the size of each but the last, by default it is 1."""
    x, given = operand(node, 0), optional_operand(node, 1)
    axis = node.attributes.get_int("axis", 0) % rank(x)
    size, lengths = known_dim(x, axis), known_value(given)
    each_is_known = lengths is not None and lengths.ndim == 1
    if (given is not None and lengths is None) or (size is None and not each_is_known):
        raise NotDifferentiable(f"the sections of SplitToSequence are not known (node {node.name!r})")
    if lengths is not None and each_is_known:
        sections = lengths.tolist()
    else:
        each, whole = int(lengths) if lengths is not None else 1, size or 0
        sections = [min(each, whole - begin) for begin in range(0, whole, each)]
    parts = op.several("Split", len(sections), x, op.constant(sections), axis=axis)
    if given is None and not node.attributes.get_int("keepdims", 1):
        return [op.Squeeze(part, op.constant([axis])) for part in parts]
    return parts


def _position(node: ir.Node, i: int) -> int:
    position = known_value(operand(node, i))
    if position is None:
        raise NotDifferentiable(f"the position that {node.op_type} reads is not known (node {node.name!r})")
    return int(position)
