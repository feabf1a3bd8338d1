"""Inputs and outputs of runs in memory of the device that stays where it is.

Nothing is allocated for a run, and CUDA can replay its graphs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

Array = npt.NDArray[Any]

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True)
class _Buffers:
    """For feeds of one shape."""

    inputs: Mapping[str, ort.OrtValue]
    outputs: Mapping[str, ort.OrtValue]
    binding: ort.IOBinding
    options: ort.RunOptions


class BoundRuns:
    """Runs of one session with such buffers, one run at a time. device: ``cpu`` or ``cuda``."""

    def __init__(self, session: ort.InferenceSession, device: str) -> None:
        self._session = session
        self._device = device
        self._lock = Lock()
        self._known: dict[tuple[object, ...], _Buffers] = {}

    def get_outputs(self) -> list[ort.NodeArg]:
        """The outputs of the graph."""
        found: list[ort.NodeArg] = self._session.get_outputs()
        return found

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        """The outputs for the feeds; raises what the runtime raises."""
        key = (tuple(outputs), *((name, array.shape) for name, array in sorted(feeds.items())))
        with self._lock:
            buffers = self._known.get(key)
            if buffers is None:
                buffers = self._known[key] = self._made(outputs, feeds)
            for name, array in feeds.items():
                buffers.inputs[name].update_inplace(np.ascontiguousarray(array))
            self._session.run_with_iobinding(buffers.binding, buffers.options)
            return [
                np.array(value.numpy()) for value in buffers.outputs.values()
            ]  # copies: the next run writes over them

    def _made(self, outputs: Sequence[str], feeds: Mapping[str, Array]) -> _Buffers:
        binding, options = self._session.io_binding(), ort.RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(len(self._known) + 1))  # each shape has a graph of its own
        inputs = {name: self._buffer(array.shape, array.dtype.type) for name, array in feeds.items()}
        sizes = {
            dim: size
            for one in self._session.get_inputs()
            for dim, size in zip(one.shape, feeds[one.name].shape, strict=True)
            if isinstance(dim, str)
        }
        declared = {one.name: one for one in self._session.get_outputs()}
        made = {}
        for name in outputs:
            shape = [sizes[dim] if isinstance(dim, str) else dim for dim in declared[name].shape]
            made[name] = self._buffer(shape, _TYPES[declared[name].type])
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in made.items():
            binding.bind_ortvalue_output(name, value)
        return _Buffers(inputs, made, binding, options)

    def _buffer(self, shape: Sequence[int], kind: type[np.generic]) -> ort.OrtValue:
        return ort.OrtValue.ortvalue_from_shape_and_type(list(shape), kind, self._device, 0)
