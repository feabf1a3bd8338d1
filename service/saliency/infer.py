"""All that a network computes from pictures, as arrays by name."""

from collections.abc import Sequence
from math import prod

import numpy as np

from service.attribution import Floats
from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures.images import Fitted
from service.runtime.engine import Array

PROBABILITIES = "probabilities"
MOST_BYTES = 2**26  # of all outputs for the pictures of a request


def adds_probabilities(network: Network) -> bool:
    """Whether `infer` adds what the scores say of the classes: there are probabilities, and no output of that name."""
    return network.model.manifest.scores != "none" and PROBABILITIES not in network.facts.outputs


def infer(network: Network, pictures: Sequence[Fitted]) -> dict[str, Array]:
    """The outputs of the network by name, and the probabilities of the classes where there are any.

    Of several pictures each is (N, …).

    Raises `InvalidParameter` for pictures of different sizes, and for outputs that are too large together.
    """
    if len({one.pixels.shape for one in pictures}) > 1:
        raise InvalidParameter("the pictures are of different sizes; send one at a time, or use resize=squash or crop")
    images = pictures[0].pixels[None] if len(pictures) == 1 else np.stack([one.pixels for one in pictures])
    found = _outputs(network, images)
    mixed = [name for name, array in found.items() if len(array) != len(images)]
    if mixed and len(images) > 1:
        raise InvalidParameter(f"{mixed[0]} of {network.model.name} has no row for each picture; send one at a time")
    if adds_probabilities(network):
        found[PROBABILITIES] = network.probabilities(found[network.model.manifest.logits])
    return found


def _outputs(network: Network, images: Floats) -> dict[str, Array]:
    """Where sizes are open, the first picture tells how large the outputs are."""
    number, of_one = len(images), _bytes_of_one(network)
    if number == 1 or of_one is not None:
        _check_bytes(number, of_one or 0)
        return network.outputs(images)
    first = network.outputs(images[:1])
    _check_bytes(number, sum(array.nbytes for array in first.values()))
    rest = network.outputs(images[1:])
    return {name: np.concatenate([array, rest[name]]) for name, array in first.items()}


def _bytes_of_one(network: Network) -> int | None:
    """The size of all outputs for one picture, None if it is open."""
    found = 0
    for output in network.facts.outputs.values():
        sides = [side for side in output.shape[1:] if side is not None]
        if len(sides) < len(output.shape) - 1:
            return None
        found += prod(sides) * np.dtype(output.dtype).itemsize
    return found


def _check_bytes(number: int, of_one: int) -> None:
    if number > 1 and number * of_one > MOST_BYTES:
        raise InvalidParameter(
            f"the outputs of {number} pictures are {number * of_one:,} bytes, more than {MOST_BYTES:,}; send fewer"
        )
