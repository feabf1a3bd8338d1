"""More of the table: operators that image networks have less often, and those that are written out in others."""

from typing import Any

import numpy as np

from tests.autodiff.cases import Case, ints

WITHIN_ONE = np.array([[-0.9, -0.4, 0.1], [0.35, 0.6, 0.85]])
ABOVE_ONE = np.array([[1.1, 1.7, 2.9], [3.2, 1.4, 5.0]])
WITH_ZEROS = np.array([[0.5, 0.0, -1.5, 2.0], [0.0, 0.7, 0.0, 1.2], [1.1, -0.6, 0.9, 0.4]])
RNG = np.random.default_rng(7)


def _at(op: str, x: Any) -> Case:
    return Case(op, f"y = {op}(x)", {"x": x})


TRIGONOMETRY = [
    *(_at(op, WITHIN_ONE) for op in ("Tan", "Asin", "Acos", "Atanh")),
    *(_at(op, (2, 3, 4)) for op in ("Atan", "Sinh", "Cosh", "Asinh")),
    _at("Acosh", ABOVE_ONE),
]

PRODUCTS = [
    Case("ReduceProd-one-axis", "y = ReduceProd(x, axes)", {"x": (2, 3, 4)}, {"axes": ints(1)}),
    Case("ReduceProd-negative-axes", "y = ReduceProd<keepdims=0>(x, axes)", {"x": (2, 3, 4)}, {"axes": ints(-1, 0)}),
    Case("ReduceProd-to-a-scalar", "y = ReduceProd<keepdims=0>(x)", {"x": (2, 3)}),
    Case("ReduceProd-noop", "y = ReduceProd<keepdims=0, noop_with_empty_axes=1>(x)", {"x": (2, 3)}),
    Case("ReduceProd-zeros", "y = ReduceProd(x, axes)", {"x": WITH_ZEROS}, {"axes": ints(1)}),
    *(
        Case(f"CumProd-{name}", f"y = CumProd<{attributes}>(x, a)", {"x": WITH_ZEROS}, {"a": np.array(1)}, opset=26)
        for name, attributes in [
            ("plain", "exclusive=0"),
            ("reverse", "reverse=1"),
            ("exclusive", "exclusive=1"),
            ("both", "exclusive=1, reverse=1"),
        ]
    ),
    Case("Mod", "y = Mod<fmod=1>(a, b)", {"a": (2, 3, 4), "b": np.array([0.37, -0.83, 1.9, -2.3])}),
    Case("Mod-broadcast", "y = Mod<fmod=1>(a, b)", {"a": np.array([[1.3], [-2.9]]), "b": np.array([0.7, 1.9, 5.0])}),
    *(Case(f"Det-{n}", "y = Det(x)", {"x": RNG.normal(size=(2, n, n))}, symbolic=(0,)) for n in (1, 2, 3, 4)),
    Case("Det-singular", "y = Det(x)", {"x": np.arange(9.0).reshape(3, 3)}, symbolic=False),
]

PICKING = [
    Case("TopK", "y, i = TopK(x, k)", {"x": (2, 3, 5)}, {"k": ints(2)}),
    Case("TopK-smallest", "y, i = TopK<axis=0, largest=0>(x, k)", {"x": (5, 3)}, {"k": ints(3)}),
    Case(
        "ReverseSequence",
        "y = ReverseSequence<batch_axis=0, time_axis=1>(x, n)",
        {"x": (3, 4, 2)},
        {"n": ints(1, 4, 3)},
    ),
    Case("Compress", "y = Compress<axis=1>(x, c)", {"x": (2, 4)}, {"c": np.array([False, True, True])}),
    Case("Compress-flat", "y = Compress(x, c)", {"x": (2, 3)}, {"c": np.array([False, True, True, False, True])}),
    Case(
        "MaxUnpool",
        "y = MaxUnpool<kernel_shape=[2,2], strides=[2,2]>(x, i)",
        {"x": (1, 1, 2, 2)},
        {"i": ints(5, 7, 8, 15).reshape(1, 1, 2, 2)},
    ),
    *(
        Case(
            f"TensorScatter-{name}",
            f"y = TensorScatter<{attributes}>(x, u, n)",
            {"x": x, "u": u},
            {"n": ints(1, 3)},
            opset=24,
        )
        for name, attributes, x, u in [
            ("linear", "axis=-2", (2, 2, 5, 3), (2, 2, 2, 3)),
            ("circular", 'axis=1, mode="circular"', (2, 4, 3), (2, 3, 3)),
        ]
    ),
    Case("TensorScatter-start", "y = TensorScatter(x, u)", {"x": (2, 4, 3), "u": (2, 2, 3)}, opset=24),
]

POOLS = [
    *(
        Case(f"LpPool-{name}", f"y = LpPool<{attributes}>(x)", {"x": shape})
        for name, attributes, shape in [
            ("plain", "kernel_shape=[2,2], strides=[2,2]", (2, 3, 4, 6)),
            ("p1", "p=1, kernel_shape=[3,3], strides=[2,2]", (1, 2, 7, 5)),
            ("p3-padded", "p=3, kernel_shape=[3,2], pads=[1,0,1,1]", (1, 2, 4, 5)),
            ("one-dimensional", "kernel_shape=[3], strides=[2]", (2, 3, 7)),
        ]
    ),
    *(Case(f"GlobalLpPool-p{p}", f"y = GlobalLpPool<p={p}>(x)", {"x": (2, 3, 4, 5)}) for p in (1, 2, 3)),
]

SPECTRA = [
    *(
        Case(f"DFT-{name}", f"y = DFT<{attributes}>(x{inputs})", {"x": x}, constants, opset=opset)
        for name, attributes, inputs, x, constants, opset in [
            ("real", "onesided=0", "", (2, 6, 1), {}, 18),
            ("complex", "axis=2", "", (1, 3, 5, 2), {}, 18),
            ("one-sided", "onesided=1", "", (2, 7, 1), {}, 18),
            ("inverse", "inverse=1", "", (2, 6, 2), {}, 20),
            ("longer", "onesided=1", ", n, a", (2, 5, 3, 1), {"n": np.array(8), "a": np.array(1)}, 20),
            ("shorter", "onesided=0", ", n", (2, 6, 2), {"n": np.array(4)}, 20),
        ]
    ),
    Case("STFT", "y = STFT<onesided=1>(x, s, w)", {"x": (2, 12, 1)}, {"s": np.array(3), "w": RNG.normal(size=5)}),
    Case("STFT-length", "y = STFT<onesided=0>(x, s, , n)", {"x": (1, 9, 1)}, {"s": np.array(2), "n": np.array(4)}),
    *(
        Case(
            f"Col2Im-{name}",
            f"y = Col2Im<{attributes}>(x, s, k)",
            {"x": x},
            {"s": ints(*image), "k": ints(*block)},
        )
        for name, attributes, x, image, block in [
            ("plain", "strides=[1,1]", (2, 12, 12), (4, 5), (2, 2)),
            ("strided", "strides=[2,1], pads=[1,0,1,0], dilations=[1,2]", (1, 18, 6), (5, 6), (3, 3)),
        ]
    ),
]

GRID = RNG.uniform(-1.2, 1.2, (2, 3, 2, 2))
GRIDS = [
    *(
        Case(
            f"GridSample-{mode}-{padding}-{corners}",
            f'y = GridSample<mode="{mode}", padding_mode="{padding}", align_corners={corners}>(x, g)',
            {"x": (2, 3, 5, 4), "g": GRID} if mode != "nearest" else {"x": (2, 3, 5, 4)},
            {} if mode != "nearest" else {"g": GRID},
            opset=20,
        )
        for mode in ("linear", "nearest", "cubic")
        for padding in ("zeros", "border", "reflection")
        for corners in (0, 1)
    ),
    Case(
        "GridSample-volume",
        "y = GridSample(x, g)",
        {"x": (1, 2, 3, 4, 3), "g": RNG.uniform(-1.2, 1.2, (1, 2, 2, 2, 3))},
        opset=20,
    ),
]

REGIONS = np.array([[0.31, 0.73, 5.27, 4.19], [1.17, 0.43, 6.71, 5.93], [2.23, 1.61, 3.97, 7.37]])
ALIGNED = [
    Case(
        f"RoiAlign-{name}",
        f"y = RoiAlign<output_height=2, output_width=3, sampling_ratio=2, {attributes}>(x, r, b)",
        {"x": (2, 2, 8, 7), "r": REGIONS},
        {"b": ints(1, 0, 1)},
    )
    for name, attributes in [
        ("half-pixel", "spatial_scale=1.0"),
        ("old", 'coordinate_transformation_mode="output_half_pixel", spatial_scale=0.8'),
    ]
]

DEFORMABLE = [
    Case(
        f"DeformConv-{name}",
        f"y = DeformConv<{attributes}>(x, w, o{more})",
        {"x": x, "o": RNG.uniform(-1.4, 1.4, o), **inputs},
        constants,
        opset=19,
        symbolic="w" in constants,
    )
    for name, attributes, more, x, o, inputs, constants in [
        ("plain", "kernel_shape=[2,2]", "", (1, 2, 4, 5), (1, 8, 3, 4), {}, {"w": (3, 2, 2, 2)}),
        (
            "everything",
            "kernel_shape=[3,2], group=2, offset_group=2, strides=[2,1], pads=[1,1,1,0], dilations=[1,2]",
            ", b, m",
            (2, 4, 5, 6),
            (2, 24, 3, 5),
            {"w": (6, 2, 3, 2), "b": (6,), "m": (2, 12, 3, 5)},
            {},
        ),
    ]
]


def _recurrent(op: str, gates: int, name: str, attributes: str, directions: int = 1, more: int = 0) -> Case:
    """more: how many of the optional inputs to give: biases, (lengths), states, peepholes."""
    length, batch, features, hidden = 3, 2, 4, 3
    first, second = (batch, directions) if "layout=1" in attributes else (directions, batch)
    inputs: dict[str, Any] = {
        "x": (batch, length, features) if "layout=1" in attributes else (length, batch, features),
        "w": (directions, gates * hidden, features),
        "r": (directions, gates * hidden, hidden),
    }
    optional = {
        "b": (directions, 2 * gates * hidden),
        "n": None,
        "h": (first, second, hidden),
        "c": (first, second, hidden),
        "p": (directions, 3 * hidden),
    }
    constants = {}
    for key in list(optional)[:more]:
        if key == "n":
            constants[key] = np.full(batch, length, np.int32)
        else:
            inputs[key] = RNG.normal(size=optional[key])
    names = ", ".join([*inputs, *constants] if "n" not in constants else ["x", "w", "r", *list(optional)[:more]])
    outputs = ["a", "b2", "c2"][: 3 if op == "LSTM" else 2]
    joined = " ".join(f"f{i} = Flatten<axis=0>({value})" for i, value in enumerate(outputs))
    parts = ", ".join(f"f{i}" for i in range(len(outputs)))
    body = (
        f"{', '.join(outputs)} = {op}<hidden_size={hidden}{attributes}>({names}) {joined} y = Concat<axis=1>({parts})"
    )
    return Case(f"{op}-{name}", body, inputs, constants, symbolic=(1,))  # the batch, and the width of weights


RECURRENT = [
    _recurrent("RNN", 1, "plain", ""),
    _recurrent("RNN", 1, "relu-reverse", ', direction="reverse", activations=["Relu"]', more=3),
    _recurrent("GRU", 3, "plain", ""),
    _recurrent("GRU", 3, "bidirectional", ', direction="bidirectional"', 2, more=3),
    _recurrent("GRU", 3, "linear-before-reset", ", linear_before_reset=1", more=3),
    _recurrent("LSTM", 4, "plain", ""),
    _recurrent("LSTM", 4, "everything", ', direction="bidirectional", clip=0.8', 2, more=5),
    _recurrent("LSTM", 4, "coupled", ", input_forget=1", more=1),
]

FUNCTIONS = [
    Case("Swish", "y = Swish<alpha=1.3>(x)", {"x": (2, 3, 4)}, opset=24),
    Case("Swish-default", "y = Swish(x)", {"x": (2, 3, 4)}, opset=24),
    Case("MeanVarianceNormalization-axes", "y = MeanVarianceNormalization<axes=[1]>(x)", {"x": (2, 3, 4)}),
    Case("Shrink", "y = Shrink<lambd=0.3, bias=0.1>(x)", {"x": (2, 3, 4)}),
    Case("Shrink-default", "y = Shrink(x)", {"x": (2, 3, 4)}),
    Case("MeanVarianceNormalization", "y = MeanVarianceNormalization(x)", {"x": (2, 3, 4, 5)}),
    Case("ReduceLogSum", "y = ReduceLogSum(x, a)", {"x": (2, 3, 4)}, {"a": ints(1)}, positive=True),
    Case("CenterCropPad", "y = CenterCropPad<axes=[2,1]>(x, s)", {"x": (2, 3, 6)}, {"s": ints(3, 5)}),
    *(
        Case(
            f"AffineGrid-{name}",
            f"y = AffineGrid<align_corners={corners}>(x, s)",
            {"x": x},
            {"s": ints(*size)},
            opset=20,
            symbolic=(0, 2),
        )
        for name, corners, x, size in [
            ("plain", 0, (2, 2, 3), (2, 1, 3, 4)),
            ("corners", 1, (2, 2, 3), (2, 1, 3, 4)),
            ("volume", 0, (1, 3, 4), (1, 1, 2, 3, 4)),
        ]
    ),
    Case("Attention", "y = Attention(q, k, v)", {"q": (1, 2, 3, 4), "k": (1, 2, 5, 4), "v": (1, 2, 5, 4)}, opset=23),
    Case(
        "Attention-masked",
        "y = Attention<q_num_heads=4, kv_num_heads=2, scale=0.7, is_causal=1>(q, k, v, m)",
        {"q": (2, 3, 16), "k": (2, 3, 8), "v": (2, 3, 8), "m": (3, 3)},
        opset=24,
        symbolic=(0, 1),
    ),
    Case(
        "RotaryEmbedding",
        "y = RotaryEmbedding(x, c, s, p)",
        {"x": (2, 3, 4, 6)},
        {"c": (5, 3), "s": (5, 3), "p": ints(0, 1, 2, 4, 3, 2, 1, 0).reshape(2, 4)},
        opset=23,
    ),
    Case("SoftmaxCrossEntropyLoss", "y = SoftmaxCrossEntropyLoss(x, t)", {"x": (3, 5)}, {"t": ints(1, 4, 0)}),
    Case(
        "NegativeLogLikelihoodLoss",
        'y = NegativeLogLikelihoodLoss<reduction="sum", ignore_index=2>(x, t, w)',
        {"x": (2, 4, 3)},
        {"t": ints(1, 2, 0, 3, 1, 2).reshape(2, 3), "w": np.array([0.5, 1.5, 2.0, 0.7])},
    ),
]

CONTROL = [
    *(
        Case(
            f"If-{value}",
            """y = If(c) <then_branch = t () => (double[2,3] a) { s = Sin(x) a = Mul(s, x) },
            else_branch = e () => (double[2,3] b) { b = Exp(x) }>""",
            {"x": (2, 3)},
            {"c": np.array(value)},
        )
        for value in (True, False)
    ),
    Case(
        "Loop",
        """v, r = Loop(n, t, x) <body = b (int64 i, bool c, double[2,3] s) => (bool d, double[2,3] u, double[2,3] k)
        { d = Identity(c) f = CastLike(i, s) g = Add(s, f) k = Sin(g) u = Mul(k, x) }>
        w = ReduceSum<keepdims=0>(r, z) y = Add(v, w)""",
        {"x": (2, 3)},
        {"n": np.array(3), "t": np.array(True), "z": ints(0)},
    ),
    Case(
        "Scan",
        """v, r = Scan<num_scan_inputs=1, body = b (double[3] s, double[3] e) => (double[3] u, double[3] k)
        { u = Mul(s, e) k = Sin(u) }, scan_input_axes=[1], scan_input_directions=[1], scan_output_axes=[-1],
        scan_output_directions=[1]>(h, x) y = Mul(r, r)""",
        {"h": (3,), "x": (3, 4)},
        symbolic=(0,),
    ),
    Case(
        "SequenceAt",
        "s = SplitToSequence<axis=1>(x, l) a = SequenceAt(s, i) b = SequenceAt(s, j) y = Mul(a, b)",
        {"x": (2, 5)},
        {"l": np.array(2), "i": np.array(0), "j": np.array(1)},
        symbolic=(0,),
    ),
    Case(
        "ConcatFromSequence",
        """e = SequenceEmpty<dtype=11>() a = SequenceInsert(e, x) b = SequenceInsert(a, z, p) c = SequenceErase(b, q)
        f = SequenceInsert(c, x) y = ConcatFromSequence<axis=0, new_axis=1>(f)""",
        {"x": (2, 3), "z": (2, 3)},
        {"p": np.array(0), "q": np.array(1)},
    ),
    Case("Optional", "o = Optional(x) e = OptionalGetElement(o) y = Mul(e, x)", {"x": (2, 3)}),
    Case(
        "SequenceConstruct",
        "s = SequenceConstruct(x, z, x) y = ConcatFromSequence<axis=1>(s)",
        {"x": (2, 3), "z": (2, 1)},
    ),
]

MORE_CASES = [
    *TRIGONOMETRY,
    *PRODUCTS,
    *PICKING,
    *POOLS,
    *SPECTRA,
    *GRIDS,
    *ALIGNED,
    *DEFORMABLE,
    *RECURRENT,
    *FUNCTIONS,
    *CONTROL,
]
