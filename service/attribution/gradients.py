"""Methods based on the gradient with respect to the pixels, or on what other rules at a Relu make of it."""

from typing import Annotated

import numpy as np
from pydantic import Field

from service.attribution.method import (
    DECONVNET,
    GUIDED,
    Attribution,
    Floats,
    Parameters,
    Rules,
    Subject,
    largest,
    method,
)
from service.attribution.scaling import scaled

INSENSITIVE = (
    "The map hardly depends on the class or on the weights of the higher layers: "
    "it fails the sanity checks of Adebayo et al. 2018. "
    "It shows what the image holds rather than what the decision rests on."
)


@method("gradient", "Simonyan et al. 2013, Deep Inside Convolutional Networks, section 3")
def gradient(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """The largest absolute gradient over the channels.

    Use it for a first look, at the price of one run. Not where scores saturate: it tells what a small change would
    do, not what carried the score.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))
    return Attribution(largest(at.gradients[0]), at)


@method("gradient_x_input", "Shrikumar et al. 2016, Not Just a Black Box, section 3")
def gradient_x_input(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """Gradient times pixel, summed over the channels: the contribution of each pixel to a linear model of the score.

    Use it to see signs at the price of one run. Not for dark objects: black pixels get nothing.
    """
    at = subject.value_and_grad(image[None], np.array([class_id]))
    return Attribution((at.gradients[0] * image).sum(axis=0), at)


@method("guided_backprop", "Springenberg et al. 2014, Striving for Simplicity, section 3.4", warning=INSENSITIVE)
def guided_backprop(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """The gradient with all that is negative stopped at each Relu: sharp edges of what excites the network.

    Use it to see which edges excite the network. Not to ask why this class.
    """
    return _with_rules(subject, image, class_id, GUIDED)


@method(
    "deconvnet",
    "Zeiler & Fergus 2013, Visualizing and Understanding Convolutional Networks, section 2.1",
    warning=INSENSITIVE,
)
def deconvnet(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """The signal of the class sent back through the network, passed by each Relu where it is positive itself.

    Use it to compare with early work. Not to ask why this class.
    """
    return _with_rules(subject, image, class_id, DECONVNET)


class Rectified(Parameters):
    """Parameters of rectified gradients."""

    percent: Annotated[float, Field(ge=0, lt=100, description="Share of each layer that is held back.")] = 98.0


@method("rectgrad", "Kim et al. 2019, Why are Saliency Maps Noisy?, section 4", Rectified, sign="positive")
def rectgrad(subject: Subject, image: Floats, class_id: int, parameters: Rectified) -> Attribution:
    """Gradient times pixel of what matters most in each layer: sharp and sparse, with few pixels left.

    Use it where a few decisive pixels are wanted. Not for the extent of an object.
    """
    rules = Rules("rectgrad", (parameters.percent,), is_usual=parameters == Rectified())
    at = subject.value_and_grad(image[None], np.array([class_id]), rules)
    return Attribution((at.gradients[0] * image).sum(axis=0), at)


@method("full_grad", "Srinivas & Fleuret 2019, Full-Gradient Representation, section 4")
def full_grad(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """Gradient times pixel, and what every bias of the network adds to the score at each place of its layer.

    Use it for a broad map of all places that the network uses. Not for signs: absolute values are summed.
    """
    at, _values, contributions = subject.parts(image[None], np.array([class_id]), "bias")
    total = float((at.gradients[0] * image).sum(dtype=np.float64))
    heat = _rescaled(at.gradients[0] * image).sum(axis=0)
    for each in contributions:
        total += float(each.sum(dtype=np.float64))
        if each.ndim == 4 and each.shape[2] * each.shape[3] > 1:
            heat = heat + scaled(_rescaled(each[0]).sum(axis=0), image)
    score = float(at.scores[0])
    return Attribution(heat, at, {"score": score, "completeness_error": total - score})


def _rescaled(values: Floats) -> Floats:
    """The absolute values, from 0 to 1; nothing where all are the same."""
    sizes = np.abs(values)
    sizes -= sizes.min()
    found: Floats = (sizes / (sizes.max() or 1)).astype(np.float32)
    return found


def _with_rules(subject: Subject, image: Floats, class_id: int, rules: Rules) -> Attribution:
    at = subject.value_and_grad(image[None], np.array([class_id]), rules)
    return Attribution(largest(at.gradients[0]), at)
