"""A photograph in the manner of a painting."""

from typing import Any

import numpy as np

from service.attribution import Floats
from service.kinds.plan import Inputs, Parameters, Plan, kind, measure_terms, seen, to_pixels
from service.networks.network import Network
from service.networks.objectives import Term
from service.pictures import images
from service.pictures.images import Pixels
from service.synthesis.ascent import Recipe, State
from service.synthesis.optimizers import Adam
from service.synthesis.photographs import NormalizedPhoto

CLAMP = 1.5  # of normalized pixels, until shortly before the end
SETTLE = 0.9  # share of the steps after which the learning rate drops
RELEASE = 0.95  # share of the steps after which the clamp is off


@kind("style")
def transfer(network: Network, class_id: int | None, parameters: Parameters, inputs: Inputs) -> Plan:  # noqa: ARG001
    """The content of one picture in the style of another (Gatys et al. 2016; the losses and the schedule of CS231n, "Style Transfer").

    The score is minus the loss: the squared errors of the content and of the Gram matrices, each relative to the square of what they shall
    be, so that weights mean the same for every network, and the total variation per pixel.
    """
    content, style = inputs["image"], inputs["style_image"]
    layers: list[str] = parameters["style_layers"]
    (features,) = network.activations(content[None], [parameters["content_layer"]], background=True)
    grams = [gram(values) for values in network.activations(style[None], layers, background=True)]
    squares = [float((target.astype(np.float64) ** 2).sum()) for target in (features, *grams)]
    terms = [Term("content", parameters["content_layer"]), *(Term("style", layer) for layer in layers)]
    terms.append(Term("variation", network.model.manifest.input))
    wanted = [parameters["content_weight"], *parameters["style_weights"]]
    weights = [weight / max(square, 1e-12) for weight, square in zip(wanted, squares, strict=True)]
    weights.append(parameters["variation"] / content[0].size)
    feeds = {"0.target": features} | {f"{i + 1}.target": target for i, target in enumerate(grams)}
    measure = measure_terms(network, terms, weights, feeds)
    iterations = parameters["iterations"]
    drop = (int(iterations * SETTLE), parameters["learning_rate"] / 30)
    noise = parameters["start"] == "noise"
    photo = NormalizedPhoto(
        content.astype(np.float64), clamp=CLAMP, clamp_steps=int(iterations * RELEASE), clip=False, noise=noise
    )
    recipe = Recipe(photo, [], Adam(parameters["learning_rate"], drop=drop), iterations)

    def result(state: State, picture: Pixels) -> dict[str, Any]:
        _, values, _ = network.measure(_image(picture), tuple(terms), np.array([weights], np.float32), feeds)
        losses = -values[0].astype(np.float64) * np.array(weights)
        names = ["content", *(f"style {layer}" for layer in layers), "variation"]
        return seen(network, picture) | {
            "loss_at_start": -state.scores[0],
            "losses": dict(zip(names, losses.tolist(), strict=True)),
        }

    originals = {
        "original.png": images.encode_png(to_pixels(content)),
        "style.png": images.encode_png(to_pixels(style)),
    }
    return Plan(recipe, measure, result, lambda _state, _picture: originals)


def gram(values: Floats) -> Floats:
    """The Gram matrices (N, C, C) of activations (N, C, H, W), divided by C·H·W."""
    columns = values.reshape(*values.shape[:2], -1).astype(np.float64)
    found: Floats = (columns @ columns.transpose(0, 2, 1) / values[0].size).astype(np.float32)
    return found


def _image(picture: Pixels) -> Floats:
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
