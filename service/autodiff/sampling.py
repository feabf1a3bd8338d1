"""Operators that read images at computed places, written out as interpolations."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from service.autodiff.errors import NotDifferentiable
from service.autodiff.interpolation import (
    Kernel,
    Padding,
    Tap,
    border,
    cubic,
    linear,
    nearest,
    reflection,
    reflection_at_centers,
    sampled,
    sizes,
    zeros_outside,
)
from service.autodiff.lowering import lowers
from service.autodiff.ops import Ops
from service.autodiff.shapes import dim, fixed_dims, known_dim, operand, rank
from service.autodiff.windows import window

_KERNELS: Mapping[str, Kernel] = {
    "nearest": nearest,
    "linear": linear,
    "bilinear": linear,
    "cubic": cubic,
    "bicubic": cubic,
}


@lowers("GridSample")
def grid_sample(op: Ops, node: ir.Node) -> list[ir.Value]:
    """The image at the places of a grid, (N, …, n), whose coordinates run from −1 to 1, the last axis first."""
    x, grid = operand(node, 0), operand(node, 1)
    axes, aligned = rank(x) - 2, bool(node.attributes.get_int("align_corners", 0))
    kernel = _KERNELS[node.attributes.get_string("mode", "linear")]
    paddings: Mapping[str, Padding] = {
        "zeros": zeros_outside,
        "border": border,
        "reflection": reflection_at_centers if aligned else reflection,
    }
    padding = paddings[node.attributes.get_string("padding_mode", "zeros")]
    rows = op.Reshape(grid, op.Concat(op.Shape(grid, end=1), op.constant([-1, axes]), axis=0))
    taps = []
    for axis, size in enumerate(sizes(op, x, axes)):
        at = op.Gather(rows, op.constant(np.int64(axes - 1 - axis)), axis=2)  # (N, P)
        extent = op.CastLike(size, at)
        span = op.Sub(extent, 1) if aligned else extent
        place = op.Mul(op.Add(at, 1), op.Mul(span, 0.5))
        place = place if aligned else op.Sub(place, 0.5)
        taps.append([padding(op, tap, size) for tap in kernel(op, place)])
    shape = op.Concat(dim(op, x, 0), dim(op, x, 1), op.Shape(grid, start=1, end=-1), axis=0)
    return [op.Reshape(sampled(op, x, taps), shape)]


@lowers("AffineGrid")
def affine_grid(op: Ops, node: ir.Node) -> list[ir.Value]:
    """The grid of GridSample, moved by an affine map (N, n, n + 1) per image.

    The standard's own function fails for one image, and loses the ranks of its values in conditions.
    """
    theta, size = operand(node, 0), operand(node, 1)
    axes = known_dim(theta, 1)
    if axes is None:
        raise NotDifferentiable(f"the size of the maps of AffineGrid is not known (node {node.name!r})")
    image = op.Slice(size, op.constant([2]), op.constant([2 + axes]))
    columns = []
    for axis in reversed(range(axes)):
        count = op.Gather(image, op.constant(np.int64(axis)))
        places = _grid_places(op, count, theta, bool(node.attributes.get_int("align_corners", 0)))
        along = op.Reshape(places, op.constant([-1, *[1] * (axes - 1 - axis)]))
        columns.append(op.Reshape(op.Expand(along, image), op.constant([-1, 1])))
    ones = op.Expand(op.constant([[1.0]], like=theta), op.Shape(columns[0]))
    grid = op.MatMul(op.Concat(*columns, ones, axis=1), op.Transpose(theta, perm=[0, 2, 1]))  # (N, P, n)
    return [op.Reshape(grid, op.Concat(dim(op, theta, 0), image, op.constant([axes]), axis=0))]


def _grid_places(op: Ops, count: ir.Value, like: ir.Value, aligned: bool) -> ir.Value:
    """The centres of ``count`` elements between −1 and 1, or points from −1 to 1."""
    zero, one = op.constant(np.int64(0)), op.constant(np.int64(1))
    steps = op.CastLike(op.Range(zero, count, one), like)
    steps = steps if aligned else op.Add(steps, 0.5)
    span = op.CastLike(op.Max(op.Sub(count, one), one) if aligned else count, like)
    return op.Sub(op.Mul(op.Div(steps, span), 2), 1)


@lowers("RoiAlign")
def roi_align(op: Ops, node: ir.Node) -> list[ir.Value]:
    """The mean over a fixed number of samples in each cell of each region (He et al. 2017, "Mask R-CNN", section 3)."""
    x, regions = operand(node, 0), operand(node, 1)
    ratio, mode = node.attributes.get_int("sampling_ratio", 0), node.attributes.get_string("mode", "avg")
    if ratio <= 0 or mode != "avg":
        raise NotDifferentiable(f"RoiAlign has a rule for means over a given sampling_ratio only (node {node.name!r})")
    cells = [node.attributes.get_int(f"output_{name}", 1) for name in ("height", "width")]
    places = [_region_places(op, node, regions, axis, cells[axis], ratio) for axis in (0, 1)]  # (R, cells · ratio)
    taps = []
    for axis, (at, size) in enumerate(zip(places, sizes(op, x, 2), strict=True)):
        shape = op.constant([0, -1, 1] if axis == 0 else [0, 1, -1])
        other = op.Unsqueeze(places[1 - axis], op.constant([1 if axis == 0 else 2]))
        grid = op.Expand(op.Reshape(at, shape), op.Shape(op.Add(op.Reshape(at, shape), other)))
        taps.append(_region_taps(op, op.Flatten(grid, axis=1), size))
    values = sampled(op, x, taps, image=operand(node, 2))  # (R, C, P)
    split = op.constant([0, 0, cells[0], ratio, cells[1], ratio])
    return [op.ReduceMean(op.Reshape(values, split), op.constant([3, 5]), keepdims=0)]


def _region_places(op: Ops, node: ir.Node, regions: ir.Value, axis: int, cells: int, ratio: int) -> ir.Value:
    """The coordinates of the samples of all regions (x1, y1, x2, y2) along an axis: (R, cells · ratio)."""
    half_pixel = node.attributes.get_string("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    scale = node.attributes.get_float("spatial_scale", 1.0)
    start, end = (
        op.Sub(op.Mul(op.Gather(regions, op.constant([1 - axis + 2 * i]), axis=1), scale), 0.5 if half_pixel else 0.0)
        for i in (0, 1)
    )
    extent = op.Sub(end, start)
    if not half_pixel:
        extent = op.Max(extent, op.constant([1.0], like=extent))
    steps = (np.arange(cells * ratio) + 0.5) / (cells * ratio)
    return op.Add(start, op.Mul(extent, op.constant(steps, like=extent)))


def _region_taps(op: Ops, at: ir.Value, size: ir.Value) -> list[Tap]:
    """The edge goes on for one element beyond the image; farther out there is nothing."""
    extent = op.CastLike(size, at)
    inside = op.And(op.GreaterOrEqual(at, op.constant([-1.0], like=at)), op.LessOrEqual(at, extent))
    clamped = op.Min(op.Max(at, op.constant([0.0], like=at)), op.Sub(extent, 1))
    taps = [border(op, tap, size) for tap in linear(op, clamped)]
    return [Tap(tap.index, op.Mul(tap.weight, op.CastLike(inside, at))) for tap in taps]


@lowers("DeformConv")
def deformable_convolution(op: Ops, node: ir.Node) -> list[ir.Value]:
    """A matrix product of the kernel with the image at moved places.

    Dai et al. 2017, "Deformable convolutional networks", section 2.1.
    """
    x, w, offset = (operand(node, i) for i in range(3))
    bias, modulation = ([*node.inputs, None, None])[3:5]
    shape = fixed_dims(w)
    if shape is None:
        raise NotDifferentiable(f"the kernel of DeformConv has no fixed shape (node {node.name!r})")
    (m, c, *kernel), group = shape, node.attributes.get_int("group", 1)
    parts, axes, places = node.attributes.get_int("offset_group", 1), len(kernel), int(np.prod(kernel))
    out = op.Shape(offset, start=2)
    by_part = op.Concat(op.constant([-1, places, axes]), out, axis=0)
    taps = _moved_taps(op, node, x, op.Reshape(offset, by_part), kernel)
    split = op.Concat(op.constant([-1, group * c // parts]), op.Shape(x, start=2), axis=0)
    columns = sampled(op, op.Reshape(x, split), taps)  # (N · parts, C / parts, places · P)
    if modulation is not None:
        columns = op.Mul(
            columns, op.Reshape(modulation, op.Concat(op.Shape(columns, end=1), op.constant([1, -1]), axis=0))
        )
    stacked = op.Reshape(columns, op.Concat(dim(op, x, 0), op.constant([group, c * places, -1]), axis=0))
    y = op.MatMul(op.Reshape(w, op.constant([group, m // group, c * places])), stacked)
    if bias is not None:
        y = op.Add(y, op.Reshape(bias, op.constant([group, m // group, 1])))
    return [op.Reshape(y, op.Concat(dim(op, x, 0), op.constant([m]), out, axis=0))]


def _moved_taps(op: Ops, node: ir.Node, x: ir.Value, offset: ir.Value, kernel: list[int]) -> list[list[Tap]]:
    """Where each element of the kernel reads, for each axis: its place plus its offset (rows, places, axes, …)."""
    win, axes = window(node, kernel), len(kernel)
    corners = np.indices(kernel).reshape(axes, -1)
    taps = []
    for axis, size in enumerate(sizes(op, x, axes)):
        moved = op.Gather(offset, op.constant(np.int64(axis)), axis=2)  # (rows, places, …)
        element = op.constant((corners[axis] * win.dilations[axis] - win.begin[axis]).reshape(-1, *[1] * axes))
        count = op.Squeeze(op.Shape(moved, start=2 + axis, end=3 + axis), op.constant([0]))
        steps = op.Mul(op.Range(op.constant(np.int64(0)), count, op.constant(np.int64(1))), win.strides[axis])
        regular = op.Add(op.Reshape(steps, op.constant([-1, *[1] * (axes - 1 - axis)])), element)
        at = op.Flatten(op.Add(moved, op.CastLike(regular, moved)), axis=1)
        taps.append([zeros_outside(op, tap, size) for tap in linear(op, at)])
    return taps
