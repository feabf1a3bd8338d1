"""From photographs to saliency maps: decode, fit, attribute and draw. Independent of HTTP."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from service.attribution import METHODS, Attribution, Ints, Parameters, ValueAndGrad
from service.attribution.method import EXACT, Part, Rules, Sign, Stepwise
from service.errors import InvalidParameter
from service.networks.network import Network
from service.networks.questions import PREDICTED, Target
from service.pictures import images
from service.pictures.decode import Photograph, Pixels
from service.pictures.images import Colormap, Fitted, Floats, Media
from service.telemetry.timing import Stopwatch

Output = Literal["overlay", "heatmap", "panel"]


@dataclass(frozen=True)
class Explanation:
    """One photograph, its classification, and the map of the pixels that the score depends on.

    Attributes:
        photograph: The photograph as decoded.
        fitted: The part that the network saw, at its size.
        saliency: The map, float32 (h, w); not normalized, and signed if the method is.
        sign: The values of the map that a picture shows by default.
        probabilities: The probabilities of the classes, (classes,).
        class_id: The class that was explained.
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
    class_id: int
    other_class_id: int | None
    score: float
    before_relu: bool
    notes: dict[str, float]

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
    """

    method: str
    parameters: Parameters
    class_id: int | None = None
    other_class_id: int | None = None

    def runs_needed(self, height: int, width: int) -> int:
        """The number of pictures of that size that are run through the network for it."""
        return self.parameters.runs_needed(height, width) * (1 if self.other_class_id is None else 2)


class View:
    """A network as a `Subject` of methods.

    With another class, scores and gradients are differences to that class. With a target, it is the only score there
    is, as if of one class.
    """

    def __init__(self, network: Network, other_class_id: int | None, target: Target | None = None) -> None:
        self._network = network
        self._other = other_class_id
        self._target = target

    @property
    def cam_layer(self) -> str:
        """The layer that class activation maps use by default. Raises `InvalidParameter` if there is none."""
        return self._network.usual_layer

    @property
    def pixel_layer(self) -> str | None:
        """The layer that holds the pixels as the network was trained on them, None for the images themselves."""
        return self._network.pixel_layer

    def value_and_grad(
        self,
        images: Floats,
        class_ids: Ints,
        rules: Rules = EXACT,
        layer: str | None = None,
        references: Floats | None = None,
    ) -> ValueAndGrad:
        """Scores and gradients, minus those of the other class if there is one."""
        at = self._network.value_and_grad(images, class_ids, rules, layer, references, self._target)
        if self._other is None:
            return at
        others = np.full(len(images), self._other)
        other = self._network.value_and_grad(images, others, rules, layer, references)
        return _less(at, other)

    def logits(self, images: Floats, layer: str | None = None, values: Floats | None = None) -> Floats:
        """The scores (N, classes), without gradients; with other values of a layer if one is named."""
        if self._target is not None:
            return self._network.score(images, self._target, layer, values)[:, None]
        return self._network.classify(images, layer, values)

    def parts(self, images: Floats, class_ids: Ints, part: Part) -> tuple[ValueAndGrad, list[Floats], list[Floats]]:
        """Values and gradients of inner parts; the gradients minus those of the other class if there is one."""
        at, values, gradients = self._network.parts(images, class_ids, part, self._target)
        if self._other is None:
            return at, values, gradients
        other, _, theirs = self._network.parts(images, np.full(len(images), self._other), part)
        return _less(at, other), values, [own - their for own, their in zip(gradients, theirs, strict=True)]

    def probabilities(self, images: Floats) -> Floats:
        """The probabilities (N, classes), or the scores of a network whose scores are no probabilities."""
        scores = self.logits(images)
        return scores if self._target is not None else self._network.probabilities(scores)

    def of(self, values: Floats, class_id: int) -> Floats:
        """The column of the class, minus that of the other class if there is one."""
        return values[:, class_id] - (0 if self._other is None else values[:, self._other])


def _less(one: ValueAndGrad, other: ValueAndGrad) -> ValueAndGrad:
    return ValueAndGrad(
        one.logits,
        one.class_ids,
        one.scores - other.scores,
        one.before_relu | other.before_relu,
        one.at,
        one.gradients - other.gradients,
    )


def classify(network: Network, fitted: Sequence[Fitted], watch: Stopwatch) -> list[Floats]:
    """The class probabilities (classes,) of each picture."""
    with watch.stage("run"):
        return [network.probabilities(network.classify(one.pixels[None]))[0] for one in fitted]


def explain(
    network: Network, photograph: Photograph, fitted: Fitted, question: Question, watch: Stopwatch
) -> Explanation:
    """Attribute the score of a class, by default the predicted one, to the pixels."""
    with watch.stage("run"):
        return Stepwise(explain_stepwise(network, photograph, fitted, question)).finish()


def explain_stepwise(
    network: Network, photograph: Photograph, fitted: Fitted, question: Question
) -> Generator[float, None, Explanation]:
    """`explain` as a generator that yields the fraction that is done and returns the explanation."""
    view = View(network, question.other_class_id)
    class_id = PREDICTED if question.class_id is None else question.class_id
    method = METHODS[question.method]
    attribution = yield from method.function(view, fitted.pixels, class_id, question.parameters)
    return _explanation(network, photograph, fitted, question, method.sign, attribution)


def question_of(
    network: Network, method: str, values: dict[str, Any], class_id: int | None, other_class_id: int | None
) -> Question:
    """Build and check the question for a method with parameters given by name.

    Raises `InvalidParameter` for classes and layers that the network does not have.
    """
    check_class(network, class_id)
    check_class(network, other_class_id, "other_class_id")
    parameters = METHODS[method].parameters.model_validate(values)
    if (layer := values.get("layer")) is not None:
        network.layer(layer)
    return Question(method, parameters, class_id, other_class_id)


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
