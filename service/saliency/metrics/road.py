"""ROAD: what is removed is filled in from its surroundings, so that the holes themselves say nothing."""

from collections.abc import Iterator, Sequence

import numpy as np

from service.attribution import Floats
from service.runtime.demand import current
from service.saliency.metrics.case import Amounts, Bools, Case
from service.saliency.metrics.curves import ranked
from service.saliency.metrics.metric import Candidate, Measured, metric

PAPER = "Rong et al. 2022, A Consistent and Efficient Evaluation Strategy for Attribution Methods, section 4"
FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
NOISE = 0.01  # standard deviation; 1 is from black to white
FILLING_RUNS = 20  # solving one of the systems takes about as long as this many runs
NEIGHBOURS = {
    (dy, dx): 1 / 6 if dy == 0 or dx == 0 else 1 / 12 for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)
}
_OUTSIDE, _KNOWN = -2, -1


def _filled(maps: Sequence[int], amounts: Amounts) -> int:  # noqa: ARG001 - all costs have one signature
    return len(maps) * len(FRACTIONS) * (1 + FILLING_RUNS)


@metric("road_most_relevant", PAPER, "smaller", _filled)
def road_most_relevant(case: Case, candidate: Candidate) -> Measured:
    """The mean probability of the class when 10 to 90 % of the pixels are filled in from the others, hottest first.

    Tells the same as deletion, without black holes that give themselves away. Large areas are filled in with a
    blur, and a network may still recognize what their outline leaves.
    """
    return _road(case, candidate.heat)


@metric("road_least_relevant", PAPER, "larger", _filled)
def road_least_relevant(case: Case, candidate: Candidate) -> Measured:
    """The mean probability of the class when 10 to 90 % of the pixels are filled in from the others, coldest first.

    Tells the same as deletion, without black holes that give themselves away. Large areas are filled in with a
    blur, and a network may still recognize what their outline leaves.
    """
    return _road(case, -candidate.heat)


def _road(case: Case, heat: Floats) -> Measured:
    found = case.probabilities(_pictures(case.image, heat))
    return Measured(float(found.mean()), FRACTIONS, tuple(found.tolist()))


def _pictures(image: Floats, heat: Floats) -> Iterator[Floats]:
    rank, rng = ranked(heat), np.random.default_rng(0)
    for fraction in FRACTIONS:
        current().check()
        yield filled_in(image, rank < round(fraction * heat.size), rng)


def filled_in(image: Floats, missing: Bools, rng: np.random.Generator) -> Floats:
    """The image (3, H, W) with missing pixels (H, W) set to the weighted mean of their neighbours, and a little noise.

    Neighbours that are missing too are unknowns of the same linear system. The noise keeps the network from seeing
    that something was filled in. Some pixels must not be missing.
    """
    from scipy.sparse import csc_array  # takes time and memory to be imported
    from scipy.sparse.linalg import splu

    rows, columns = np.nonzero(missing)
    number = len(rows)
    if not number:
        return image
    places = np.full((missing.shape[0] + 2, missing.shape[1] + 2), _OUTSIDE)
    places[1:-1, 1:-1] = _KNOWN
    places[1:-1, 1:-1][missing] = np.arange(number)
    own, known = np.zeros(number), np.zeros((number, 3))
    entries = []
    for (dy, dx), weight in NEIGHBOURS.items():
        at = places[rows + 1 + dy, columns + 1 + dx]
        own += weight * (at != _OUTSIDE)
        there, unknown = np.flatnonzero(at == _KNOWN), np.flatnonzero(at >= 0)
        known[there] += weight * image[:, rows[there] + dy, columns[there] + dx].T
        entries.append((np.full(len(unknown), -weight), unknown, at[unknown]))
    entries.append((own, np.arange(number), np.arange(number)))
    values, i, j = (np.concatenate(part) for part in zip(*entries, strict=True))
    matrix = csc_array((values, (i, j)), shape=(number, number))
    # The matrix is symmetric and diagonally dominant, so that pivots may stay on the diagonal.
    solver = splu(matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    full = image.copy()
    full[:, missing] = solver.solve(known).T + NOISE * rng.standard_normal((3, number))
    return full
