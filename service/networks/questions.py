"""What is asked of a network, before there is a graph for it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.attribution import Floats

PREDICTED = -1  # as a class id: the class with the highest score
LEAST_COSINE = 0.1  # of a caricature: so that there is a way up from activations that are unlike

# Inputs and outputs that are appended to graphs, by names that no file has for values of its own.
CLASS_ID, CHOSEN, SCORE, D_SCORE = "asked/class_id", "asked/chosen", "asked/score", "d_asked/score"
WEIGHTS, TERMS = "asked/weights", "asked/terms"
REFERENCE = "asked/reference"  # what an image is compared with


@dataclass(frozen=True)
class Form:
    """What a graph is made for.

    Attributes:
        size: The size (height, width) of the images; None for any.
        rows: The number of images in each run; None for any.
        on_cpu: Whether a CPU runs it, whose blocked layout has rules of its own.
        in_float16: Whether gradients of class scores are computed in float16.
    """

    size: tuple[int, int] | None = None
    rows: int | None = None
    on_cpu: bool = True
    in_float16: bool = False


@dataclass(frozen=True)
class Quantity:
    """What a score is made of: a value of the graph, weighted and summed.

    Attributes:
        value: An output or a layer, (N, …).
        transform: What becomes of the value before: ``probability`` over its classes (the second axis), or what the
            weights select of it together, as ``log_odds`` against all others, or as the ``cosine`` of its angle to the
            weights. Scores of boxes ``match`` a detection, whose four corners and probabilities the weights are.
        boxes: The boxes that belong to such scores.
        wakes: Whether the values before a Relu are taken where all that is selected is 0, so that there is a gradient.
    """

    value: str
    transform: Literal["none", "probability", "log_odds", "cosine", "match"] = "none"
    boxes: str | None = None
    wakes: bool = False

    @property
    def values(self) -> list[str]:
        """All values of the graph that it needs."""
        return [self.value] if self.boxes is None else [self.value, self.boxes]


@dataclass(frozen=True, eq=False)
class Target:
    """A score other than that of a class: a quantity and its weights.

    Attributes:
        quantity: What is weighted.
        weights: Of the shape of the value for one image, without the axis of images; for ``match`` see there.
    """

    quantity: Quantity
    weights: Floats

    def rows(self, number: int) -> Floats:
        """The weights for so many images."""
        return np.broadcast_to(self.weights, (number, *self.weights.shape))


@dataclass(frozen=True)
class Term:
    """One term of an objective. Objectives are maximized, so losses are negative.

    The kinds, where ``<i>`` is the position of the term:

    - ``direction``: the weighted sum of the means of the channels of the layer, with the weights ``<i>.direction``,
      (N, C). Where the mean of a channel that is to grow and its gradient are 0 because of a Relu, the mean before the
      Relu is taken instead.
    - ``energy``: half the mean square of the layer (Mordvintsev et al. 2015, "Inceptionism").
    - ``content``: −Σ (F − T)², with the input ``<i>.target`` of the shape of the layer (Gatys et al. 2016, "Image Style
      Transfer", equation 1).
    - ``caricature``: the dot product F·T of the layer with the input ``<i>.target`` of its shape, times the power
      ``<i>.power``, (N,), of their cosine, which counts as `LEAST_COSINE` at least (Lucid, ``dot_compare``).
    - ``style``: −Σ (G − A)² with the Gram matrix G = F·Fᵀ / (C·H·W) and the input ``<i>.target``, (N, C, C) (equations
      3 and 4 there).
    - ``likeness``: Σ G·T with the Gram matrix G of the layer at length 1 and the input ``<i>.target``, (N, C, C): the
      cosine, if that has length 1 too (Lucid, ``diversity``).
    - ``variation``: −Σ of the squared differences of neighbouring pixels of the image (N, 3, H, W) (Johnson et al.
      2016, section 3.2).

    Attributes:
        kind: The kind of the term.
        layer: The name of the layer, or of the image.
    """

    kind: Literal["direction", "energy", "content", "caricature", "style", "likeness", "variation"]
    layer: str
