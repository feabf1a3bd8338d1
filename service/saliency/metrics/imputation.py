"""Noisy linear imputation: missing pixels filled in from their surroundings.

Rong et al. 2022, "A Consistent and Efficient Evaluation Strategy for Attribution Methods", section 4.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from service.attribution import Floats
from service.runtime.demand import current
from service.saliency.metrics.case import Array, Bools

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NOISE = 0.01  # standard deviation; 1 is from black to white
NEIGHBOURS = {
    (dy, dx): 1 / 6 if dy == 0 or dx == 0 else 1 / 12 for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)
}
DIRECT = 60_000  # unknowns up to which factors take little memory and time: all of a picture of 224 x 224
ACCURACY = 1e-4  # relative residual of larger systems: pixels are then wrong by a fraction of the noise
_OUTSIDE, _KNOWN = -2, -1


def filled_in(image: Floats, missing: Bools, rng: np.random.Generator) -> Floats:
    """The image (3, H, W) with missing pixels (H, W) set to the weighted mean of their neighbours, and a little noise.

    Neighbours that are missing too are unknowns of the same linear system. The noise keeps the network from seeing
    that something was filled in. Some pixels must not be missing.
    """
    full = image.copy()
    full[:, missing] = smooth(image, missing)[:, missing] + NOISE * rng.standard_normal((3, int(missing.sum())))
    return full


def smooth(image: npt.NDArray[np.floating], missing: Bools) -> Array:
    """`filled_in` without the noise.

    Large systems are solved step by step (conjugate gradients), beginning with the solution for half the resolution,
    so that memory grows with the number of pixels only.
    """
    from scipy.sparse import diags_array  # takes time and memory to be imported
    from scipy.sparse.linalg import cg, splu

    current().check()
    full = image.astype(np.float64)
    if not missing.any():
        return full
    matrix, known = _system(image, missing)
    if len(known) <= DIRECT:
        # The matrix is symmetric and diagonally dominant, so that pivots may stay on the diagonal.
        solver = splu(matrix.tocsc(), "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        full[:, missing] = solver.solve(known).T
        return full
    start = smooth(*_halved(full, missing)).repeat(2, axis=1).repeat(2, axis=2)[:, : len(missing), : missing.shape[1]]
    scale = diags_array(1 / matrix.diagonal())
    for channel, right in enumerate(known.T):
        full[channel, missing], _ = cg(matrix, right, start[channel, missing], rtol=ACCURACY, M=scale)
    return full


def _system(image: npt.NDArray[np.floating], missing: Bools) -> "tuple[csr_array, Array]":
    """The matrix of the unknowns, and what the known neighbours add up to for each, (n, 3)."""
    from scipy.sparse import csr_array

    rows, columns = np.nonzero(missing)
    number = len(rows)
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
    return csr_array((values, (i, j)), shape=(number, number)), known


def _halved(image: Array, missing: Bools) -> tuple[Array, Bools]:
    """The image at half its size, of pixels that are not missing; missing where four pixels are."""
    odd = [(0, side % 2) for side in missing.shape]
    seen = np.pad(~missing, odd)
    values = np.pad(image * ~missing, [(0, 0), *odd])
    height, width = seen.shape[0] // 2, seen.shape[1] // 2
    counts = seen.reshape(height, 2, width, 2).sum(axis=(1, 3))
    sums = values.reshape(3, height, 2, width, 2).sum(axis=(2, 4))
    return sums / np.maximum(counts, 1), counts == 0
