"""Rules for the blocked layout of a CPU runtime: ``RULES | NCHWC_RULES``.

ONNX Runtime keeps images on a CPU as NCHWc, channels in blocks of 16, as long as all operators between have a form for
that layout: convolutions, pools, and sums, products and activations of values of the same shape. Each comparison,
Where, Scatter or ConvTranspose costs two reorderings and is slow by itself. So these rules compute the same cotangents
by operators of the layout only:

- the masks of Relu and Clip by very steep HardSigmoids, and 1 − y of a Sigmoid by one too (`activations`);
- the transposed convolution as a convolution, or as several whose results are interleaved (`convolution`);
- the max pool by depthwise convolutions, and in phases that the convolution before it takes as they are
(`max_pooling`).

On other processors they are of no use. Where a node does not fit, they fall back to the rules of the package.
"""

from functools import partial

from service.autodiff.average_pooling import average_pool
from service.autodiff.convolution import conv
from service.autodiff.nchwc.activations import clip, relu, sigmoid
from service.autodiff.nchwc.convolution import transposed_conv
from service.autodiff.nchwc.max_pooling import BLOCK, max_pool
from service.autodiff.registry import Rule

NCHWC_RULES = {
    "AveragePool": Rule(partial(average_pool, transposed=transposed_conv)),
    "Clip": Rule(clip),
    "Conv": Rule(partial(conv, transposed=transposed_conv)),
    "MaxPool": Rule(max_pool),
    "Relu": Rule(relu),
    "Sigmoid": Rule(sigmoid),
}

__all__ = ["BLOCK", "NCHWC_RULES"]
