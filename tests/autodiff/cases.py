"""The table of graphs on which every rule is checked.

A case is the body of a graph in ONNX text, the inputs to differentiate with respect to (first) and the constants, as
shapes or arrays.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One graph: ``body`` computes y from the ``inputs`` (differentiated) and the ``constants``."""

    name: str
    body: str
    inputs: dict[str, Any]
    constants: dict[str, Any] = field(default_factory=dict)
    positive: bool = False
    opset: int = 18
    symbolic: bool | tuple[int, ...] = True  # whether sizes may be symbols; or the axes of the inputs where they may

    def arrays(self, seed: int = 0) -> tuple[dict[str, Array], dict[str, Array]]:
        """Inputs and constants in float64 (integers as they are); shapes become distinct numbers away from kinks."""
        rng = np.random.default_rng(seed)

        def make(spec: Any) -> Array:
            if isinstance(spec, np.ndarray):
                return spec
            n = int(np.prod(spec))
            # Distinct by 0.01 and never near 0: central differences with a step of 1e-6 then cross no kink and no tie.
            values = (rng.permutation(n) - n // 2 + 0.5) * max(0.01, 3.0 / n)
            values = np.abs(values) + 0.1 if self.positive else values
            return values.reshape(spec)

        return {k: make(v) for k, v in self.inputs.items()}, {k: make(v) for k, v in self.constants.items()}


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def _conv(name: str, attributes: str, x: tuple[int, ...], w: tuple[int, ...], bias: bool = False) -> Case:
    constants: dict[str, Any] = {"w": w, "b": (w[0],)} if bias else {"w": w}
    attributes = f"<{attributes}>" if attributes else ""
    return Case(f"Conv-{name}", f"y = Conv{attributes}(x, w{', b' if bias else ''})", {"x": x}, constants)


def _unary(op: str, attributes: str = "", positive: bool = False, opset: int = 18, name: str = "") -> Case:
    return Case(name or op, f"y = {op}{attributes}(x)", {"x": (2, 3, 4)}, positive=positive, opset=opset)


def _binary(op: str, positive: bool = False) -> list[Case]:
    body = f"y = {op}(a, b)"
    return [
        Case(f"{op}-same-shape", body, {"a": (2, 3), "b": (2, 3)}, positive=positive),
        Case(f"{op}-broadcast-right", body, {"a": (2, 3, 4), "b": (3, 1)}, positive=positive),
        Case(f"{op}-broadcast-left", body, {"a": (1, 4), "b": (2, 3, 4)}, positive=positive),
        Case(f"{op}-broadcast-both", body, {"a": (2, 1, 4), "b": (3, 1)}, positive=positive),
        Case(f"{op}-scalar", body, {"a": (2, 3), "b": ()}, positive=positive),
        Case(f"{op}-fan-out", f"y = {op}(a, a)", {"a": (2, 3)}, positive=positive),
    ]


def _reduce(op: str) -> list[Case]:
    return [
        Case(f"{op}-one-axis", f"y = {op}(x, axes)", {"x": (2, 3, 4)}, {"axes": ints(1)}),
        Case(f"{op}-negative-axes", f"y = {op}<keepdims=0>(x, axes)", {"x": (2, 3, 4)}, {"axes": ints(-1, 0)}),
        Case(f"{op}-all-axes", f"y = {op}(x)", {"x": (2, 3, 4)}),
        Case(f"{op}-to-a-scalar", f"y = {op}<keepdims=0>(x)", {"x": (2, 3, 4)}),
        Case(f"{op}-noop", f"y = {op}<keepdims=0, noop_with_empty_axes=1>(x)", {"x": (2, 3)}),
    ]


def _pool(op: str) -> list[Case]:
    def case(name: str, attributes: str, shape: tuple[int, ...]) -> Case:
        return Case(f"{op}-{name}", f"y = {op}<{attributes}>(x)", {"x": shape})

    return [
        case("disjoint", "kernel_shape=[2,2], strides=[2,2]", (2, 3, 6, 8)),
        case("overlapping-odd", "kernel_shape=[3,3], strides=[2,2]", (1, 2, 7, 9)),
        case("overlapping-even", "kernel_shape=[3,3], strides=[2,2]", (2, 2, 8, 6)),
        case("ceil", "kernel_shape=[3,3], strides=[2,2], ceil_mode=1", (1, 2, 8, 6)),
        case("padded", "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]", (2, 2, 7, 8)),
        case("asymmetric-pads", "kernel_shape=[3,2], strides=[1,2], pads=[0,1,2,0]", (1, 2, 5, 6)),
        case("dense", "kernel_shape=[3,3], pads=[1,1,1,1]", (1, 2, 5, 6)),
        case("same-upper", 'kernel_shape=[3,3], strides=[2,2], auto_pad="SAME_UPPER"', (1, 2, 8, 7)),
        case("gaps", "kernel_shape=[2,2], strides=[3,3]", (1, 2, 9, 10)),
        case("one-dimensional", "kernel_shape=[3], strides=[2]", (2, 3, 8)),
    ]


CASES: list[Case] = [
    _conv("plain", "", (2, 3, 5, 6), (4, 3, 3, 3)),
    _conv("1x1", "", (2, 3, 5, 4), (4, 3, 1, 1), bias=True),
    _conv("padded", "pads=[1,1,1,1]", (1, 3, 5, 6), (4, 3, 3, 3), bias=True),
    _conv("asymmetric-pads", "pads=[0,1,2,0]", (1, 2, 5, 6), (3, 2, 3, 3)),
    _conv("more-padding-than-kernel", "pads=[3,3,3,3]", (1, 2, 4, 4), (3, 2, 2, 2)),
    _conv("stride-2-odd", "strides=[2,2]", (1, 3, 7, 9), (4, 3, 3, 3)),
    _conv("stride-2-even", "strides=[2,2]", (2, 3, 8, 6), (4, 3, 3, 3)),
    _conv("stride-2-padded", "strides=[2,2], pads=[1,1,1,1]", (1, 3, 8, 7), (4, 3, 3, 3)),
    _conv("stride-3-gaps", "strides=[3,3]", (1, 2, 9, 10), (3, 2, 2, 2)),
    _conv("stride-2-1x1", "strides=[2,2]", (1, 2, 6, 7), (3, 2, 1, 1)),
    _conv("stride-4-7x7", "strides=[4,4], pads=[3,3,3,3]", (1, 2, 14, 15), (3, 2, 7, 7)),
    _conv("unequal-strides", "strides=[1,2]", (1, 2, 5, 8), (3, 2, 3, 3)),
    _conv("dilated", "dilations=[2,2]", (1, 2, 7, 8), (3, 2, 3, 3)),
    _conv("dilated-strided-padded", "dilations=[2,1], strides=[2,2], pads=[2,1,2,1]", (1, 2, 8, 7), (3, 2, 3, 3)),
    _conv("groups", "group=2, pads=[1,1,1,1]", (1, 4, 5, 5), (6, 2, 3, 3)),
    _conv("groups-strided", "group=2, strides=[2,2]", (1, 4, 7, 6), (6, 2, 3, 3)),
    _conv("depthwise", "group=3, pads=[1,1,1,1]", (2, 3, 5, 5), (3, 1, 3, 3)),
    _conv("depthwise-strided", "group=3, strides=[2,2], pads=[1,1,1,1]", (2, 3, 6, 5), (3, 1, 3, 3)),
    _conv("depthwise-multiplier", "group=3", (1, 3, 5, 5), (6, 1, 3, 3)),
    _conv("same-upper", 'auto_pad="SAME_UPPER"', (1, 2, 5, 6), (3, 2, 3, 2)),
    _conv("same-lower-strided", 'auto_pad="SAME_LOWER", strides=[2,2]', (1, 2, 6, 7), (3, 2, 3, 3)),
    _conv("valid", 'auto_pad="VALID", strides=[2,2]', (1, 2, 6, 7), (3, 2, 3, 3)),
    _conv("one-dimensional", "strides=[2], pads=[1,1]", (2, 3, 8), (4, 3, 3)),
    _conv("three-dimensional", "pads=[0,1,1,0,1,1]", (1, 2, 3, 4, 5), (3, 2, 2, 3, 3)),
    Case(
        "Conv-fan-out",
        "a = Conv(x, w) b = Conv(x, v) y = Mul(a, b)",
        {"x": (1, 2, 4, 5)},
        {"w": (3, 2, 2, 2), "v": (3, 2, 2, 2)},
    ),
    Case(
        "Conv-computed-kernel", "k = Add(w, w) y = Conv<strides=[2,2]>(x, k)", {"x": (1, 2, 6, 5)}, {"w": (3, 2, 3, 3)}
    ),
    *[
        Case(f"Conv-kernel-{name}", f"y = Conv<{attributes}>(x, w, b)", {"w": w, "b": (w[0],)}, {"x": x})
        for name, attributes, x, w in [
            ("dense", "pads=[1,1,1,1]", (2, 3, 5, 6), (4, 3, 3, 3)),
            ("strided", "strides=[2,2], pads=[1,0,1,1]", (2, 3, 8, 7), (4, 3, 3, 3)),
            ("groups-dilated", "group=2, dilations=[2,1], strides=[1,3]", (2, 4, 6, 9), (6, 2, 2, 3)),
        ]
    ],
    *_pool("MaxPool"),
    # In whole blocks of channels, where comparisons are used.
    Case("MaxPool-blocks", "y = MaxPool<kernel_shape=[3,3], strides=[2,2]>(x)", {"x": (2, 16, 7, 8)}),
    Case("MaxPool-blocks-disjoint", "y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)", {"x": (1, 32, 6, 7)}),
    Case(
        "MaxPool-blocks-padded",
        "y = MaxPool<kernel_shape=[3,2], strides=[2,1], pads=[1,0,1,1]>(x)",
        {"x": (1, 16, 7, 6)},
    ),
    Case("MaxPool-dilated", "y = MaxPool<kernel_shape=[2,2], dilations=[2,2]>(x)", {"x": (1, 2, 6, 7)}),
    *_pool("AveragePool"),
    Case(
        "AveragePool-count-pad",
        "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], count_include_pad=1>(x)",
        {"x": (1, 2, 7, 8)},
    ),
    Case("AveragePool-exactly-all", "y = AveragePool<kernel_shape=[4,5]>(x)", {"x": (2, 3, 4, 5)}),
    Case("GlobalAveragePool", "y = GlobalAveragePool(x)", {"x": (2, 3, 4, 5)}),
    Case("GlobalMaxPool", "y = GlobalMaxPool(x)", {"x": (2, 3, 4, 5)}),
    Case(
        "BatchNormalization",
        "y = BatchNormalization<epsilon=0.01>(x, s, s, m, v)",
        {"x": (2, 3, 4, 5)},
        {"s": (3,), "m": (3,), "v": np.array([0.5, 1.0, 2.0])},
    ),
    Case(
        "BatchNormalization-all",
        "y = BatchNormalization(x, s, b, m, v)",
        {"x": (2, 3, 4), "s": (3,), "b": (3,), "m": (3,), "v": np.array([0.5, 1.0, 2.0])},
    ),
    _unary("Relu"),
    _unary("LeakyRelu", "<alpha=0.3>"),
    _unary("ThresholdedRelu", "<alpha=0.3>"),
    _unary("Elu", "<alpha=0.7>"),
    _unary("Selu"),
    _unary("HardSigmoid", "<alpha=0.3>"),
    _unary("HardSwish"),
    _unary("Softplus"),
    _unary("Softsign"),
    _unary("Mish"),
    _unary("Erf"),
    _unary("Gelu", opset=20),
    _unary("Gelu", '<approximate="tanh">', opset=20, name="Gelu-tanh"),
    _unary("Sin"),
    _unary("Cos"),
    Case("PRelu", "y = PRelu(x, s)", {"x": (2, 3, 4), "s": (3, 1)}),
    Case("PRelu-scalar", "y = PRelu(x, s)", {"x": (2, 3, 4), "s": (1,)}),
    _unary("Sigmoid"),
    _unary("Tanh"),
    _unary("Exp"),
    _unary("Log", positive=True),
    _unary("Sqrt", positive=True),
    _unary("Reciprocal", positive=True),
    _unary("Abs"),
    _unary("Neg"),
    _unary("Identity"),
    _unary("Dropout"),
    Case("Clip", "y = Clip(x, low, high)", {"x": (3, 4)}, {"low": np.array(-0.5), "high": np.array(0.7)}),
    Case("Clip-bounds", "y = Clip(x, low, high)", {"x": (3, 4), "low": np.array(-0.5), "high": np.array(0.7)}),
    Case("Clip-no-maximum", "y = Clip(x, low)", {"x": (3, 4)}, {"low": np.array(-0.5)}),
    Case("Cast", "a = Cast<to=11>(x) b = Mul(a, a) y = CastLike(b, x)", {"x": (3, 4)}),
    *_binary("Add"),
    *_binary("Sub"),
    *_binary("Mul"),
    *_binary("Div", positive=True),
    *_binary("Pow", positive=True),
    *_binary("Max")[:5],
    *_binary("Min")[:5],
    Case("Pow-integer-exponent", "y = Pow(x, e)", {"x": (3, 4)}, {"e": ints(3)}),
    Case("Sum", "y = Sum(a, b, a)", {"a": (2, 3), "b": (3,)}),
    Case("Mean", "y = Mean(a, b, a)", {"a": (2, 3), "b": (3,)}),
    Case("Max-three", "y = Max(a, b, c)", {"a": (2, 3), "b": (3,), "c": (2, 1)}),
    Case(
        "Where",
        "y = Where(c, a, b)",
        {"a": (2, 3), "b": (3,)},
        {"c": np.array([[True, False, True], [False, True, True]])},
    ),
    Case("Expand", "y = Expand(x, s)", {"x": (2, 1, 3)}, {"s": ints(4, 2, 5, 1)}),
    *_reduce("ReduceSum"),
    *_reduce("ReduceMean"),
    *_reduce("ReduceMax"),
    *_reduce("ReduceMin"),
    *_reduce("ReduceL1"),
    *_reduce("ReduceL2"),
    *_reduce("ReduceSumSquare"),
    *_reduce("ReduceLogSumExp"),
    Case("CumSum", "y = CumSum(x, a)", {"x": (3, 4)}, {"a": np.array(1, np.int64)}),
    Case("CumSum-reverse", "y = CumSum<exclusive=1, reverse=1>(x, a)", {"x": (3, 4)}, {"a": np.array(-2, np.int64)}),
    Case("LayerNormalization", "y = LayerNormalization<epsilon=0.01>(x, s, b)", {"x": (2, 3, 4), "s": (4,), "b": (4,)}),
    Case(
        "LayerNormalization-axis", "y = LayerNormalization<axis=1>(x, s, b)", {"x": (2, 3, 4), "s": (3, 4), "b": (3, 4)}
    ),
    Case("LayerNormalization-broadcast", "y = LayerNormalization<axis=1>(x, s)", {"x": (2, 3, 4), "s": (3, 1)}),
    Case("RMSNormalization", "y = RMSNormalization<epsilon=0.01>(x, s)", {"x": (2, 3, 4), "s": (4,)}, opset=23),
    Case("RMSNormalization-broadcast", "y = RMSNormalization<axis=1>(x, s)", {"x": (2, 3, 4), "s": (3, 1)}, opset=23),
    Case(
        "InstanceNormalization",
        "y = InstanceNormalization<epsilon=0.01>(x, s, b)",
        {"x": (2, 3, 4, 5), "s": (3,), "b": (3,)},
    ),
    Case(
        "GroupNormalization",
        "a = GroupNormalization<num_groups=2, stash_type=11>(x, s, b) y = Reshape(a, z)",
        {"x": (2, 4, 3, 2)},
        {"s": (4,), "b": (4,), "z": ints(2, 4, 3, 2)},
        opset=21,
    ),
    Case("LRN", "y = LRN<size=3, alpha=0.5, beta=0.6, bias=1.5>(x)", {"x": (2, 5, 3, 2)}),
    Case("LpNormalization", "y = LpNormalization<axis=1>(x)", {"x": (2, 3, 4)}),
    Case("LpNormalization-p1", "y = LpNormalization<axis=1, p=1>(x)", {"x": (2, 3, 4)}),
    Case("Softmax", "y = Softmax(x)", {"x": (2, 3, 4)}),
    Case("Softmax-axis", "y = Softmax<axis=1>(x)", {"x": (2, 3, 4)}),
    Case("LogSoftmax", "y = LogSoftmax<axis=1>(x)", {"x": (2, 3, 4)}),
    Case("Concat", "y = Concat<axis=1>(a, b, a)", {"a": (2, 3, 2), "b": (2, 1, 2)}),
    Case("Concat-one", "y = Concat<axis=0>(a)", {"a": (2, 3)}),
    Case(
        "Split", "a, b = Split<axis=1>(x, s) c = Relu(a) y = Concat<axis=1>(b, c, b)", {"x": (2, 5)}, {"s": ints(2, 3)}
    ),
    Case("Split-one-unused", "a, b, c = Split<axis=-1, num_outputs=3>(x) y = Mul(b, b)", {"x": (2, 6)}),
    Case("Slice", "y = Slice(x, b, e, a)", {"x": (4, 5, 6)}, {"b": ints(1, -4), "e": ints(3, 9999), "a": ints(0, 2)}),
    Case(
        "Slice-steps",
        "y = Slice(x, b, e, a, s)",
        {"x": (4, 7)},
        {"b": ints(3, 0), "e": ints(-9999, 7), "a": ints(0, 1), "s": ints(-2, 3)},
    ),
    Case("Pad", "y = Pad(x, p)", {"x": (2, 3)}, {"p": ints(1, 0, 0, 2)}),
    Case("Pad-value", "y = Pad(x, p, v)", {"x": (2, 3), "v": np.array(0.3)}, {"p": ints(1, 0, 0, 2)}),
    Case("Pad-negative", "y = Pad(x, p)", {"x": (4, 5)}, {"p": ints(1, -2, -1, 1)}),
    Case("Pad-reflect", 'y = Pad<mode="reflect">(x, p)', {"x": (4, 5)}, {"p": ints(1, 2, 0, 3)}),
    Case("Pad-edge", 'y = Pad<mode="edge">(x, p)', {"x": (3, 4)}, {"p": ints(0, 2, 1, 1)}),
    Case("Gather", "y = Gather<axis=1>(x, i)", {"x": (2, 5, 3)}, {"i": np.array([[0, 2], [2, -1]], np.int64)}),
    Case("Gather-scalar", "y = Gather(x, i)", {"x": (4, 3)}, {"i": np.array(2, np.int64)}),
    Case(
        "GatherElements",
        "y = GatherElements<axis=1>(x, i)",
        {"x": (2, 5)},
        {"i": np.array([[0, 0, 3], [4, 1, -1]], np.int64)},
    ),
    Case(
        "ScatterElements",
        "y = ScatterElements<axis=1>(x, i, u)",
        {"x": (2, 5), "u": (2, 2)},
        {"i": np.array([[0, 3], [4, 1]], np.int64)},
    ),
    Case(
        "ScatterElements-add",
        'y = ScatterElements<axis=1, reduction="add">(x, i, u)',
        {"x": (2, 5), "u": (2, 2)},
        {"i": np.array([[0, 0], [4, 1]], np.int64)},
    ),
    Case("ScatterND", "y = ScatterND(x, i, u)", {"x": (4, 3), "u": (2, 3)}, {"i": np.array([[2], [0]], np.int64)}),
    Case(
        "ScatterND-add",
        'y = ScatterND<reduction="add">(x, i, u)',
        {"x": (4, 3), "u": (2, 3)},
        {"i": np.array([[2], [2]], np.int64)},
    ),
    Case("GatherND", "y = GatherND(x, i)", {"x": (4, 3)}, {"i": np.array([[2, 1], [0, 2], [2, 1]], np.int64)}),
    Case("Tile", "y = Tile(x, r)", {"x": (2, 3)}, {"r": ints(2, 3)}),
    Case("Trilu", "y = Trilu(x, k)", {"x": (2, 4, 4)}, {"k": np.array(1, np.int64)}),
    Case("Trilu-lower", "y = Trilu<upper=0>(x)", {"x": (4, 5)}),
    Case("DepthToSpace", "y = DepthToSpace<blocksize=2>(x)", {"x": (2, 8, 3, 2)}),
    Case("DepthToSpace-CRD", 'y = DepthToSpace<blocksize=2, mode="CRD">(x)', {"x": (2, 8, 3, 2)}),
    Case("SpaceToDepth", "y = SpaceToDepth<blocksize=2>(x)", {"x": (2, 3, 4, 6)}),
    *[
        Case(
            f"Resize-{name}",
            f"y = Resize<{attributes}>(x, e, s)",
            {"x": shape},
            {"e": np.zeros(0), "s": np.array(scales, np.float32)},
        )
        for name, attributes, shape, scales in [
            (
                "nearest",
                'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"',
                (1, 2, 3, 4),
                (1, 1, 2, 2),
            ),
            ("linear", 'mode="linear"', (1, 2, 3, 4), (1, 1, 2, 1.5)),
            ("align", 'mode="linear", coordinate_transformation_mode="align_corners"', (2, 2, 5, 4), (1, 1, 2, 0.5)),
            ("cubic", 'mode="cubic"', (1, 2, 4, 5), (1, 1, 2, 2)),
        ]
    ],
    Case(
        "Resize-sizes",
        'y = Resize<mode="linear">(x, e, e, z)',
        {"x": (1, 2, 3, 4)},
        {"e": np.zeros(0, np.float32), "z": ints(1, 2, 7, 5)},
    ),
    *[
        Case(f"ConvTranspose-{name}", f"y = ConvTranspose{attributes}(x, w, b)", {"x": x, "w": w, "b": (outputs,)})
        for name, attributes, x, w, outputs in [
            ("plain", "", (2, 3, 4, 5), (3, 2, 3, 3), 2),
            ("strided", "<strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]>", (1, 3, 4, 3), (3, 2, 3, 3), 2),
            ("groups", "<group=2, strides=[2,1], dilations=[1,2]>", (1, 4, 3, 4), (4, 3, 2, 2), 6),
        ]
    ],
    Case("Einsum-matmul", 'y = Einsum<equation="bij,bjk->bik">(a, b)', {"a": (2, 3, 4), "b": (2, 4, 5)}),
    Case("Einsum-implicit", 'y = Einsum<equation="ij,jk">(a, b)', {"a": (3, 4), "b": (4, 5)}),
    Case("Einsum-attention", 'y = Einsum<equation="bhqd,bhkd->bhqk">(a, b)', {"a": (1, 2, 3, 4), "b": (1, 2, 5, 4)}),
    Case("Einsum-one", 'y = Einsum<equation="abc->cab">(a)', {"a": (2, 3, 4)}),
    Case("Reshape", "y = Reshape(x, s)", {"x": (2, 3, 4)}, {"s": ints(0, -1)}),
    Case("Flatten", "y = Flatten<axis=2>(x)", {"x": (2, 3, 4)}),
    Case("Squeeze", "y = Squeeze(x, a)", {"x": (2, 1, 4, 1)}, {"a": ints(1, -1)}),
    Case("Unsqueeze", "y = Unsqueeze(x, a)", {"x": (2, 4)}, {"a": ints(0, 2)}),
    Case("Transpose", "y = Transpose<perm=[2,0,1]>(x)", {"x": (2, 3, 4)}),
    Case("Transpose-default", "y = Transpose(x)", {"x": (2, 3, 4)}),
    Case("MatMul", "y = MatMul(a, b)", {"a": (3, 4), "b": (4, 2)}),
    Case("MatMul-batched", "y = MatMul(a, b)", {"a": (2, 3, 4), "b": (2, 4, 2)}),
    Case("MatMul-broadcast", "y = MatMul(a, b)", {"a": (5, 1, 3, 4), "b": (2, 4, 3)}),
    Case("MatMul-vector-left", "y = MatMul(a, b)", {"a": (4,), "b": (2, 4, 3)}),
    Case("MatMul-vector-right", "y = MatMul(a, b)", {"a": (2, 3, 4), "b": (4,)}),
    Case("MatMul-vectors", "y = MatMul(a, b)", {"a": (4,), "b": (4,)}),
    Case("Gemm", "y = Gemm(a, b)", {"a": (3, 4), "b": (4, 2)}),
    Case(
        "Gemm-transposed",
        "y = Gemm<transA=1, transB=1, alpha=0.5, beta=2.0>(a, b, c)",
        {"a": (4, 3), "b": (2, 4), "c": (2,)},
    ),
    Case("Gemm-transA", "y = Gemm<transA=1>(a, b, c)", {"a": (4, 3), "b": (4, 2), "c": (3, 1)}),
    Case("Gemm-transB", "y = Gemm<transB=1>(a, b, c)", {"a": (3, 4), "b": (2, 4), "c": (3, 2)}),
    Case(
        "residual",
        "a = Relu(x) b = Conv<pads=[1,1,1,1]>(a, w) c = Add(b, x) d = Relu(c) y = Add(d, c)",
        {"x": (2, 3, 5, 4)},
        {"w": (3, 3, 3, 3)},
    ),
]
