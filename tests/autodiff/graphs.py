"""Building small graphs from text, and differentiating them numerically."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import numpy_helper, parser
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from tests.autodiff.cases import Array
from tests.autodiff.reference_ops import CORRECTED

# Whose float64 kernels in ONNX Runtime are no better than float32, or fail.
IMPRECISE = {"Erf", "Gelu", "Shrink", "MeanVarianceNormalization", "RNN", "GRU", "LSTM"}
Function = Callable[[Mapping[str, Array]], dict[str, Array]]


def graph(
    body: str,
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    dtype: str = "double",
    symbolic: bool | Collection[int] = False,
    opset: int = 18,
) -> onnx.ModelProto:
    """A model whose body computes ``y``. symbolic: the axes that have symbols as their sizes, or whether all have."""
    constants = constants or {}

    def is_symbolic(axis: int) -> bool:
        return symbolic if isinstance(symbolic, bool) else axis in symbolic

    def declare(name: str, array: Array) -> str:
        kind = {"f": dtype, "i": "int64", "b": "bool"}[array.dtype.kind]
        dims = [f"{name}_{i}" if is_symbolic(i) else str(d) for i, d in enumerate(array.shape)]
        return f"{kind}[{','.join(dims)}] {name}" if dims else f"{kind} {name}"

    arguments = ", ".join(declare(k, v) for k, v in inputs.items())
    model = parser.parse_model(
        f'<ir_version: 9, opset_import: ["": {opset}]> '
        f"g ({arguments}) => ({dtype}[] y) {{ {body.replace('double', dtype)} }}"
    )
    element = {"double": np.float64, "float": np.float32}[dtype]
    for name, array in constants.items():
        array = array.astype(element) if array.dtype == np.float64 else array
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


def reference(model: onnx.ModelProto) -> Function:
    """The model as a function of named float64 arrays.

    ONNX Runtime runs it, or the ONNX reference evaluator where that lacks a kernel. (The reference
    evaluator cannot pad by negative numbers and gives wrong indices for a dense MaxPool.)
    """
    evaluator: Any
    try:
        if any(node.op_type in IMPRECISE for node in model.graph.node):
            raise NoKernel
        evaluator = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except (NoKernel, InvalidGraph):
        evaluator = ReferenceEvaluator(model, new_ops=CORRECTED)
    names = [o.name for o in model.graph.output]
    return lambda feeds: dict(zip(names, evaluator.run(None, dict(feeds)), strict=True))


def central_difference(
    f: Callable[[Mapping[str, Array]], Array],
    at: Mapping[str, Array],
    direction: Mapping[str, Array],
    step: float = 1e-6,
) -> npt.NDArray[np.float64]:
    """(f(at + h·v) − f(at − h·v)) / 2h."""

    def moved(by: float) -> dict[str, Array]:
        return {k: np.asarray(a + by * direction[k]) if k in direction else a for k, a in at.items()}

    result: Any = (f(moved(step)) - f(moved(-step))) / (2 * step)
    return result
