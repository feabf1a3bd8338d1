"""Class activation maps: the feature maps of a layer, weighted by their gradients and scaled to the picture."""

from typing import Annotated

import numpy as np
from pydantic import Field

from service.attribution.method import GUIDED, Attribution, Floats, Parameters, Subject, ValueAndGrad, largest, method


class Layered(Parameters):
    """Parameters of methods that examine a layer."""

    layer: Annotated[
        str | None, Field(description="Name of the layer; see GET /models/{name}/layers. Default: the last features.")
    ] = None


@method("grad_cam", "Selvaraju et al. 2017, Grad-CAM, section 3", Layered, sign="positive")
def grad_cam(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """The feature maps of a layer, weighted by their mean gradients; what is left after the negative is cut off."""
    at = _at_layer(subject, image, class_id, parameters)
    weights = at.gradients[0].mean(axis=(1, 2), keepdims=True)
    return Attribution(_spread((weights * at.at[0]).sum(axis=0), image), at)


@method("grad_cam_plus_plus", "Chattopadhay et al. 2018, Grad-CAM++, section 3.2", Layered, sign="positive")
def grad_cam_plus_plus(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """
    Grad-CAM whose weights favour the places with a positive gradient, so that several objects of a class all show.
    """  # noqa: D200 - too long for one line
    at = _at_layer(subject, image, class_id, parameters)
    gradients, maps = at.gradients[0].astype(np.float64), at.at[0]
    denominator = 2 * gradients**2 + maps.sum(axis=(1, 2), keepdims=True) * gradients**3
    alphas = np.divide(gradients**2, denominator, out=np.zeros_like(gradients), where=denominator != 0)
    weights = (alphas * gradients.clip(min=0)).sum(axis=(1, 2), keepdims=True)
    return Attribution(_spread((weights * maps).sum(axis=0), image), at)


@method("layer_cam", "Jiang et al. 2021, LayerCAM, section III", Layered, sign="positive")
def layer_cam(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """
    Each place of the feature maps weighted by its own positive gradient: works for low layers too, with fine detail.
    """  # noqa: D200 - too long for one line
    at = _at_layer(subject, image, class_id, parameters)
    return Attribution(_spread((at.gradients[0].clip(min=0) * at.at[0]).sum(axis=0), image), at)


@method(
    "guided_grad_cam",
    "Selvaraju et al. 2017, Grad-CAM, section 3.2",
    Layered,
    warning=(
        "Its fine detail comes from guided backpropagation, which hardly depends on the class; "
        "only where it is shown does."
    ),
)
def guided_grad_cam(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """Guided backpropagation where Grad-CAM is hot."""
    cam = grad_cam(subject, image, class_id, parameters)
    guided = subject.value_and_grad(image[None], cam.at.class_ids, GUIDED)
    return Attribution(largest(guided.gradients[0] * cam.map), cam.at)


def _at_layer(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> ValueAndGrad:
    return subject.value_and_grad(image[None], np.array([class_id]), layer=parameters.layer or subject.cam_layer)


def _spread(small: Floats, image: Floats) -> Floats:
    """The positive part of a map (h, w), scaled linearly to the size of the picture (3, H, W)."""
    from scipy.ndimage import zoom  # takes time and memory to be imported

    factors = [large / side for large, side in zip(image.shape[1:], small.shape, strict=True)]
    values: Floats = zoom(small.clip(min=0), factors, order=1, mode="nearest", grid_mode=True).astype(np.float32)
    return values
