"""Names for sizes that are known only at run time: equal names for sizes that are equal whatever they will be.

ONNX's own inference leaves such sizes open. With names the runtime's optimizer sees which shapes are equal, and keeps
to its fast layout.
"""

import onnx_ir as ir

from service.autodiff.windows import window

_LIKE_FIRST_INPUT = frozenset(
    "Relu LeakyRelu PRelu Elu Selu Celu Sigmoid HardSigmoid Tanh HardSwish Mish Gelu Softplus Clip Identity Dropout "
    "Cast CastLike Neg Abs BatchNormalization InstanceNormalization LRN".split()
)
_MADE_UP = "unk__"  # how ONNX's inference begins the names of sizes that it knows nothing of


def name_sizes(graph: ir.Graph) -> None:
    """Give every open size of the graph's values a name; nodes must be sorted."""
    known: dict[str, int | str] = {}
    for value in graph.inputs:
        _fill(value, [], known)
    for node in graph:
        for i, value in enumerate(node.outputs):
            _fill(value, _names(node) if i == 0 else [], known)


def _fill(value: ir.Value, names: "list[int | str | None]", known: dict[str, int | str]) -> None:
    """Open sizes get the names, or one that nothing else has. known: what names that were made up have become."""
    if value.shape is None:
        return
    dims: list[int | str] = []
    for axis, size in enumerate(value.shape):
        own = size.value if isinstance(size, ir.SymbolicDim) else size
        if own is None:
            own = f"{_MADE_UP}{value.name}[{axis}]"
        if isinstance(own, str) and own.startswith(_MADE_UP):
            name = names[axis] if axis < len(names) else None
            own = known.setdefault(own, own if name is None else name)
        dims.append(own)
    value.shape = ir.Shape(dims)


def _plain(size: int | ir.SymbolicDim) -> int | str:
    return size if isinstance(size, int) else str(size.value)


def _names(node: ir.Node) -> "list[int | str | None]":
    """What the first output's sizes are, as far as the node tells."""
    x = node.inputs[0] if node.inputs else None
    if x is None or x.shape is None:
        return []
    dims = [_plain(size) for size in x.shape]
    if node.op_type in _LIKE_FIRST_INPUT:
        return list(dims)
    if node.op_type == "Concat":
        return [
            None if axis == node.attributes["axis"].as_int() % len(dims) else size for axis, size in enumerate(dims)
        ]
    if node.op_type in ("Conv", "MaxPool", "AveragePool") and not node.domain:
        return [dims[0], None, *_slid(node, dims[2:])]
    return []


def _slid(node: ir.Node, dims: list[int | str]) -> list[int | str | None]:
    """What windows make of sizes; the same window makes the same of the same."""
    kernel = node.inputs[1].shape if node.op_type == "Conv" and node.inputs[1] is not None else None
    size = list(
        node.attributes.get_ints(
            "kernel_shape", [n for n in kernel[2:] if isinstance(n, int)] if kernel is not None else []
        )
    )
    if len(size) != len(dims) or node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        return [None] * len(dims)
    win = window(node, size)
    rounding = "up" if node.attributes.get_int("ceil_mode", 0) else "down"
    names: list[int | str | None] = []
    for before, extent, stride, begin, end in zip(dims, win.extent, win.strides, win.begin, win.end, strict=True):
        less = extent - 1 - begin - end
        names.append(before if less == 0 and stride == 1 else f"({before}-{less})/{stride} {rounding}")
    return names
