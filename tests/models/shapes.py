"""Drawn shapes, and a small network that learns in seconds what they are, by the service's own gradients.

It is trained once for all tasks, and cut into a network for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from service.autodiff import differentiate

SIZE, CELLS = 32, 8
KINDS = ("disc", "square", "cross")
STEPS, BATCH = 800, 16
_Arrays = dict[str, Any]

_BODY = """
  a1 = Conv<kernel_shape = [4, 4], strides = [2, 2], pads = [1, 1, 1, 1]>(image, w1, b1) r1 = Relu(a1)
  a2 = Conv<kernel_shape = [4, 4], strides = [2, 2], pads = [1, 1, 1, 1]>(r1, w2, b2) r2 = Relu(a2)
  a3 = Conv<pads = [2, 2, 2, 2], dilations = [2, 2]>(r2, w3, b3) r3 = Relu(a3)
  a4 = Conv<pads = [1, 1, 1, 1]>(r3, w4, b4) features = Relu(a4)
  cells = Conv(features, w_class, b_class)
  flat_cells = Reshape(cells, cells_shape) logits = Transpose<perm = [0, 2, 1]>(flat_cells)
  sides = Conv(features, w_box, b_box) flat_sides = Reshape(sides, sides_shape)
  turned = Transpose<perm = [0, 2, 1]>(flat_sides) boxes = Sigmoid(turned)
  sizes = Conv(features, w_size, b_size) pooled = GlobalAveragePool(sizes) size = Reshape(pooled, size_shape)
"""
_ENDS = {  # the outputs of each task, and what leads to them
    "detector": ("float[N, 64, 4] logits, float[N, 64, 4] boxes", ""),
    "segmenter": (
        "float[N, 4, 32, 32] maps",
        'maps = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(cells, , scales)',
    ),
    "several": (  # the mean over the places of the log-odds of each kind, where it is likely
        "float[N, 3] scores",
        """sure = LogSoftmax<axis = 1>(cells) share = Exp(sure) rest = Sub(whole, share) open = Max(rest, little)
           doubt = Log(open) odds = Sub(sure, doubt) kinds = Slice(odds, from, to, one) likely = Relu(kinds)
           scores = ReduceMean<keepdims = 0>(likely, places)""",
    ),
    "number": ("float[N, 1] size", ""),
    "vector": (
        "float[N, 3] vector",
        """kinds = Slice(cells, from, to, one) seen = Relu(kinds)
           vector = ReduceMean<keepdims = 0>(seen, places)""",
    ),
}
_CONSTANTS = {
    "cells_shape": np.array([0, 4, CELLS**2]),
    "sides_shape": np.array([0, 4, CELLS**2]),
    "size_shape": np.array([0, 1]),
    "scales": np.array([1, 1, SIZE // CELLS, SIZE // CELLS], np.float32),
    "places": np.array([2, 3]),
    "from": np.array([0]),
    "to": np.array([3]),
    "one": np.array([1]),
    "whole": np.array(1, np.float32),
    "little": np.array(1e-4, np.float32),
}
_LOSS = """
  logs = LogSoftmax<axis = 2>(logits) picked = Mul(logs, wanted) of_classes = ReduceMean<keepdims = 0>(picked)
  off = Sub(boxes, wanted_boxes) far = Abs(off) counted = Mul(far, mask) of_boxes = ReduceMean<keepdims = 0>(counted)
  wrong = Sub(size, wanted_size) square = Mul(wrong, wrong) of_size = ReduceMean<keepdims = 0>(square)
  sure = Neg(of_classes) loss = Sum(sure, of_boxes, of_size)
"""


@dataclass(frozen=True)
class Drawn:
    """Pictures of shapes.

    Attributes:
        images: (n, 3, SIZE, SIZE), float32 in [0, 1].
        boxes: Left, upper, right and lower edge of the shape of each kind, (n, kinds, 4), in pixels; NaN for none.
    """

    images: Any
    boxes: Any


def draw(number: int, seed: int, least: int = 1) -> Drawn:
    """Pictures with at least so many shapes, each of another kind, in random colours at places of their own."""
    rng = np.random.default_rng(seed)
    images = np.zeros((number, 3, SIZE, SIZE), np.float32)
    boxes = np.full((number, len(KINDS), 4), np.nan)
    for image, edges in zip(images, boxes, strict=True):
        image[:] = rng.uniform(0, 0.25, (3, 1, 1)) + rng.normal(0, 0.03, image.shape)
        corners = rng.permutation([(0, 0), (0, 16), (16, 0), (16, 16)])
        kinds = rng.permutation(len(KINDS))[: rng.integers(least, len(KINDS) + 1)]
        for kind, corner in zip(kinds, corners, strict=False):
            side = int(rng.integers(9, 14))
            top, left = corner + rng.integers(0, 16 - side + 1, 2)
            where = _shape(KINDS[kind], side)
            image[:, top : top + side, left : left + side][:, where] = rng.uniform(0.45, 1, (3, 1))
            edges[kind] = left, top, left + side, top + side
    return Drawn(images.clip(0, 1), boxes)


def _shape(kind: str, side: int) -> Any:
    y, x = np.indices((side, side)) - (side - 1) / 2
    if kind == "disc":
        return x**2 + y**2 <= (side / 2) ** 2
    if kind == "square":
        return np.ones((side, side), bool)
    return (np.abs(x) <= side / 6) | (np.abs(y) <= side / 6)


def _targets(drawn: Drawn) -> _Arrays:
    """What the network should say: of each cell its class and box, of the picture the share that the disc's box has."""
    number = len(drawn.images)
    centres = (np.arange(CELLS) + 0.5) * SIZE / CELLS
    y, x = (axis.ravel() for axis in np.meshgrid(centres, centres, indexing="ij"))
    left, upper, right, lower = (drawn.boxes[:, :, i, None] for i in range(4))
    inside = (left <= x) & (x < right) & (upper <= y) & (y < lower)  # (n, kinds, cells)
    classes = np.concatenate([inside * 1.0, ~inside.any(axis=1, keepdims=True) * 1.0], axis=1)
    edges = np.nan_to_num(drawn.boxes)
    boxes = np.concatenate([(edges[..., :2] + edges[..., 2:]) / 2, edges[..., 2:] - edges[..., :2]], axis=2) / SIZE
    weights = np.where(np.arange(4) == 3, 1.0, 3.0)  # most cells hold nothing
    return {
        "wanted": (classes.transpose(0, 2, 1) * weights).astype(np.float32),
        "wanted_boxes": (inside.transpose(0, 2, 1) @ boxes).astype(np.float32),
        "mask": inside.any(axis=1)[..., None].astype(np.float32) * 4,
        "wanted_size": (10 * boxes[:, :1, 2] * boxes[:, :1, 3]).astype(np.float32).reshape(number, 1),
    }


def _initial() -> _Arrays:
    rng = np.random.default_rng(0)
    shapes = {"1": (16, 3, 4, 4), "2": (24, 16, 4, 4), "3": (24, 24, 3, 3), "4": (24, 24, 3, 3)}
    shapes |= {"_class": (4, 24, 1, 1), "_box": (4, 24, 1, 1), "_size": (1, 24, 1, 1)}
    weights = {}
    for name, shape in shapes.items():
        weights[f"w{name}"] = (rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
        weights[f"b{name}"] = np.zeros(shape[0], np.float32)
    return weights


@cache
def trained() -> Mapping[str, Any]:
    """The weights after some hundred steps of Adam."""
    weights = _initial()
    declared = ", ".join(f"float[{', '.join(map(str, array.shape))}] {name}" for name, array in weights.items())
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 18]> training (
          float[N, 3, {SIZE}, {SIZE}] image, float[N, 64, 4] wanted, float[N, 64, 4] wanted_boxes, float[N, 64, 1] mask,
          float[N, 1] wanted_size, {declared}) => (float loss) {{ {_BODY} {_LOSS} }}"""
    )
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in _CONSTANTS.items())
    gradient = differentiate(model, of="loss", wrt=list(weights))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(gradient.SerializeToString(), options, providers=["CPUExecutionProvider"])
    moments = {name: (np.zeros_like(array), np.zeros_like(array)) for name, array in weights.items()}
    for step in range(STEPS):
        drawn = draw(BATCH, seed=1000 + step)
        feeds = {"image": drawn.images, **_targets(drawn), **weights, "d_loss": np.ones((), np.float32)}
        gradients = session.run([f"d_{name}" for name in weights], feeds)
        rate = 0.01 * (1 - step / STEPS)
        for (name, array), slope in zip(weights.items(), gradients, strict=True):
            first, second = moments[name]
            first += 0.1 * (slope - first)
            second += 0.01 * (slope**2 - second)
            ahead = first / (1 - 0.9 ** (step + 1)) / (np.sqrt(second / (1 - 0.99 ** (step + 1))) + 1e-8)
            weights[name] = array - np.float32(rate) * ahead
    return weights


def network_for(task: str) -> onnx.ModelProto:
    """The trained network with the outputs of a task: detector, segmenter, several, number or vector."""
    outputs, end = _ENDS[task]
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 18]> shapes (float[N, 3, {SIZE}, {SIZE}] image) => ({outputs}) {{
          {_BODY} {end} }}"""
    )
    arrays = {**_CONSTANTS, **trained()}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return model
