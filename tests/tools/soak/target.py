"""What clients in other processes know of the service; imports little, so that they start at once."""

import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INNOCENT, NEIGHBOUR = "innocent", "neighbour"
ABUSERS = [f"abuser{i}" for i in range(8)]
SPAWN = multiprocessing.get_context("spawn")

SMALL, STRIP, SCANS, FLAT, LARGE = "small.png", "strip.png", "scans.jpg", "flat.png", "large.jpg"
ASCENDING = range(300, 1800, 10)


def ascending(width: int) -> str:
    """The name of the picture of a width."""
    return f"wide-{width}.png"


@dataclass(frozen=True)
class Target:
    """keys: by name of the caller. folder: of the pictures that are sent, by the names above."""

    address: tuple[str, int]
    keys: Mapping[str, str]
    folder: Path

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.address)
