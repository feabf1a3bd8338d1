"""The walk from the differentiated value back to the inputs, with one rule per node."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from service.autodiff import registry
from service.autodiff.errors import Independent, NotDifferentiable
from service.autodiff.functions import inline_standard_functions
from service.autodiff.lowering import LOWERINGS, lower
from service.autodiff.ops import Ops
from service.autodiff.registry import NO_GRADIENT, RULES, STRAIGHT_THROUGH, Rule
from service.autodiff.shapes import fixed_dims, same_dims
from service.autodiff.symbolic_dims import name_sizes
from service.autodiff.versions import at_opset_floor


def differentiate(
    model: onnx.ModelProto, of: str, wrt: str | Sequence[str], rules: Mapping[str, Rule] = RULES
) -> onnx.ModelProto:
    """`gradient_model` as a protocol buffer."""
    return ir.to_proto(gradient_model(model, of, wrt, rules))


def gradient_model(
    model: onnx.ModelProto,
    of: str,
    wrt: str | Sequence[str],
    rules: Mapping[str, Rule] = RULES,
    adjusted: "Adjusted | None" = None,
) -> ir.Model:
    """Return ``model`` with the gradient of the value ``of`` with respect to the values ``wrt``.

    The result has all inputs and outputs of ``model``, one more input ``d_<of>`` (the cotangent, of the shape of
    ``of``), and for each ``x`` in ``wrt`` one more output ``d_<x>`` of the shape of ``x`` (``d_<x>_2`` where that name
    is taken). Sizes may be symbolic.

    Args:
        model: The graph; it is not changed.
        of: The name of the value to differentiate, an inner one or an output.
        wrt: The names of one or several inputs or inner values.
        rules: The rule of each operator; ``guided(RULES)`` is guided backpropagation (see `relu_variants`).
        adjusted: Makes other rules of them, once it is known what lies on the way (see `deeplift`).

    Raises:
        NotDifferentiable: Operators have no rule (all are named), a rule refuses a node, there is no value of a name,
            or ``of`` does not depend on ``wrt``.
    """
    prepared = _prepare(model, rules)
    graph = prepared.graph
    target, *sources = _values(graph, [of, *([wrt] if isinstance(wrt, str) else wrt)])
    path = _path(graph, target, sources)
    if missing := path.without_rule(rules):
        raise NotDifferentiable(registry.missing_message(missing))
    _check_dependence(of, sources, path.values)

    seed = ir.Value(name=f"d_{of}", shape=target.shape, type=target.type)
    graph.inputs.append(seed)
    op = Ops(graph)
    cotangents = _walk(op, path, target, seed, adjusted(op, path, rules) if adjusted else rules)
    _check_dependence(of, sources, cotangents)
    graph.outputs.extend(_named_output(op, cotangents[source], source) for source in sources)
    passes.RemoveUnusedNodesPass()(prepared)
    return prepared


def missing_rules(model: onnx.ModelProto, of: str, wrt: str, rules: Mapping[str, Rule] = RULES) -> list[str]:
    """The operators between ``wrt`` and ``of`` that have no rule, one ``Operator (node name)`` for each node.

    Raises `NotDifferentiable` when there is no value of these names.
    """
    graph = _prepare(model, rules).graph
    target, source = _values(graph, [of, wrt])
    path = _path(graph, target, [source])
    return [f"{node.op_type} ({node.name})" for node in path.without_rule(rules)]


class Path:
    """What lies between the sources and the target: the values, and the nodes in topological order."""

    def __init__(self, graph: ir.Graph, nodes: list[ir.Node], values: set[ir.Value]) -> None:
        self.graph = graph
        self.nodes = nodes
        self.values = values

    def without_rule(self, rules: Mapping[str, Rule]) -> list[ir.Node]:
        """The nodes that cannot be differentiated."""
        return [node for node in self.nodes if node.op_type not in rules or node.domain]


Adjusted = Callable[[Ops, Path, Mapping[str, Rule]], Mapping[str, Rule]]


def _prepare(model: onnx.ModelProto, rules: Mapping[str, Rule]) -> ir.Model:
    """A sorted copy at `OPSET_FLOOR` or above, without functions and Constant nodes, with inferred shapes."""
    model = _written_out(at_opset_floor(model), rules)
    copy = ir.from_proto(onnx.shape_inference.infer_shapes(model, data_prop=True))
    passes.InlinePass()(copy)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(copy)
    copy.graph.sort()
    name_sizes(copy.graph)
    return copy


def _written_out(model: onnx.ModelProto, rules: Mapping[str, Rule]) -> onnx.ModelProto:
    """The model with operators that have no rule written out in others, as long as that changes anything."""
    keep = {*rules, *NO_GRADIENT, *LOWERINGS}
    while (simpler := inline_standard_functions(lower(model, rules), keep)) is not model:
        model = simpler
    return model


def _check_dependence(of: str, sources: Sequence[ir.Value], reached: Collection[ir.Value]) -> None:
    for source in sources:
        if source not in reached:
            raise Independent(f"{of!r} does not depend on {source.name!r} in a differentiable way")


def _values(graph: ir.Graph, names: Sequence[str]) -> list[ir.Value]:
    values = ir.convenience.create_value_mapping(graph, include_subgraphs=False)
    for name in names:
        if name not in values:
            raise NotDifferentiable(f"the graph has no value {name!r}")
    return [values[name] for name in names]


def _path(graph: ir.Graph, target: ir.Value, sources: Sequence[ir.Value]) -> Path:
    reached = set(sources)
    for node in graph:
        if node.op_type not in NO_GRADIENT and any(x in reached for x in _reads(node)):
            reached.update(y for y in node.outputs if _is_differentiable(y) or node.op_type in STRAIGHT_THROUGH)
    nodes, needed = [], {target}
    for node in reversed(graph):
        if any(y in needed and y in reached for y in node.outputs) and any(x in reached for x in _reads(node)):
            nodes.append(node)
            needed.update(x for x in node.inputs if x is not None)
    return Path(graph, nodes[::-1], needed & reached)


def _reads(node: ir.Node) -> Iterable[ir.Value | None]:
    """The inputs of the node, and what the graphs in its attributes read from around it (and in themselves)."""
    yield from node.inputs
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            body = attribute.as_graph()
            yield from body.outputs
            for inner in body:
                yield from _reads(inner)


def _is_differentiable(value: ir.Value) -> bool:
    return value.dtype is None or value.dtype.is_floating_point()


def _walk(
    op: Ops, path: Path, target: ir.Value, seed: ir.Value, rules: Mapping[str, Rule]
) -> Mapping[ir.Value, ir.Value]:
    """The cotangent of each value on the path.

    Broadcasts are undone and the cotangents of values that are read several times are summed here, for all rules.
    """
    terms: dict[ir.Value, list[ir.Value]] = {target: [seed]}
    sums: dict[ir.Value, ir.Value] = {}

    def cotangent(value: ir.Value) -> ir.Value | None:
        if value not in sums and value in terms:
            sums[value] = op.total(terms[value])
        return sums.get(value)

    for node in reversed(path.nodes):
        dy = [cotangent(y) for y in node.outputs]
        while dy and dy[-1] is None:
            dy.pop()
        if not dy:
            continue
        rule = rules[node.op_type]
        for i, (x, dx) in enumerate(zip(node.inputs, rule.apply(op, node, *dy), strict=False)):
            if x is None or dx is None or x not in path.values:
                continue
            terms.setdefault(x, []).append(_shaped(op, dx, x, node, rule, i))
    for value in path.values:
        cotangent(value)
    return sums


def _shaped(op: Ops, dx: ir.Value, x: ir.Value, node: ir.Node, rule: Rule, i: int) -> ir.Value:
    """The cotangent of input ``i`` in the shape of this input, which is also noted as its shape."""
    if rule.stretches(i):
        dx = _sum_to_shape(op, dx, x, node.outputs[0], rule.core_axes or 0)
    if dx.shape is None:
        dx.shape = x.shape
    return dx


def _named_output(op: Ops, dx: ir.Value, source: ir.Value) -> ir.Value:
    """An output ``d_<source>`` with the type and shape of its source."""
    output = op.Identity(dx, _name=op.free_name(f"d_{source.name}"))
    output.shape, output.type = source.shape, source.type
    return output


def _sum_to_shape(op: Ops, dx: ir.Value, x: ir.Value, y: ir.Value, core_axes: int) -> ir.Value:
    """Undo the broadcast of ``x`` to the shape of ``y``: sum over the axes that were stretched or added."""
    if same_dims(x, y, ignore_last=core_axes):
        return dx
    x_dims, y_dims = fixed_dims(x), fixed_dims(y)
    if core_axes == 0 and x_dims is not None and y_dims is not None:
        x_padded = [1] * (len(y_dims) - len(x_dims)) + x_dims
        axes = [i for i, (a, b) in enumerate(zip(x_padded, y_dims, strict=True)) if a == 1 and b != 1]
        summed = op.ReduceSum(dx, op.constant(axes), keepdims=1) if axes else dx
        return summed if len(x_dims) == len(y_dims) else op.Reshape(summed, op.constant(x_dims))
    # Sizes that are known only at run time: compare the two shapes there.
    shape, wide = op.Shape(x), op.Shape(dx)
    ones = op.Expand(op.constant([1]), op.Sub(op.Shape(wide), op.Shape(shape)))
    stretched = op.Not(op.Equal(op.Concat(ones, shape, axis=0), wide))
    found = op.Reshape(op.NonZero(stretched), op.constant([-1]))
    return op.Reshape(op.ReduceSum(dx, found, keepdims=1, noop_with_empty_axes=1), shape)
