"""The factors of a layer: what its channels see together in photographs, where, and what it means for a class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.attribution import Floats, ValueAndGrad
from service.attribution.factors import Array, Factors, factorize
from service.attribution.method import Stepwise
from service.errors import InvalidParameter
from service.networks.network import Network
from service.networks.questions import PREDICTED
from service.pictures import images, tints
from service.pictures.decode import Photograph, Pixels
from service.pictures.images import Fitted
from service.runtime.demand import current
from service.saliency.effort import TINTED_OF_A_RUN

MAX_VALUES = 2**23  # activations that are factorized together
VALUES_OF_A_RUN = 180_000  # times factors, that are factorized in the time of a run
SEVERAL_SIDE = 512  # the longest side of each of several photographs in a picture, in pixels
SMALLEST_SIDE = 320  # of a photograph in a picture, in pixels


@dataclass(frozen=True)
class Portrayed:
    """The factors in one photograph.

    Attributes:
        photograph: The photograph as decoded.
        fitted: What the network saw of it.
        probabilities: What the network takes it for, (classes,).
        class_id: The class that the importances are about.
        score: The score of that class.
        strengths: How much of each factor there is at each place, (K, h, w).
        importances: What each factor adds to the score: gradient times activation, summed over the places, (K,).
        total: Gradient times activation of the whole layer.
    """

    photograph: Photograph
    fitted: Fitted
    probabilities: Floats
    class_id: int
    score: float
    strengths: Floats
    importances: Array
    total: float


@dataclass(frozen=True)
class Concepts:
    """The factors of a layer, the most important first.

    Attributes:
        layer: The name of the layer.
        directions: The channels of each factor, (K, C), of length 1.
        importances: The means over the photographs, (K,).
        relative_error: The norm of what the factors leave over, as a share of that of the activations above 0.
        negative: The share of the squared activations that lies below 0 and is left out.
        portrayed: The photographs.
    """

    layer: str
    directions: Array
    importances: Array
    relative_error: float
    negative: float
    portrayed: list[Portrayed]


def effort_of(network: Network, layer: str, factors: int, pictures: int) -> float:
    """The time that factorization and drawing take at most, in runs."""
    found = network.layer(layer)
    height, width = found.size or network.size
    values = min(pictures * found.channels * height * width, MAX_VALUES)
    return values * factors / VALUES_OF_A_RUN + pictures * SEVERAL_SIDE**2 / TINTED_OF_A_RUN


def find_concepts(
    network: Network, taken: Sequence[tuple[Photograph, Fitted]], layer: str, factors: int, class_id: int | None
) -> Concepts:
    """Factorize the activations of a layer at all places of all photographs together.

    Olah et al. 2018, "The Building Blocks of Interpretability", section "Making Things Human-Scale"; Collins et al.
    2018, "Deep Feature Factorization"; Fel et al. 2023, "CRAFT". Factors are sums of what is above 0. class_id: the
    predicted one of each photograph if None.

    Raises:
        InvalidParameter: There are more factors than places or channels, or too many activations.
    """
    found = _at_layer(network, taken, layer, class_id)
    values = np.concatenate([_rows(at.at.clip(min=0)) for at in found])
    if factors > (most := min(values.shape)):
        raise InvalidParameter(f"factors must be from 1 to {most} for {layer} and these photographs; it is {factors}")
    parts = _factorized(values, factors)
    strengths = np.split(parts.strengths, np.cumsum([at.at[0, 0].size for at in found])[:-1])
    added = np.stack(
        [
            (part * (_rows(at.gradients) @ parts.directions.T)).sum(axis=0)
            for part, at in zip(strengths, found, strict=True)
        ]
    )
    order = np.argsort(-added.mean(axis=0), kind="stable")
    portrayed = [
        _portrayed(network, one, at, part[:, order], importances[order])
        for one, at, part, importances in zip(taken, found, strengths, added, strict=True)
    ]
    mean = added.mean(axis=0)[order]
    return Concepts(layer, parts.directions[order], mean, parts.relative_error, _negative(found), portrayed)


def _at_layer(
    network: Network, taken: Sequence[tuple[Photograph, Fitted]], layer: str, class_id: int | None
) -> list[ValueAndGrad]:
    """Activations and gradients of each photograph at the layer."""
    wanted, found, size = np.array([PREDICTED if class_id is None else class_id]), [], 0
    for _, fitted in taken:
        found.append(network.value_and_grad(fitted.pixels[None], wanted, layer=layer))
        size += found[-1].at.size
        if size > MAX_VALUES:
            raise InvalidParameter(
                f"{layer} has more than {MAX_VALUES:,} activations for these photographs, too many to factorize; "
                "send fewer of them, or name a later layer"
            )
    return found


def _negative(found: Sequence[ValueAndGrad]) -> float:
    """The share of the squared activations that lies below 0."""
    below, whole = (
        sum(float(np.square(part, dtype=np.float64).sum()) for part in parts)
        for parts in ((at.at.clip(max=0) for at in found), (at.at for at in found))
    )
    return below / whole if whole else 0.0


def _factorized(values: Array, factors: int) -> Factors:
    steps = Stepwise(factorize(values, factors))
    for _ in steps:
        current().check()
    return steps.result


def _rows(values: Floats) -> Array:
    """The channels (h·w, C) at each place of values (1, C, h, w)."""
    rows: Array = values[0].reshape(values.shape[1], -1).T.astype(np.float64)
    return rows


def _portrayed(
    network: Network, one: tuple[Photograph, Fitted], at: ValueAndGrad, strengths: Array, importances: Array
) -> Portrayed:
    return Portrayed(
        *one,
        probabilities=network.probabilities(at.logits)[0],
        class_id=int(at.class_ids[0]),
        score=float(at.scores[0]),
        strengths=strengths.T.reshape(-1, *at.at.shape[2:]).astype(np.float32),
        importances=importances,
        total=float(np.vdot(at.gradients.astype(np.float64), at.at)),
    )


def draw(network: Network, found: Concepts, opacity: float, max_side: int) -> Pixels:
    """The photographs side by side, each with its factors over it, and below what they add to the score."""
    side = max_side if len(found.portrayed) == 1 else min(max_side, SEVERAL_SIDE)
    heights = [each.strengths.max(axis=(1, 2)) for each in found.portrayed]
    top = np.maximum(np.max(heights, axis=0), np.finfo(np.float32).tiny)
    overlays = [_overlay(each, top, opacity, side) for each in found.portrayed]
    height = max(len(overlay) for overlay in overlays)
    columns = []
    for one, overlay in zip(found.portrayed, overlays, strict=True):
        padded = tints.padded(overlay, height, tints.NARROWEST)
        title = f"{network.model.manifest.labels[one.class_id]}: {one.score:.2f}"
        columns.append(images.below(padded, tints.legend(title, one.importances.tolist(), padded.shape[1])))
    return images.beside(*columns)


def _overlay(one: Portrayed, top: Floats, opacity: float, side: int) -> Pixels:
    """A photograph and its factors. top: the strengths that count as 1, (K,)."""
    current().check()
    seen = tints.at_least(images.cut(one.photograph, one.fitted.box, side), min(side, SMALLEST_SIDE))
    maps = one.strengths / top[:, None, None]
    return tints.numbered(tints.tinted(seen, maps, tints.COLOURS[: len(maps)], opacity), maps)
