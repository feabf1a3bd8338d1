"""Inputs beside the image that are held fixed: a size, a scale, the tokens of a text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from service.errors import ModelError


def with_fixed(proto: onnx.ModelProto, fixed: Mapping[str, Any]) -> onnx.ModelProto:
    """The model with these inputs as constants: numbers, or nested lists of them.

    Raises `ModelError` for inputs that the graph does not have, or that do not take these numbers.
    """
    if not fixed:
        return proto
    inputs = {value.name: value for value in proto.graph.input}
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    del made.graph.input[:]
    made.graph.input.extend(value for name, value in inputs.items() if name not in fixed)
    for name, numbers in fixed.items():
        if name not in inputs:
            raise ModelError(f"the graph has no input {name!r} to be fixed; it has: {', '.join(inputs)}")
        made.graph.initializer.append(onnx.numpy_helper.from_array(_array(inputs[name], numbers), name))
    return made


def _array(value: onnx.ValueInfoProto, numbers: Any) -> np.ndarray[Any, Any]:
    tensor = value.type.tensor_type
    try:
        array = np.array(numbers, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the input {value.name!r} cannot be fixed to {str(numbers)[:100]}: {error}") from error
    sizes = [dim.dim_value or None for dim in tensor.shape.dim]
    if tensor.HasField("shape") and (
        array.ndim != len(sizes) or any(size not in (None, own) for size, own in zip(sizes, array.shape, strict=True))
    ):
        described = ", ".join("?" if size is None else str(size) for size in sizes)
        raise ModelError(f"the input {value.name!r} has the shape ({described}), the numbers for it {array.shape}")
    return array
