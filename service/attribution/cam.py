"""Class activation maps: the feature maps of a layer, weighted by their gradients and scaled to the picture."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from service.attribution.method import (
    CHUNK,
    GUIDED,
    Attribution,
    Floats,
    Parameters,
    Steps,
    Subject,
    ValueAndGrad,
    largest,
    method,
)
from service.attribution.scaling import scaled


class Layered(Parameters):
    """Parameters of methods that examine a layer."""

    layer: Annotated[
        str | None, Field(description="Name of the layer; see GET /models/{name}/layers. Default: the last features.")
    ] = None


@method("grad_cam", "Selvaraju et al. 2017, Grad-CAM, section 3", Layered, sign="positive")
def grad_cam(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """The feature maps of a layer, weighted by their mean gradients; what is left after the negative is cut off.

    Use it for the whereabouts of an object at the price of one run, on any network. Not for detail: it is as coarse
    as the layer.
    """
    at = _at_layer(subject, image, class_id, parameters)
    weights = at.gradients[0].mean(axis=(1, 2), keepdims=True)
    return Attribution(_spread((weights * at.at[0]).sum(axis=0), image), at)


@method("grad_cam_plus_plus", "Chattopadhay et al. 2018, Grad-CAM++, section 3.2", Layered, sign="positive")
def grad_cam_plus_plus(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """Grad-CAM whose weights favour the places with a positive gradient, so that several objects of a class all show.

    Use it where several objects of the class are in the picture. Not for signed evidence: only positive gradients
    count.
    """
    at = _at_layer(subject, image, class_id, parameters)
    gradients, maps = at.gradients[0].astype(np.float64), at.at[0]
    squares = gradients**2
    denominator = 2 * squares + maps.sum(axis=(1, 2), keepdims=True) * (squares * gradients)  # a third power is slow
    alphas = np.divide(squares, denominator, out=np.zeros_like(gradients), where=denominator != 0)
    weights = (alphas * gradients.clip(min=0)).sum(axis=(1, 2), keepdims=True)
    return Attribution(_spread((weights * maps).sum(axis=0), image), at)


@method("layer_cam", "Jiang et al. 2021, LayerCAM, section III", Layered, sign="positive")
def layer_cam(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """Each place of the feature maps weighted by its own positive gradient: works for low layers too, with fine detail.

    Use it on low layers for fine detail. Not for what a layer really adds, see `hires_cam`.
    """
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
    """Guided backpropagation where Grad-CAM is hot.

    Use it for pictures that people like to look at. Not as evidence.
    """
    cam = grad_cam(subject, image, class_id, parameters)
    guided = subject.value_and_grad(image[None], cam.at.class_ids, GUIDED)
    return Attribution(largest(guided.gradients[0] * cam.map), cam.at)


@method("hires_cam", "Draelos & Carin 2020, Use HiResCAM instead of Grad-CAM, section 3", Layered, sign="positive")
def hires_cam(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """Each place of the feature maps times its own gradient: what the layer really adds to the score at that place.

    Use it where Grad-CAM lights up places that the network did not use. Not for large outlines: it is stricter.
    """
    at = _at_layer(subject, image, class_id, parameters)
    return Attribution(_spread((at.gradients[0] * at.at[0]).sum(axis=0), image), at)


@method("grad_cam_elementwise", "Gildenblat 2021, pytorch-grad-cam, GradCAMElementWise", Layered, sign="positive")
def grad_cam_elementwise(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """HiResCAM of what speaks for the class alone: nothing cancels out between feature maps.

    Use it where HiResCAM leaves too little. Not for a balance of evidence: what speaks against is dropped.
    """
    at = _at_layer(subject, image, class_id, parameters)
    return Attribution(_spread((at.gradients[0] * at.at[0]).clip(min=0).sum(axis=0), image), at)


@method("xgrad_cam", "Fu et al. 2020, Axiom-based Grad-CAM, section 3.3", Layered, sign="positive")
def xgrad_cam(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """Grad-CAM whose weights are gradients averaged where the feature maps are active.

    Use it instead of Grad-CAM where feature maps are sparse. Not where they can be negative, as behind a GELU.
    """
    at = _at_layer(subject, image, class_id, parameters)
    contributions, size = ((values[0].sum(axis=(1, 2))) for values in (at.gradients * at.at, at.at))
    weights = np.divide(contributions, size, out=np.zeros_like(contributions), where=size != 0)
    return Attribution(_spread(np.tensordot(weights, at.at[0], axes=1), image), at)


UNDIRECTED = "The map does not depend on the class: it shows what dominates the layer."


@method("eigen_cam", "Muhammad & Yeasin 2020, Eigen-CAM, section III", Layered, "positive", UNDIRECTED)
def eigen_cam(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """The feature maps along their first principal direction: what stands out, whatever the class.

    Use it to find objects without asking for a class. Not to explain a class.
    """
    at = _at_layer(subject, image, class_id, parameters)
    return Attribution(_spread(_first_component(at.at[0]), image), at)


@method("eigen_grad_cam", "Gildenblat 2021, pytorch-grad-cam, EigenGradCAM", Layered, sign="positive")
def eigen_grad_cam(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> Attribution:
    """Eigen-CAM of the feature maps times their gradients: cleaner than Grad-CAM, and of one class.

    Use it where Grad-CAM is speckled. Not where several objects of the class differ: one direction shows.
    """
    at = _at_layer(subject, image, class_id, parameters)
    return Attribution(_spread(_first_component(at.gradients[0] * at.at[0]), image), at)


class Compared(Layered):
    """Parameters of Finer-CAM."""

    similar: Annotated[int, Field(ge=1, le=20, description="Classes of the nearest scores to compare with.")] = 3
    alpha: Annotated[float, Field(ge=0, le=2, description="How much of what they share is taken away.")] = 1.0

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the class and one for each that it is compared with."""
        return 1 + self.similar


@method("finer_cam", "Zhang et al. 2025, Finer-CAM, section 3.2", Compared, sign="positive")
def finer_cam(subject: Subject, image: Floats, class_id: int, parameters: Compared) -> Attribution:
    """Grad-CAM of the score less those of similar classes: what sets a breed apart instead of what makes a dog.

    Use it to tell a class from its neighbours. Not for the object as a whole.
    """
    at = _at_layer(subject, image, class_id, parameters)
    own, logits = int(at.class_ids[0]), at.logits[0]
    distances = np.abs(logits - logits[own])
    distances[own] = np.inf
    others = np.argsort(distances, kind="stable")[: parameters.similar]
    copies = np.repeat(image[None], len(others), axis=0)
    found = subject.value_and_grad(copies, others, layer=parameters.layer or subject.cam_layer)
    gradients = at.gradients[0] - parameters.alpha * found.gradients.mean(axis=0)
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    return Attribution(_spread((weights * at.at[0]).sum(axis=0), image), at)


class Masking(Layered):
    """Parameters of Score-CAM."""

    channels: Annotated[
        int, Field(ge=1, le=4096, description="Feature maps that are tried, those with the largest range first.")
    ] = 64

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture, one for a black one and one for each map."""
        return 2 + self.channels


@method("score_cam", "Wang et al. 2020, Score-CAM, section 3.2", Masking, sign="positive")
def score_cam(subject: Subject, image: Floats, class_id: int, parameters: Masking) -> Steps:
    """The feature maps of a layer, weighted by the score of the picture where each is active. No gradients.

    Use it where gradients are not to be trusted, as in saturated networks. Not when time matters: a run for each
    feature map.
    """
    at = _at_layer(subject, image, class_id, parameters)
    class_id, maps = int(at.class_ids[0]), at.at[0]
    tried = _most_varied(maps, parameters.channels)
    scores: list[float] = []
    for i in range(0, len(tried), CHUNK):
        masks = np.stack([scaled(_stretched(maps[k]), image) for k in tried[i : i + CHUNK]])
        scores += subject.of(subject.logits(masks[:, None] * image), class_id).tolist()
        yield len(scores) / len(tried)
    weights = np.exp(np.array(scores) - max(scores, default=0))
    weights /= max(weights.sum(), np.finfo(np.float64).tiny)
    notes = {"samples": float(len(tried))}
    return Attribution(_spread(np.tensordot(weights, maps[tried], axes=1).astype(np.float32), image), at, notes)


class Ablated(Masking):
    """Parameters of Ablation-CAM."""

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One run for the picture and one, from the layer on, for each map."""
        return 1 + self.channels


@method("ablation_cam", "Desai & Ramaswamy 2020, Ablation-CAM, section 3", Ablated, sign="positive")
def ablation_cam(subject: Subject, image: Floats, class_id: int, parameters: Ablated) -> Steps:
    """The feature maps of a layer, weighted by how much the score falls without each. No gradients.

    Use it where gradients are not to be trusted, and Score-CAM takes too long. Not for feature maps that stand in for
    each other: none is missed.
    """
    at = _at_layer(subject, image, class_id, parameters)
    layer, class_id, maps = parameters.layer or subject.cam_layer, int(at.class_ids[0]), at.at[0]
    tried = _most_varied(maps, parameters.channels)
    scores: list[float] = []
    for i in range(0, len(tried), CHUNK):
        channels = tried[i : i + CHUNK]
        without = np.repeat(at.at, len(channels), axis=0)
        without[np.arange(len(channels)), channels] = 0
        images = np.repeat(image[None], len(channels), axis=0)
        scores += subject.of(subject.logits(images, layer, without), class_id).tolist()
        yield len(scores) / len(tried)
    whole = float(subject.of(at.logits, class_id)[0])
    weights = (whole - np.array(scores)) / (abs(whole) or 1)
    values = np.tensordot(weights, maps[tried], axes=1).astype(np.float32)
    return Attribution(_spread(values, image), at, {"samples": float(len(tried))})


def _most_varied(maps: Floats, most: int) -> npt.NDArray[np.intp]:
    """At most so many of the feature maps (C, h, w): those with the largest range, without constant ones."""
    ranges = maps.max(axis=(1, 2)) - maps.min(axis=(1, 2))
    return np.argsort(-ranges, kind="stable")[: min(most, int((ranges > 0).sum()))]


def _at_layer(subject: Subject, image: Floats, class_id: int, parameters: Layered) -> ValueAndGrad:
    return subject.value_and_grad(image[None], np.array([class_id]), layer=parameters.layer or subject.cam_layer)


def _first_component(values: Floats) -> Floats:
    """Values (C, h, w) along their first principal direction over all places, (h, w), pointing up where they do."""
    columns = values.reshape(len(values), -1).T.astype(np.float64)
    columns -= columns.mean(axis=0)
    direction = np.linalg.svd(columns, full_matrices=False)[2][0]
    along = (columns @ direction).reshape(values.shape[1:])
    sign = -1 if (along * values.sum(axis=0)).sum() < 0 else 1
    found: Floats = (sign * along).astype(np.float32)
    return found


def _stretched(values: Floats) -> Floats:
    """The values from 0 to 1."""
    least, most = values.min(), values.max()
    found: Floats = (values - least) / (most - least)
    return found


def _spread(small: Floats, image: Floats) -> Floats:
    """The positive part of a map (h, w), scaled linearly to the size of the picture (3, H, W)."""
    return scaled(small.clip(min=0), image)
