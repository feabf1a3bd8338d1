"""Maps that know nothing of the network: what a metric says of them tells what its numbers mean."""

from collections.abc import Callable

import numpy as np

from service.attribution import Floats
from service.networks.network import Network
from service.saliency.metrics.metric import Candidate

BASELINES = ("random", "edges")


def baseline_maps(image: Floats) -> dict[str, Candidate]:
    """The baselines of an image (3, H, W): ``random``, drawn anew each time, and ``edges``."""
    rng = np.random.default_rng(0)

    def drawn(_: Callable[[], Network], image: Floats, class_id: int) -> Floats:  # noqa: ARG001
        return rng.random(image.shape[1:]).astype(np.float32)

    def found(_: Callable[[], Network], image: Floats, class_id: int) -> Floats:  # noqa: ARG001
        return edges(image)

    made = {name: function(_no_network, image, 0) for name, function in (("random", drawn), ("edges", found))}
    return {
        name: Candidate(map_, map_, again) for (name, map_), again in zip(made.items(), (drawn, found), strict=True)
    }


def edges(image: Floats) -> Floats:
    """The strength of the edges (H, W): a baseline that does not depend on the network."""
    from scipy.ndimage import sobel  # takes time and memory to be imported

    grey = image.mean(axis=0)
    strength: Floats = np.hypot(sobel(grey, 0), sobel(grey, 1))
    return strength


def _no_network() -> Network:
    raise AssertionError("baselines do not look at a network")
