"""Models that have forgotten what they learned, to see whether a map depends on it (Adebayo et al. 2018)."""

import numpy as np
import onnx
from onnx import numpy_helper

from service.graphs.offload import array_of

SMALLEST_WEIGHTS = 32  # tensors with fewer numbers belong to the preprocessing


def weighted_nodes(proto: onnx.ModelProto) -> list[str]:
    """The first outputs of the nodes with learned weights, in the order of the graph."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in proto.graph.initializer}
    return [
        node.output[0]
        for node in proto.graph.node
        if any(sizes.get(name, 0) >= SMALLEST_WEIGHTS for name in node.input)
    ]


def randomized(proto: onnx.ModelProto, outputs: list[str], seed: int = 0) -> onnx.ModelProto:
    """A copy of the model in which the nodes with these outputs have random weights.

    The weights are normally distributed with the mean and the standard deviation of the learned ones.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    chosen = {name for node in copy.graph.node if node.output[0] in outputs for name in node.input}
    rng = np.random.default_rng(seed)
    for tensor in copy.graph.initializer:
        if tensor.name in chosen and tensor.data_type == onnx.TensorProto.FLOAT:
            values = array_of(tensor)
            drawn = rng.normal(values.mean(), values.std(), values.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(drawn, tensor.name))
    return copy
