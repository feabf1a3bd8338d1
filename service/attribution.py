"""Attribution methods: functions of a gradient function, on arrays. They know neither ONNX nor HTTP.

A method takes ``evaluate(images, class_ids)``, the images (N, 3, H, W) in [0, 1] and the class ids (N,), and returns the maps (N, H, W) of
non-negative numbers together with the evaluation at the images themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """The network and the gradient of one class score, at N images.

    logits: (N, classes). class_ids: (N,), the classes that were differentiated. scores: (N,), their differentiated values.
    before_relu: (N,), whether that value is the one before the final ReLU. gradients: (N, 3, H, W), per unit of the [0, 1] pixel.
    """

    logits: Floats
    class_ids: Ints
    scores: Floats
    before_relu: npt.NDArray[np.bool_]
    gradients: Floats


Evaluate = Callable[[Floats, Ints], Evaluation]
Method = Callable[[Evaluate, Floats, Ints], tuple[Floats, Evaluation]]

METHODS: dict[str, Method] = {}


def method(name: str) -> Callable[[Method], Method]:
    """Register the decorated function as the method ``name``."""

    def register(function: Method) -> Method:
        METHODS[name] = function
        return function

    return register


@method("gradient")
def gradient(evaluate: Evaluate, images: Floats, class_ids: Ints) -> tuple[Floats, Evaluation]:
    """The largest absolute gradient over the channels (Simonyan et al. 2013, "Deep Inside Convolutional Networks", section 3)."""
    at = evaluate(images, class_ids)
    return np.abs(at.gradients).max(axis=1), at
