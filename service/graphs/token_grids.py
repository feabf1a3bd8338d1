"""Tokens of transformers as feature maps: (N, tokens, channels) seen as (N, channels, height, width)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from service.graphs.rewrites import initializer


@dataclass(frozen=True)
class Grid:
    """Tokens in rows and columns.

    Attributes:
        channels: The number of channels of a token.
        cells: Rows and columns, for an image of ``size``.
        size: The height and width of such an image.
        leading: The number of tokens before those of the grid.
    """

    channels: int
    cells: tuple[int, int]
    size: tuple[int, int]
    leading: int


def with_grids(model: onnx.ModelProto, image: str, grids: Mapping[str, Grid]) -> onnx.ModelProto:
    """The same function with the tokens of these layers laid out as a grid, and back in a row.

    The name of such a layer then is that of the grid, through which the gradient passes. Tokens that stand before those
    of the grid, such as a class token, go round it.

    Args:
        model: The network.
        image: The name of its input (N, 3, H, W).
        grids: How tokens are laid out, by the name of their value.
    """
    copy = ir.from_proto(model)
    values = ir.convenience.create_value_mapping(copy.graph, include_subgraphs=False)
    for name, grid in grids.items():
        _lay_out(copy.graph, values[image], values[name], grid)
    return ir.to_proto(copy)


def _lay_out(graph: ir.Graph, image: ir.Value, tokens: ir.Value, layout: Grid) -> None:
    name, lead, uses = tokens.name, layout.leading, list(tokens.uses())
    nodes = _Sequence(graph, f"{name}/grid", tokens)
    tokens.name = f"{name}/tokens"
    rest = nodes.add("Slice", tokens, nodes.ints(lead), nodes.ints(2**31), nodes.ints(1)) if lead else tokens
    shape = nodes.add("Concat", *nodes.sizes(image, layout), axis=0)
    grid = nodes.add("Reshape", nodes.add("Transpose", rest, perm=[0, 2, 1]), shape)
    grid.name, grid.type = name, tokens.type
    row = nodes.add("Transpose", nodes.add("Reshape", grid, nodes.ints(0, 0, -1)), perm=[0, 2, 1])
    if lead:
        row = nodes.add(
            "Concat", nodes.add("Slice", tokens, nodes.ints(0), nodes.ints(lead), nodes.ints(1)), row, axis=1
        )
    row.type, row.shape = tokens.type, tokens.shape
    for use in uses:
        use.node.replace_input_with(use.idx, row)
    nodes.insert()


class _Sequence:
    """Nodes that come after the one that computes ``after``."""

    def __init__(self, graph: ir.Graph, scope: str, after: ir.Value) -> None:
        self._graph, self._scope, self._after = graph, scope, after
        self._nodes: list[ir.Node] = []

    def add(self, op_type: str, *inputs: ir.Value, **attributes: Any) -> ir.Value:
        node = ir.node(op_type, inputs, attributes, name=f"{self._scope}/{len(self._nodes)}")
        (y,) = node.outputs
        y.name = node.name
        self._nodes.append(node)
        return y

    def ints(self, *numbers: int) -> ir.Value:
        """A constant (n,)."""
        name = f"{self._scope}/ints_{'_'.join(map(str, numbers))}"
        found = self._graph.initializers.get(name)
        return found if found is not None else initializer(self._graph, name, np.array(numbers, np.int64))

    def sizes(self, image: ir.Value, layout: Grid) -> list[ir.Value]:
        """The parts of the shape (N, channels, height, width): as many rows as the image has in proportion."""
        whole = self.add("Shape", image)
        sides = []
        for axis, cells, own in zip((2, 3), layout.cells, layout.size, strict=True):
            side = self.add("Gather", whole, self.ints(axis))
            sides.append(self.add("Div", self.add("Mul", side, self.ints(cells)), self.ints(own)))
        return [self.ints(0), self.ints(layout.channels), *sides]

    def insert(self) -> None:
        producer = self._after.producer()
        assert producer is not None
        self._graph.insert_after(producer, self._nodes)
