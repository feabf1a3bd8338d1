"""Appending nodes to a graph with the least ceremony: ``op.Mul(dy, op.Exp(x))``."""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import chain, count
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

Operand = ir.Value | npt.NDArray[Any] | int | float | None

_RESULT_TYPES = dict.fromkeys(["Shape", "Size", "NonZero", "ArgMax", "ArgMin"], ir.DataType.INT64) | dict.fromkeys(
    ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "And", "Or"], ir.DataType.BOOL
)

_LARGE_BYTES = 4096


class Ops:
    """A builder that appends to ``graph``; the name of an attribute is the operator.

    Arrays become initializers, numbers become scalars of the type of the first value among the operands, None an absent
    optional input. For nodes with several outputs there is `several`.
    """

    def __init__(self, graph: ir.Graph, scope: str = "grad") -> None:
        self._graph = graph
        self._scope = scope
        self._taken = (
            {v.name for node in graph for v in node.outputs} | {v.name for v in graph.inputs} | set(graph.initializers)
        )
        self._constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}
        self._count = 0

    @property
    def opset(self) -> int:
        """The version of the standard operators that the graph is written in."""
        return self._graph.opset_imports.get("", 0)

    def adopt(self, nodes: Sequence[ir.Node]) -> None:
        """Append existing nodes, and give them and their outputs names that nothing else has."""
        for node in nodes:
            node.name = self._fresh(node.op_type)
            for i, value in enumerate(node.outputs):
                value.name = f"{node.name}:{i}" if i else node.name
        self._graph.extend(nodes)

    def __getattr__(self, op_type: str) -> Callable[..., ir.Value]:
        if not op_type[0].isupper():
            raise AttributeError(op_type)

        def append(*operands: Operand, _name: str | None = None, **attributes: Any) -> ir.Value:
            (output,) = self._append(op_type, operands, attributes, 1)
            output.name = _name or output.name
            return output

        return append

    def several(self, op_type: str, outputs: int, *operands: Operand, **attributes: Any) -> Sequence[ir.Value]:
        """Append a node with several outputs and return them all."""
        return self._append(op_type, operands, attributes, outputs)

    def total(self, terms: Sequence[ir.Value]) -> ir.Value:
        """The sum of one or several values of the same shape."""
        return reduce(self.Add, terms)

    def constant(self, array: npt.ArrayLike, like: ir.Value | None = None) -> ir.Value:
        """An initializer that holds ``array``, in the element type of ``like`` if that is given."""
        data = np.asarray(array)
        if data.size == 0:  # the shape of a scalar
            data = data.astype(np.int64)
        if like is not None:
            if like.dtype is None:
                raise ValueError(f"the element type of {like.name!r} is not known")
            data = data.astype(like.dtype.numpy())
        if data.nbytes > _LARGE_BYTES:  # hardly there twice, and expensive to compare
            return self._initializer(data)
        key = (str(data.dtype), data.shape, data.tobytes())
        if key not in self._constants:
            self._constants[key] = self._initializer(data)
        return self._constants[key]

    def _initializer(self, data: npt.NDArray[Any]) -> ir.Value:
        name = self._fresh("const")
        value = ir.val(name, const_value=ir.tensor(data, name=name))
        self._graph.register_initializer(value)
        return value

    def _append(
        self, op_type: str, operands: Sequence[Operand], attributes: dict[str, Any], outputs: int
    ) -> Sequence[ir.Value]:
        like = next((x for x in operands if isinstance(x, ir.Value)), None)
        inputs = [self._operand(x, like) for x in operands]
        node = ir.node(op_type, inputs, attributes, num_outputs=outputs, name=self._fresh(op_type))
        for i, value in enumerate(node.outputs):
            value.name = f"{node.name}:{i}" if i else node.name
            if (dtype := self._result_type(op_type, attributes, inputs)) is not None:
                value.dtype = dtype
        self._graph.append(node)
        return node.outputs

    def _operand(self, x: Operand, like: ir.Value | None) -> ir.Value | None:
        if x is None or isinstance(x, ir.Value):
            return x
        return self.constant(x, None if isinstance(x, np.ndarray) else like)

    @staticmethod
    def _result_type(op_type: str, attributes: dict[str, Any], inputs: list[ir.Value | None]) -> ir.DataType | None:
        if op_type in _RESULT_TYPES:
            return _RESULT_TYPES[op_type]
        if op_type == "Cast":
            return ir.DataType(attributes["to"])
        if op_type == "ConstantOfShape":
            tensor: ir.TensorProtocol = attributes["value"]
            return tensor.dtype
        source = inputs[1] if op_type in ("Where", "CastLike") else inputs[0]
        return source.dtype if source is not None else None

    def free_name(self, stem: str) -> str:
        """``stem``, or with a number appended if the graph had a value of that name."""
        numbered = (f"{stem}_{i}" for i in count(2))
        return next(name for name in chain([stem], numbered) if name not in self._taken)

    def _fresh(self, stem: str) -> str:
        self._count += 1
        return self.free_name(f"{self._scope}/{stem}_{self._count}")
