"""The transposed convolution as convolutions."""

from math import ceil

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from service.autodiff import convolution
from service.autodiff.nchwc.polyphase import Polyphase, polyphase_of
from service.autodiff.ops import Ops
from service.autodiff.shapes import constant_value
from service.autodiff.windows import Window

Kernel = npt.NDArray[np.floating]


def transposed_conv(op: Ops, dy: ir.Value, w: ir.Value, win: Window, group: int, x: ir.Value) -> ir.Value:
    """The adjoint of a convolution of ``x``; arguments as in `service.autodiff.convolution.transposed_conv`.

    A dense window becomes a convolution with the flipped kernel. Equal strides on two axes become a convolution that
    computes all phases as channels, followed by DepthToSpace (Shi et al. 2016, "Is the deconvolution layer the same as
    a convolutional layer?"). Both need a constant kernel; everything else stays a ConvTranspose.
    """
    kernel = constant_value(w)
    padding = [e - 1 - b for e, b in zip(win.extent, win.begin, strict=True)]
    end_padding = [e - 1 - b for e, b in zip(win.extent, win.end, strict=True)]
    if kernel is not None and win.is_dense and min(padding + end_padding) >= 0:
        return op.Conv(dy, op.constant(_flipped(kernel, group)), pads=padding + end_padding, group=group)
    if kernel is not None and len(win.size) == 2 and len(set(win.strides)) == 1 and set(win.dilations) == {1}:
        return _sub_pixel(op, dy, kernel, win, group, x)
    return convolution.transposed_conv(op, dy, w, win, group, x)


def _flipped(kernel: Kernel, group: int) -> Kernel:
    """(M, C / group, k…) -> (C, M / group, k…), reversed along the spatial axes."""
    m, c, *size = kernel.shape
    swapped = np.swapaxes(kernel.reshape(group, m // group, c, *size), 1, 2).reshape(group * c, m // group, *size)
    return np.ascontiguousarray(np.flip(swapped, axis=tuple(range(2, kernel.ndim))))


def _sub_pixel(op: Ops, dy: ir.Value, kernel: Kernel, win: Window, group: int, x: ir.Value) -> ir.Value:
    """dx[s·q + r] = Σ_t W[s·t + r] · dy[q − t]: for each phase r a convolution over q; then the phases are interleaved.

    Where dy itself is known in phases, dy[p·q + o], dx is the sum over these phases of transposed convolutions with
    stride s·p and the kernel moved by s·o.
    """
    phases = polyphase_of(dy)
    if phases is None or len(set(phases.strides)) > 1:
        phases = Polyphase((1, 1), (0, 0), {(0, 0): dy})
    s = win.strides[0]
    stride = s * phases.strides[0]
    ends = [
        ceil((k - 1) / stride) for k in win.size
    ]  # further rows, for what lies beyond the last multiple of the stride
    stacked = [
        _all_phases(
            op, part, np.pad(kernel, [(0, 0), (0, 0), (s * offset[0], 0), (s * offset[1], 0)]), stride, ends, group
        )
        for offset, part in phases.parts.items()
    ]
    begin = [own + s * before for own, before in zip(win.begin, phases.begin, strict=True)]
    return convolution.crop(op, op.DepthToSpace(op.total(stacked), blocksize=stride, mode="CRD"), begin, x)


def _all_phases(op: Ops, dy: ir.Value, kernel: Kernel, s: int, ends: list[int], group: int) -> ir.Value:
    """(N, C·s·s, H, W): the phases of the transposed convolution with stride s, as channels."""
    m, c, *size = kernel.shape
    taps = [ceil(k / s) for k in size]
    fill = [(0, t * s - k) for t, k in zip(taps, size, strict=True)]
    padded = np.pad(kernel, [(0, 0), (0, 0), *fill]).reshape(m, c, taps[0], s, taps[1], s)
    phases = padded.transpose(0, 1, 3, 5, 2, 4).reshape(m, c * s * s, *taps)  # (M, C·s·s, t, t)
    return op.Conv(dy, op.constant(_flipped(phases, group)), pads=[*(t - 1 for t in taps), *ends], group=group)
