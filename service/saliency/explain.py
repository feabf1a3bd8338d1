"""From photographs to saliency maps: decode, fit, attribute and draw. Independent of HTTP."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from service.attribution import METHODS, Attribution, Parameters
from service.attribution.method import Sign, Stepwise
from service.errors import InvalidParameter
from service.networks.network import Network
from service.networks.questions import PREDICTED
from service.pictures import images
from service.pictures.decode import Photograph, Pixels
from service.pictures.images import Colormap, Fitted, Floats, Media
from service.saliency.grammar import Wanted, parse
from service.saliency.targets import NOTHING, Beside, check_target, resolve
from service.saliency.view import View
from service.telemetry.timing import Stopwatch

Output = Literal["overlay", "heatmap", "panel"]
OVERLAY_SMOOTHING = 1.5  # of maps over photographs, sigma in pixels of the map
RUNS_OF_TARGET = 3  # to find its weights, what it is compared with, and the probabilities of the classes


@dataclass(frozen=True)
class Explanation:
    """One photograph, its classification, and the map of the pixels that the score depends on.

    Attributes:
        photograph: The photograph as decoded.
        fitted: The part that the network saw, at its size.
        saliency: The map, float32 (h, w); not normalized, and signed if the method is.
        sign: The values of the map that a picture shows by default.
        probabilities: The probabilities of the classes, (classes,).
        class_id: The class that was explained; None for another target.
        target: The target, if it was not a class.
        value: The name of the value that was differentiated; None for a class.
        other_class_id: The class whose score was subtracted, if any.
        score: The value that was differentiated.
        before_relu: Whether that value is the score before the final ReLU.
        notes: Further numbers that the method reports, by name.
    """

    photograph: Photograph
    fitted: Fitted
    saliency: Floats
    sign: Sign
    probabilities: Floats
    class_id: int | None
    other_class_id: int | None
    score: float
    before_relu: bool
    notes: dict[str, float]
    target: str | None = None
    value: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the map is zero everywhere."""
        return not self.saliency.any()


@dataclass(frozen=True)
class Question:
    """What to explain, and how.

    Attributes:
        method: The name of the method.
        parameters: The parameters of the method.
        class_id: The class to explain; the predicted one if None.
        other_class_id: A class whose score is subtracted.
        target: What is explained instead of a class.
    """

    method: str
    parameters: Parameters
    class_id: int | None = None
    other_class_id: int | None = None
    target: Wanted | None = None

    def runs_needed(self, height: int, width: int) -> int:
        """The number of pictures of that size that are run through the network for it."""
        needed = self.parameters.runs_needed(height, width) * (1 if self.other_class_id is None else 2)
        return needed + (0 if self.target is None else RUNS_OF_TARGET)


def classify(network: Network, fitted: Sequence[Fitted], watch: Stopwatch) -> list[Floats]:
    """The class probabilities (classes,) of each picture."""
    with watch.stage("run"):
        return [network.probabilities(network.classify(one.pixels[None]))[0] for one in fitted]


def explain(
    network: Network,
    photograph: Photograph,
    fitted: Fitted,
    question: Question,
    watch: Stopwatch,
    beside: Beside = NOTHING,
) -> Explanation:
    """Attribute the score of a class, by default the predicted one, or of another target to the pixels.

    beside: what was sent along for the target.
    """
    with watch.stage("run"):
        return Stepwise(explain_stepwise(network, photograph, fitted, question, beside)).finish()


def explain_stepwise(
    network: Network, photograph: Photograph, fitted: Fitted, question: Question, beside: Beside = NOTHING
) -> Generator[float, None, Explanation]:
    """`explain` as a generator that yields the fraction that is done and returns the explanation."""
    wanted = question.target
    target = None if wanted is None else resolve(network, fitted.pixels, wanted, beside)
    view = View(network, question.other_class_id, target)
    class_id = PREDICTED if question.class_id is None else question.class_id
    method = METHODS[question.method]
    attribution = yield from method.function(view, fitted.pixels, class_id, question.parameters)
    explanation = _explanation(network, photograph, fitted, question, method.sign, attribution)
    if wanted is None or target is None:
        return explanation
    probabilities = network.probabilities(network.classify(fitted.pixels[None]))[0]
    return replace(
        explanation, probabilities=probabilities, class_id=None, target=wanted.text, value=target.quantity.value
    )


def parameters_of(method: str, values: dict[str, Any]) -> Parameters:
    """The parameters of a method. Raises `ValueError` for values that it does not take: each has bounds of its own."""
    try:
        return METHODS[method].parameters.model_validate(values)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))} of {method}: {e['msg']}" for e in error.errors()]
        raise ValueError("; ".join(wrong)) from None


def question_of(
    network: Network,
    method: str,
    values: dict[str, Any],
    class_id: int | None,
    other_class_id: int | None,
    target: str | None = None,
) -> Question:
    """Build and check the question for a method with parameters given by name.

    Raises `InvalidParameter` for classes, layers and outputs that the network does not have, and for a target of a
    method that compares classes; `ValueError` for values that the method does not take, and for what is no target.
    """
    check_class(network, class_id)
    check_class(network, other_class_id, "other_class_id")
    parameters = parameters_of(method, values)
    if (layer := values.get("layer")) is not None:
        network.layer(layer)
    wanted = None if target is None else parse(target)
    if wanted is not None:
        if method == "finer_cam":
            raise InvalidParameter("finer_cam compares classes; leave out target, or choose another method")
        check_target(network, wanted)
    return Question(method, parameters, class_id, other_class_id, wanted)


def warning_of(network: Network, method: str) -> str | None:
    """What to keep in mind when reading a map of this method for this network; None if nothing."""
    quantized = (
        "The network is quantized; its gradient passes the rounding as if it were not there."
        if network.facts.quantized
        else None
    )
    return " ".join(filter(None, [METHODS[method].warning, quantized])) or None


def check_class(network: Network, class_id: int | None, name: str = "class_id") -> None:
    """Raise `InvalidParameter` when the network has no class of that id."""
    if class_id is not None and not 0 <= class_id < network.classes:
        raise InvalidParameter(
            f"{name} must be from 0 to {network.classes - 1} for {network.model.name}; it is {class_id}"
        )


def _explanation(
    network: Network, photograph: Photograph, fitted: Fitted, question: Question, sign: Sign, attribution: Attribution
) -> Explanation:
    at = attribution.at
    return Explanation(
        photograph=photograph,
        fitted=fitted,
        saliency=attribution.map,
        sign=sign,
        probabilities=network.probabilities(at.logits)[0],
        class_id=int(at.class_ids[0]),
        other_class_id=question.other_class_id,
        score=float(at.scores[0]),
        before_relu=bool(at.before_relu[0]),
        notes=attribution.notes,
    )


@dataclass(frozen=True)
class Style:
    """How a map is drawn.

    Attributes:
        output: What the picture shows; see `draw`.
        colormap: How values become colours.
        opacity: The opacity of the map in an overlay, from 0 to 1.
        smoothing: Sigma of a Gaussian that smooths the map, in pixels of the map.
        max_side: The longest side of an overlay, in pixels.
        sign: The values of the map that are shown; the method's own choice if None.
    """

    output: Output
    colormap: Colormap
    opacity: float
    smoothing: float
    max_side: int
    sign: Sign | None = None


def draw(explanation: Explanation, style: Style, watch: Stopwatch, media: Media = "image/png") -> bytes:
    """The explanation as a picture: an overlay, a heatmap, or a panel of photograph, map and overlay side by side."""
    with watch.stage("colour"):
        heat = images.normalize(_signed(explanation, style.sign), style.smoothing)
        picture = None if style.output == "heatmap" else _over_photograph(explanation, heat, style)
    with watch.stage("encode"):
        if picture is None and media == "image/png":
            return images.encode_heatmap(heat, style.colormap)
        return images.encode(images.heatmap(heat, style.colormap) if picture is None else picture, media)


def draw_all(explanations: Sequence[Explanation], style: Style, watch: Stopwatch, media: Media = "image/png") -> bytes:
    """Explanations of one photograph for several classes as one picture: side by side, or panels below each other."""
    if len(explanations) == 1:
        return draw(explanations[0], style, watch, media)
    with watch.stage("colour"):
        pictures = []
        for one in explanations:
            heat = images.normalize(_signed(one, style.sign), style.smoothing)
            pictures.append(
                images.heatmap(heat, style.colormap)
                if style.output == "heatmap"
                else _over_photograph(one, heat, style)
            )
        picture = images.below(*pictures) if style.output == "panel" else images.beside(*pictures)
    with watch.stage("encode"):
        return images.encode(picture, media)


def _signed(explanation: Explanation, sign: Sign | None) -> Floats:
    values = explanation.saliency
    sign = sign or explanation.sign
    if sign == "absolute":
        return np.abs(values)
    return (values if sign == "positive" else -values).clip(min=0)


def _over_photograph(explanation: Explanation, heat: Floats, style: Style) -> Pixels:
    seen = images.cut(explanation.photograph, explanation.fitted.box, style.max_side)
    overlay = images.overlay(seen, heat, style.colormap, style.opacity)
    if style.output == "overlay":
        return overlay
    return images.beside(seen, images.scale_to(images.heatmap(heat, style.colormap), like=seen), overlay)
