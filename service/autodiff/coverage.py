"""Operators without a rule, each with the reason, and the limits of those that have one.

The table in the docs is made of these, and error messages quote them.
"""

from collections.abc import Mapping

_WHOLE = "its result is a whole number or a truth value"
_JUMPS = "its result changes only in jumps"
_SHAPE = "its result depends on shapes and whole numbers only"
_RANDOM = "its result is random, whatever its input is"
_BITS = "it reads the bits of numbers as something else"
_TEXT = "it works on text or files"

# Nothing flows back through these: their outputs do not change, or change only in jumps, when their inputs move a
# little.
NO_GRADIENT_BECAUSE: Mapping[str, str] = {
    **dict.fromkeys(
        "And ArgMax ArgMin BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Equal Greater GreaterOrEqual "
        "IsInf IsNaN Less LessOrEqual NonMaxSuppression NonZero Not Or OptionalHasElement SequenceLength Xor".split(),
        _WHOLE,
    ),
    "BitCast": _BITS,
    **dict.fromkeys("Ceil Floor Hardmax Round Sign".split(), _JUMPS),
    **dict.fromkeys(
        "BlackmanWindow Constant ConstantOfShape EyeLike HammingWindow HannWindow MelWeightMatrix OneHot Range "
        "SequenceEmpty Shape Size".split(),
        _SHAPE,
    ),
    **dict.fromkeys(
        "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike".split(), _RANDOM
    ),
    **dict.fromkeys(
        "ImageDecoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer".split(), _TEXT
    ),
}

_QUANTIZED = "the rounding is passed straight through, as if it were not there; one zero point unless of a constant"

_READ = "only as the source of an operator that reads elements of it, which is then written out"

UNSUPPORTED: Mapping[str, str] = {
    "MaxRoiPool": "the sizes of its windows depend on the data; RoiAlign took its place in networks",
    "Unique": "the number of its results depends on the data",
    "SequenceMap": "runs a graph for each element of a sequence",
}

# What the rule, or what the operator is written out as, does not cover.
LIMITS: Mapping[str, str] = {
    **dict.fromkeys("ConvInteger MatMulInteger QLinearConv QLinearMatMul".split(), _QUANTIZED),
    **dict.fromkeys("Optional SequenceConstruct SequenceErase SequenceInsert SplitToSequence".split(), _READ),
    **dict.fromkeys(
        "GRU LSTM RNN".split(),
        "unrolled; the length of the sequence must be known and the same for all of the batch, and the activations be "
        "Relu, Tanh, Sigmoid, Softsign or Softplus",
    ),
    "AffineGrid": "the size of the maps must be known",
    "Col2Im": "the block shape must be a constant",
    "ConcatFromSequence": "where the elements of the sequence can be told from the graph",
    "ConvTranspose": "pads must be written out (no output_shape, no auto_pad), the kernel must have a fixed shape",
    "DFT": "not both inverse and one-sided; the axis must be a constant",
    "DeformConv": "the kernel must have a fixed shape",
    "Det": "the size of the matrices must be known",
    "DynamicQuantizeLinear": "the rounding is passed straight through, as if it were not there",
    "Einsum": "no label that one operand alone repeats or sums over",
    "GatherND": "without batch_dims",
    "GridSample": "nearest, linear and cubic, all paddings; also with respect to the grid unless nearest",
    "GroupNormalization": "the scale must have a fixed shape",
    "If": "where the condition can be told from the graph: the branch that is taken",
    "Loop": "unrolled, where the number of steps can be told from the graph",
    "OptionalGetElement": "where the graph tells what it finds",
    "QuantizeLinear": "the rounding is passed straight through, as if it were not there",
    "Resize": "the sizes must be fixed; not tf_crop_and_resize",
    "RoiAlign": "the mean (mode avg) with a sampling_ratio above 0; with respect to the image and the regions",
    "Scan": "unrolled, where the number of steps is known",
    "Scatter": "read as ScatterElements",
    "ScatterElements": "reduction none or add",
    "ScatterND": "reduction none or add",
    "STFT": "with a window or a frame length",
    "SequenceAt": "where the elements of the sequence can be told from the graph",
    "Upsample": "read as Resize",
}


def note(op_type: str) -> str:
    """Why the operator has no rule, or what its rule does not cover; empty if there is nothing to say."""
    return UNSUPPORTED.get(op_type) or LIMITS.get(op_type) or ""
