"""Weights of large models in a file of their own, so that graphs are small and rewriting them copies nothing.

An offloaded tensor is what ONNX calls external data, at an absolute path. The file is mapped into memory where its
contents are needed, and lives as long as the process.
"""

import mmap
import os
import tempfile

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from service.runtime.files import own_folder

LARGE_MODEL_BYTES = 8 * 2**20  # models with less keep their weights
LARGE_TENSOR_BYTES = 64 * 2**10


def offload(proto: onnx.ModelProto) -> None:
    """Move the large weights of the model, which is modified, into a file."""
    large = [tensor for tensor in proto.graph.initializer if len(tensor.raw_data) >= LARGE_TENSOR_BYTES]
    if sum(len(tensor.raw_data) for tensor in large) < LARGE_MODEL_BYTES:
        return
    handle, path = tempfile.mkstemp(suffix=".weights", dir=own_folder())
    with os.fdopen(handle, "wb") as file:
        for tensor in large:
            file.write(b"\0" * (-file.tell() % mmap.ALLOCATIONGRANULARITY))
            place = {"location": path, "offset": file.tell(), "length": len(tensor.raw_data)}
            file.write(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))


def array_of(tensor: onnx.TensorProto) -> npt.NDArray[np.generic]:
    """The numbers of a tensor, offloaded or not."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return numpy_helper.to_array(tensor)
    array: npt.NDArray[np.generic] = ir.serde.deserialize_tensor(tensor).numpy()
    return array


def restored(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model with all weights in it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for tensor in copy.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(numpy_helper.from_array(array_of(tensor), tensor.name))
    return copy


def skeleton(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model in which offloaded weights are inputs, for tools that would look for their files."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    offloaded = [t for t in copy.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    for tensor in offloaded:
        copy.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        copy.graph.initializer.remove(tensor)
    return copy
