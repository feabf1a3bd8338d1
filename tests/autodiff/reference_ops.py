"""Operators that the ONNX reference evaluator computes wrongly, as plain loops in float64."""

from itertools import product
from math import ceil, floor
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from scipy.special import erf, ndtr


class LRN(OpRun):
    """The reference evaluator mixes up batch and channels."""

    def _run(self, x: Any, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, size: int = 1) -> tuple[Any]:
        y = np.empty_like(x)
        for c in range(x.shape[1]):
            begin, end = max(0, c - floor((size - 1) / 2)), min(x.shape[1], c + ceil((size - 1) / 2) + 1)
            y[:, c] = x[:, c] / (bias + alpha / size * (x[:, begin:end] ** 2).sum(axis=1)) ** beta
        return (y,)


class ConvTranspose(OpRun):
    """The reference evaluator gets groups wrong."""

    def _run(
        self,
        x: Any,
        w: Any,
        b: Any = None,
        auto_pad: Any = None,
        dilations: Any = None,
        group: int = 1,
        kernel_shape: Any = None,
        output_padding: Any = None,
        output_shape: Any = None,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Any]:
        (n, c, *size), (_, m, *kernel) = x.shape, w.shape
        axes = range(len(size))
        strides, dilations, more = (
            strides or [1] * len(size),
            dilations or [1] * len(size),
            output_padding or [0] * len(size),
        )
        pads = pads or [0] * 2 * len(size)
        full = [(size[a] - 1) * strides[a] + (kernel[a] - 1) * dilations[a] + 1 + more[a] for a in axes]
        y = np.zeros((n, m * group, *full))
        for channel, out, place in product(range(c), range(m), np.ndindex(*size)):
            for k in np.ndindex(*kernel):
                at = (
                    slice(None),
                    channel // (c // group) * m + out,
                    *(place[a] * strides[a] + k[a] * dilations[a] for a in axes),
                )
                y[at] += x[(slice(None), channel, *place)] * w[(channel, out, *k)]
        y = y[(..., *(slice(pads[a], full[a] - pads[len(size) + a]) for a in axes))]
        return ((y if b is None else y + b.reshape(1, -1, *[1] * len(size))).astype(x.dtype),)


class Erf(OpRun):
    """The reference evaluator's is good to eight digits only."""

    def _run(self, x: Any) -> tuple[Any]:
        return (erf(x),)


class Gelu(OpRun):
    """The same."""

    def _run(self, x: Any, approximate: str = "none") -> tuple[Any]:
        if approximate == "tanh":
            return (x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),)
        return (x * ndtr(x),)
