"""How far a saliency map can be trusted: deletion, insertion, completeness, and the randomization of weights."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from service.attribution import METHODS, Attribution, Floats
from service.attribution.baselines import baseline
from service.attribution.method import CHUNK
from service.networks.network import Network
from service.networks.questions import PREDICTED
from service.saliency.explain import Question, View

SESSION_RUNS = 50  # creating the sessions of a randomized network takes about as long as this many runs


@dataclass(frozen=True)
class Curves:
    """The probability of the class while pixels are removed or restored, the hottest first.

    Petsiuk et al. 2018, "RISE", section 4.1. A small area under the curve is good for deletion, a large one for
    insertion.

    Attributes:
        fractions: The fraction of the pixels that was changed, (points + 1,).
        deletion: The probabilities while pixels are removed, (points + 1,).
        insertion: The probabilities while pixels are restored, (points + 1,).
    """

    fractions: Floats
    deletion: Floats
    insertion: Floats

    @property
    def deletion_area(self) -> float:
        """The area under the deletion curve."""
        return float(np.trapezoid(self.deletion, self.fractions))

    @property
    def insertion_area(self) -> float:
        """The area under the insertion curve."""
        return float(np.trapezoid(self.insertion, self.fractions))


@dataclass(frozen=True)
class Stage:
    """A stage of the randomization.

    Attributes:
        layers: How many of the last layers are random.
        first: The name of the first of these.
        similarity: The rank correlation with the original map.
    """

    layers: int
    first: str
    similarity: float


@dataclass(frozen=True)
class Evaluated:
    """The result of an evaluation.

    Attributes:
        class_id: The class that was explained.
        curves: The curves of the method, and of ``random`` and ``edges`` for comparison.
        map_sum: The sum of the map.
        score_difference: The score of the image minus that of a black one; a complete map sums up to it.
        stages: The stages of the randomization.
        notes: What the method itself reports.
    """

    class_id: int
    curves: dict[str, Curves]
    map_sum: float
    score_difference: float
    stages: list[Stage]
    notes: dict[str, float]


def evaluate(network: Network, image: Floats, question: Question, points: int, stages: int) -> Evaluated:
    """Evaluate the method of the question on an image (3, H, W) in [0, 1]."""
    attribution = _attribute(network, image, question)
    view = View(network, question.other_class_id)
    class_id = int(attribution.at.class_ids[0])
    shown = np.abs(attribution.map) if METHODS[question.method].sign == "absolute" else attribution.map
    maps = {
        question.method: shown,
        "random": np.random.default_rng(0).random(shown.shape).astype(np.float32),
        "edges": edges(image),
    }
    black = view.of(view.logits(np.zeros_like(image)[None]), class_id)[0]
    whole = view.of(attribution.at.logits, class_id)[0]
    return Evaluated(
        class_id=class_id,
        curves={name: curves(network, image, heat, class_id, points) for name, heat in maps.items()},
        map_sum=float(attribution.map.sum()),
        score_difference=float(whole - black),
        stages=randomization(network, image, question, class_id, attribution.map, stages),
        notes=attribution.notes,
    )


def runs_needed(question: Question, height: int, width: int, points: int, stages: int) -> int:
    """The cost of `evaluate` in runs of the network, like `Parameters.runs_needed` for a single map.

    Creating sessions for the randomized networks is included, converted to runs.
    """
    each = question.runs_needed(height, width)
    curve_runs = 3 * 2 * (points + 1)  # of three maps, each with deletion and insertion
    return each + curve_runs + stages * (each + SESSION_RUNS) + 1


def edges(image: Floats) -> Floats:
    """The strength of the edges (H, W): a baseline that does not depend on the network."""
    from scipy.ndimage import sobel  # takes time and memory to be imported

    grey = image.mean(axis=0)
    strength: Floats = np.hypot(sobel(grey, 0), sobel(grey, 1))
    return strength


def curves(network: Network, image: Floats, heat: Floats, class_id: int, points: int) -> Curves:
    """The curves of a map: deletion replaces pixels by black, insertion restores them in the blurred image."""
    order = np.argsort(-heat, axis=None, kind="stable")
    counts = np.linspace(0, heat.size, points + 1).round().astype(int)
    rank = np.empty(heat.shape, np.int64)
    rank.flat[order] = np.arange(heat.size)
    removed = _probabilities(network, (np.where(rank < n, np.float32(0), image) for n in counts), class_id)
    blurred = baseline(image, "blur")
    added = _probabilities(network, (np.where(rank < n, image, blurred) for n in counts), class_id)
    return Curves((counts / heat.size).astype(np.float32), removed, added)


def _probabilities(network: Network, pictures: Iterator[Floats], class_id: int) -> Floats:
    """The probability of the class for each picture."""
    found: list[Floats] = []
    chunk: list[Floats] = []
    for picture in pictures:
        chunk.append(picture)
        if len(chunk) == CHUNK:
            found.append(network.probabilities(network.classify(np.stack(chunk)))[:, class_id])
            chunk = []
    if chunk:
        found.append(network.probabilities(network.classify(np.stack(chunk)))[:, class_id])
    return np.concatenate(found)


def randomization(
    network: Network, image: Floats, question: Question, class_id: int, original: Floats, stages: int
) -> list[Stage]:
    """How similar the map stays while more and more of the last layers are given random weights.

    Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3: cascading randomization, Spearman's rank
    correlation of absolute values. A map that does not change does not depend on what the network has learned.
    """
    from scipy.stats import spearmanr  # takes time and memory to be imported

    from service.graphs.randomization import randomized, weighted_nodes

    names = weighted_nodes(network.model.proto)
    found = []
    for k in range(1, stages + 1):
        layers = max(1, round(len(names) * k / stages))
        random = network.with_weights(randomized(network.model.proto, names[-layers:]))
        asked = Question(question.method, question.parameters, class_id, question.other_class_id)
        other = _attribute(random, image, asked).map
        similarity = (
            float(spearmanr(np.abs(original), np.abs(other), axis=None).statistic)
            if other.any() and original.any()
            else 0.0
        )
        found.append(Stage(layers, names[-layers], similarity))
    return found


def _attribute(network: Network, image: Floats, question: Question) -> Attribution:
    view = View(network, question.other_class_id)
    class_id = PREDICTED if question.class_id is None else question.class_id
    return METHODS[question.method].run(view, image, class_id, question.parameters)
