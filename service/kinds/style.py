"""A photograph in the manner of a painting."""

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, JsonValue, model_validator

from service.attribution import Floats
from service.kinds.grams import gram
from service.kinds.parameters import FromPhotograph, Layer, split_commas
from service.kinds.plan import Inputs, Plan, kind, measure_terms, seen
from service.networks.network import Network
from service.networks.questions import Term
from service.pictures import images
from service.pictures.decode import Pixels
from service.synthesis.ascent import Recipe, State
from service.synthesis.optimizers import Adam
from service.synthesis.photographs import NormalizedPhoto

CLAMP = 1.5  # of normalized pixels, until shortly before the end
SETTLE = 0.9  # share of the steps after which the learning rate drops
RELEASE = 0.95  # share of the steps after which the clamp is off
STYLE_LAYERS = ["relu_conv1", "fire3", "fire4", "fire5"]
STYLE_WEIGHTS = [0.25, 0.25, 0.25, 0.25]

_List = BeforeValidator(split_commas)


class StyleParameters(FromPhotograph):
    """A photograph (`image`) in the style of another picture (`style_image`)."""

    images: ClassVar[tuple[str, ...]] = ("image", "style_image")
    kind: Literal["style"]
    content_layer: Layer = "fire2"
    style_layers: Annotated[
        list[str], _List, Field(min_length=1, max_length=16, description="Layers whose Gram matrices make the style.")
    ] = STYLE_LAYERS
    style_weights: Annotated[
        list[Annotated[float, Field(ge=0, le=1e12)]],
        _List,
        Field(min_length=1, max_length=16, description="One for each of these layers."),
    ] = STYLE_WEIGHTS
    content_weight: Annotated[
        float, Field(ge=0, le=1e12, description="Of the content: more is closer to the photograph.")
    ] = 0.2
    variation: Annotated[
        float, Field(ge=0, le=1e12, description="Weight of the total variation per pixel: more is smoother.")
    ] = 0.5
    start: Annotated[Literal["content", "noise"], Field(description="Where it begins.")] = "content"
    iterations: Annotated[int, Field(ge=1, le=4096, description="Steps.")] = 200
    learning_rate: Annotated[
        float, Field(gt=0, le=100, description="Of Adam, in normalized pixels; a thirtieth at the end.")
    ] = 0.1

    @model_validator(mode="after")
    def _one_weight_a_layer(self) -> Self:
        if len(self.style_layers) != len(self.style_weights):
            raise ValueError(
                f"style_layers has {len(self.style_layers)} names and style_weights {len(self.style_weights)} numbers"
            )
        return self

    @property
    def steps(self) -> int:
        """As given."""
        return self.iterations

    @property
    def layers(self) -> list[str]:
        """The layer of the content and those of the style."""
        return [self.content_layer, *self.style_layers]


@kind(StyleParameters)
def transfer(network: Network, parameters: StyleParameters, inputs: Inputs) -> Plan:
    """Give one picture the style of another (Gatys et al. 2016; losses and schedule of CS231n, "Style Transfer").

    The score is minus the loss: the squared errors of the content and of the Gram matrices, each relative to the square
    of its target, so that weights mean the same for every network, and the total variation per pixel.
    """
    content, style = inputs["image"], inputs["style_image"]
    layers = parameters.style_layers
    (features,) = network.activations(content[None], [parameters.content_layer])
    grams = [gram(values) for values in network.activations(style[None], layers)]
    squares = [float((target.astype(np.float64) ** 2).sum()) for target in (features, *grams)]
    terms = [Term("content", parameters.content_layer), *(Term("style", layer) for layer in layers)]
    terms.append(Term("variation", network.model.manifest.input))
    wanted = [parameters.content_weight, *parameters.style_weights]
    weights = [weight / max(square, 1e-12) for weight, square in zip(wanted, squares, strict=True)]
    weights.append(parameters.variation / content[0].size)
    feeds = {"0.target": features} | {f"{i + 1}.target": target for i, target in enumerate(grams)}
    measure = measure_terms(network, terms, weights, feeds)

    def result(state: State, picture: Pixels) -> dict[str, JsonValue]:
        _, values, _ = network.measure(
            images.to_floats(picture)[None], tuple(terms), np.array([weights], np.float32), feeds
        )
        losses = -values[0].astype(np.float64) * np.array(weights)
        names = ["content", *(f"style {layer}" for layer in layers), "variation"]
        return seen(network, picture) | {
            "loss_at_start": -state.scores[0],
            "losses": dict(zip(names, losses.tolist(), strict=True)),
        }

    originals = {
        "original.png": images.encode_png(images.to_pixels(content)),
        "style.png": images.encode_png(images.to_pixels(style)),
    }
    return Plan(recipe_of(parameters, content), measure, result, lambda _state, _picture: originals)


def recipe_of(parameters: StyleParameters, content: Floats) -> Recipe:
    """Adam on the normalized pixels, clamped until shortly before the end. content: the photograph (3, H, W)."""
    iterations = parameters.iterations
    photo = NormalizedPhoto(
        content.astype(np.float64),
        clamp=CLAMP,
        clamp_steps=int(iterations * RELEASE),
        clip=False,
        noise=parameters.start == "noise",
    )
    drop = (int(iterations * SETTLE), parameters.learning_rate / 30)
    return Recipe(photo, [], Adam(parameters.learning_rate, drop=drop), iterations)
