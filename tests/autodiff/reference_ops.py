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


class GlobalLpPool(OpRun):
    """The reference evaluator has none."""

    def _run(self, x: Any, p: int = 2) -> tuple[Any]:
        return ((np.abs(x) ** p).sum(axis=tuple(range(2, x.ndim)), keepdims=True) ** (1 / p),)


class MeanVarianceNormalization(OpRun):
    """The standard's function has constants in float32."""

    def _run(self, x: Any, axes: Any = (0, 2, 3)) -> tuple[Any]:
        axes = tuple(axes)
        return ((x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + 1e-9),)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


class _Recurrent(OpRun):
    """The reference evaluator's know neither both directions nor all activations; ONNX Runtime's know float32 only."""

    def _run(
        self,
        x: Any,
        w: Any,
        r: Any,
        b: Any = None,
        n: Any = None,
        h: Any = None,
        c: Any = None,
        p: Any = None,
        **a: Any,
    ) -> Any:
        directions, batch, hidden = w.shape[0], x.shape[1], r.shape[2]
        b = np.zeros((directions, 2 * w.shape[1])) if b is None else b
        h = np.zeros((directions, batch, hidden)) if h is None else h
        c = np.zeros((directions, batch, hidden)) if c is None else c
        p = np.zeros((directions, 3 * hidden)) if p is None else p
        y = np.zeros((x.shape[0], directions, batch, hidden))
        last_h, last_c = np.zeros_like(h), np.zeros_like(c)
        for d in range(directions):
            times = range(x.shape[0])[:: -1 if d or a.get("direction") == "reverse" else 1]
            state = h[d], c[d]
            for t in times:
                of_input, of_state = x[t] @ w[d].T + b[d][: w.shape[1]], b[d][w.shape[1] :]
                state = self.step(of_input, *state, r[d], of_state, p[d], **a)
                y[t, d] = state[0]
            last_h[d], last_c[d] = state
        return (y, last_h, last_c)[: 3 if isinstance(self, LSTM) else 2]

    def step(self, x: Any, h: Any, c: Any, r: Any, b: Any, p: Any, **a: Any) -> tuple[Any, Any]:
        raise NotImplementedError


class RNN(_Recurrent):
    """As the standard has it."""

    def step(self, x: Any, h: Any, c: Any, r: Any, b: Any, p: Any, activations: Any = (), **a: Any) -> tuple[Any, Any]:
        z = x + h @ r.T + b
        return (np.maximum(z, 0) if "Relu" in (activations or ()) else np.tanh(z)), c


class GRU(_Recurrent):
    """As the standard has it."""

    def step(
        self, x: Any, h: Any, c: Any, r: Any, b: Any, p: Any, linear_before_reset: int = 0, **a: Any
    ) -> tuple[Any, Any]:
        (xz, xr, xh), (rz, rr, rh), (bz, br, bh) = (np.split(v, 3, axis) for v, axis in ((x, 1), (r, 0), (b, 0)))
        z, reset = _sigmoid(xz + h @ rz.T + bz), _sigmoid(xr + h @ rr.T + br)
        candidate = np.tanh(xh + (reset * (h @ rh.T + bh) if linear_before_reset else (reset * h) @ rh.T + bh))
        return (1 - z) * candidate + z * h, c


class LSTM(_Recurrent):
    """As the standard has it."""

    def step(
        self, x: Any, h: Any, c: Any, r: Any, b: Any, p: Any, clip: Any = None, input_forget: int = 0, **a: Any
    ) -> tuple[Any, Any]:
        def bounded(v: Any) -> Any:
            return v if clip is None else np.clip(v, -clip, clip)

        (xi, xo, xf, xc), (pi, po, pf) = np.split(x + h @ r.T + b, 4, 1), np.split(p, 3)
        i = _sigmoid(bounded(xi + pi * c))
        f = 1 - i if input_forget else _sigmoid(bounded(xf + pf * c))
        c = f * c + i * np.tanh(bounded(xc))
        return _sigmoid(bounded(xo + po * c)) * np.tanh(c), c


CORRECTED = [LRN, ConvTranspose, Erf, Gelu, GlobalLpPool, MeanVarianceNormalization, RNN, GRU, LSTM]
