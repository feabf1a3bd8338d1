"""What requests cost, before they are worked on: runs of a network times the pixels of each."""

from collections.abc import Callable, Iterable

from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures.images import MAX_ELONGATION, Resize

PIXELS_OF_A_RUN = 2_500_000  # that are drawn in the time of a run
TINTED_OF_A_RUN = 150_000  # pixels that maps are laid over in the time of a run

RunsNeeded = Callable[[int, int], int]  # of a picture, by height and width


def one_run(_height: int, _width: int) -> int:
    """What it takes to run the network once."""
    return 1


def effort(network: Network, runs: RunsNeeded, sizes: Iterable[tuple[int, int]]) -> float:
    """The cost for pictures of these sizes, (height, width), in runs of a picture of the network's own size."""
    own = network.size[0] * network.size[1]
    return sum(runs(height, width) * height * width / own for height, width in sizes)


def greatest_effort(network: Network, runs: RunsNeeded, pictures: int, resize: Resize) -> float:
    """The cost for so many pictures that have not been decoded, at most."""
    return pictures * effort(network, runs, [greatest_size(network, resize)])


def greatest_size(network: Network, resize: Resize) -> tuple[int, int]:
    """Height and width, at most, of what a network sees of a picture that has not been decoded."""
    height, width = network.size
    return height, MAX_ELONGATION * height if resize == "native" else width


def check_effort(needed: float, most: int, advice: str) -> None:
    """Raise `InvalidParameter`, with the advice, for what would keep other requests waiting for long."""
    if needed > most:
        raise InvalidParameter(
            f"this takes as long as {needed:.0f} runs of the network, a request may take {most}; {advice}"
        )
