"""Reading strided elements of images by depthwise convolutions whose kernels are 1 at a single place."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from service.autodiff.ops import Ops


@dataclass(frozen=True)
class Tap:
    """Along one axis, read element (stride·i + offset) for each i; beyond the axis there are zeros.

    Args:
        kernel: The size of the kernel.
        offset: Where to begin; the kernel is 1 at this place, or at 0 if it is negative.
        stride: The stride of the convolution.
        begin: Its padding before the axis.
        end: Its padding after the axis.
    """

    kernel: int = 1
    offset: int = 0
    stride: int = 1
    begin: int = 0
    end: int = 0

    @classmethod
    def of(cls, stride: int, offset: int, end: int, slack: int = 0) -> "Tap":
        """Build a tap whose output has the requested size.

        Args:
            stride: As above.
            offset: As above.
            end: The padding after the axis that gives this size with a kernel that ends at its 1. Where it is
                negative, the kernel is made longer instead.
            slack: How much more padding than ``end`` leaves the size as it is.
        """
        end += min(slack, max(0, -end))
        return cls(max(0, offset) + 1 + max(0, -end), offset, stride, max(0, -offset), max(0, end))


EVERY = Tap()


@dataclass(frozen=True)
class DepthwiseTaps:
    """Applies taps along rows and columns of images (N, C, H, W), as one depthwise convolution.

    Args:
        op: Appends the nodes.
        channels: C.
        like: A value of the element type of the images.
        shape: The shape of all results, if it is known.
    """

    op: Ops
    channels: int
    like: ir.Value
    shape: ir.Shape | None

    def __call__(self, x: ir.Value, rows: Tap, columns: Tap, factor: float = 1) -> ir.Value:
        """The elements of x that the taps read, times the factor."""
        if rows == columns == EVERY and factor == 1:
            return x
        kernel = np.zeros((self.channels, 1, rows.kernel, columns.kernel))
        kernel[:, :, max(0, rows.offset), max(0, columns.offset)] = factor
        pads = [rows.begin, columns.begin, rows.end, columns.end]
        weights = self.op.constant(kernel, like=self.like)
        tapped = self.op.Conv(x, weights, strides=[rows.stride, columns.stride], pads=pads, group=self.channels)
        tapped.shape = self.shape
        return tapped
