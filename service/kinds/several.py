"""Several pictures in one job that climb the same score and are kept from being alike."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from pydantic import JsonValue

from service.attribution import Floats
from service.kinds.grams import gram, unit
from service.kinds.plan import Measurement, Plan, seen
from service.networks.network import Network
from service.networks.questions import Term
from service.pictures import images
from service.pictures.decode import Pixels
from service.synthesis.ascent import Recipe, State
from service.synthesis.sheet import Each, Several, Sheet

MAX_SHEET = 2 * 512**2  # pixels of several pictures together


def diverse(network: Network, recipe: Recipe, layer: str, direction: Floats, sheet: Sheet, diversity: float) -> Plan:
    """A plan for the pictures of a sheet, each by the recipe. direction: the weights of the channels, (C,)."""

    def result(state: State, picture: Pixels) -> dict[str, JsonValue]:  # noqa: ARG001
        each = pictures_of(sheet, picture)
        found = np.stack([images.to_floats(one) for one in each])
        alike = _alike(_unit_grams(network, layer, found))
        mean = float(alike[~np.eye(sheet.number, dtype=bool)].mean())
        return {"pictures": [seen(network, one) for one in each], "similarity": mean}

    def artifacts(state: State, picture: Pixels) -> Mapping[str, bytes]:  # noqa: ARG001
        return {f"picture-{i + 1}.png": images.encode_png(one) for i, one in enumerate(pictures_of(sheet, picture))}

    measure = measure_diverse(network, layer, direction, sheet, diversity)
    return Plan(on_sheet(recipe, sheet), measure, result, artifacts)


def measure_diverse(
    network: Network, layer: str, direction: Floats, sheet: Sheet, diversity: float
) -> Callable[[Floats], Measurement]:
    """A function of a sheet (3, H, W) that measures all of its pictures.

    Olah et al. 2017, "Feature Visualization", section "Diversity"; Lucid, ``diversity``. The score is the sum over the
    pictures of the weighted mean of the channels, less ``diversity`` times the similarity of the picture to the others:
    the mean cosine of the Gram matrices of the layer. Similarities count in units of the mean size of the scores at
    this step, so that the weight means the same for every layer.
    """
    terms, number = (Term("direction", layer), Term("likeness", layer)), sheet.number
    directions = np.repeat(direction[None], number, axis=0)

    def measure(image: Floats) -> Measurement:
        pictures = sheet.split(image)
        (values,) = network.activations(pictures, [layer])
        grams = unit(gram(values))
        others = grams.sum(axis=0) - grams
        scale = diversity * float(np.abs(values.mean(axis=(2, 3)) @ direction).mean()) / (number - 1)
        weights = np.tile(np.array([1, -2 * scale], np.float32), (number, 1))  # each pair is one of both its pictures
        feeds = {"0.direction": directions, "1.target": others}
        _, found, gradients = network.measure(pictures, terms, weights, feeds)
        return Measurement(float((found[:, 0] - scale * found[:, 1]).sum()), sheet.join(gradients))

    return measure


def on_sheet(recipe: Recipe, sheet: Sheet) -> Recipe:
    """The recipe for each of the pictures of a sheet."""
    return replace(
        recipe,
        parametrization=Several(recipe.parametrization, sheet),
        transforms=[Each(transform, sheet) for transform in recipe.transforms],
    )


def pictures_of(sheet: Sheet, picture: Pixels) -> list[Pixels]:
    """The pictures of a finished sheet."""
    return [np.ascontiguousarray(one.transpose(1, 2, 0)) for one in sheet.split(picture.transpose(2, 0, 1))]


def _unit_grams(network: Network, layer: str, pictures: Floats) -> Floats:
    return unit(gram(network.activations(pictures, [layer])[0]))


def _alike(grams: Floats) -> Floats:
    """The cosines (N, N) of matrices (N, C, C) of length 1."""
    rows = grams.reshape(len(grams), -1)
    alike: Floats = rows @ rows.T
    return alike
