"""Results turned into response bodies."""

import base64
from typing import Any

import numpy as np

from service import __version__
from service.api.layer_parameters import ActivationParameters
from service.api.parameters import ClassifyParameters, SaliencyParameters
from service.api.schemas import (
    ChannelActivation,
    Classified,
    Explained,
    LayerActivation,
    Meta,
    Prediction,
    SaliencyMap,
    SaliencyResult,
)
from service.networks.network import Network
from service.pictures import images
from service.pictures.images import Floats
from service.pictures.npy import encode_npy
from service.saliency.activations import Activation, grid
from service.saliency.explain import Explanation, Style, draw
from service.saliency.grammar import parse
from service.telemetry.timing import Stopwatch

TOP = 5


def meta(network: Network, parameters: ClassifyParameters, watch: Stopwatch) -> Meta:
    """How the answer was made."""
    model = network.model
    return Meta(
        model=model.name,
        model_sha256=model.sha256,
        weights_sha256=model.manifest.weights_sha256,
        provider=network.provider,
        version=__version__,
        parameters={**parameters.effective(), "model": model.name},
        timings_ms={stage: round(ms, 3) for stage, ms in watch.milliseconds.items()},
    )


def classified(network: Network, probabilities: Floats) -> Classified:
    """The most probable classes, best first."""
    best = np.argsort(-probabilities, kind="stable")[:TOP]
    return Classified(predictions=[prediction(network, int(i), probabilities) for i in best])


def prediction(network: Network, class_id: int, probabilities: Floats) -> Prediction:
    """A class with its name and probability."""
    name, value = network.model.manifest.labels[class_id], float(probabilities[class_id])
    probability = network.probability(value)
    return Prediction(
        class_id=class_id, name=name, probability=probability, score=value if probability is None else None
    )


def class_of(network: Network, class_id: int | None, probabilities: Floats) -> dict[str, Any]:
    """The fields of `prediction` for the class that was explained, all of them None for another target."""
    if class_id is None:
        return dict.fromkeys(Prediction.model_fields)
    return prediction(network, class_id, probabilities).model_dump()


def name_of(network: Network, class_id: int | None, target: str | None) -> str:
    """What was explained, in words."""
    return parse(target or "").text if class_id is None else network.model.manifest.labels[class_id]


def saliency_result(
    network: Network, image: int, one: Explanation, warning: str | None, style: Style, watch: Stopwatch, raw: bool
) -> SaliencyResult:
    """An explanation as JSON, with the coloured map inside, and the raw one if wanted.

    image: which of the photographs sent.
    """
    height, width = one.saliency.shape
    return SaliencyResult(
        predictions=classified(network, one.probabilities).predictions,
        image=image,
        explained=explained(network, one, warning),
        heatmap=SaliencyMap(
            width=width,
            height=height,
            minimum=float(one.saliency.min()),
            maximum=float(one.saliency.max()),
            box=one.fitted.sent_box,
            png=base64.b64encode(draw(one, style, watch)).decode(),
            npy=base64.b64encode(encode_npy(one.saliency)).decode() if raw else None,
        ),
    )


def explained(network: Network, one: Explanation, warning: str | None) -> Explained:
    """What was explained, without its map."""
    manifest = network.model.manifest
    logits = manifest.logits_before_relu if one.before_relu and manifest.logits_before_relu else manifest.logits
    of_class = class_of(network, one.class_id, one.probabilities)
    return Explained(
        **{key: value for key, value in of_class.items() if key != "score"},
        target=one.target,
        other_class_id=one.other_class_id,
        score=one.score,
        value=one.value or logits,
        zero_gradient=one.is_empty,
        notes=one.notes,
        warning=warning,
    )


def layer_activation(activation: Activation, parameters: ActivationParameters) -> LayerActivation:
    """A layer as JSON, with a picture of its feature maps inside."""
    values = activation.values
    shown = activation.strongest[: parameters.channels]
    picture = images.encode_png(grid(activation, parameters.channels, parameters.tile, parameters.colormap))
    return LayerActivation(
        layer=activation.layer,
        channels=len(values),
        size=(values.shape[1], values.shape[2]),
        mean=float(values.mean()),
        active=float((values > 0).mean()),
        strongest=[
            ChannelActivation(channel=c, mean=float(values[c].mean()), maximum=float(values[c].max())) for c in shown
        ],
        png=base64.b64encode(picture).decode(),
    )


def style(parameters: SaliencyParameters, max_side: int) -> Style:
    """How the completed parameters ask for a map to be drawn."""
    assert parameters.output is not None
    assert parameters.smoothing is not None
    return Style(
        parameters.output, parameters.colormap, parameters.opacity, parameters.smoothing, max_side, parameters.sign
    )
