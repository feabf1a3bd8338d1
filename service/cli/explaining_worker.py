"""A process that explains photographs. What it needs is imported once it works: who starts it does without."""

import argparse
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from service.errors import ConvlensError
from service.folders.asked import Asked
from service.folders.index import Record
from service.folders.places import Output
from service.folders.run import Task
from service.folders.sources import BYTES_OF_A_PIXEL
from service.settings import Settings

if TYPE_CHECKING:
    from service.folders.explaining import Explainer
    from service.networks.network import Network

SIDE = 512  # the longest of an overlay, in pixels
_given: list[tuple[Settings, argparse.Namespace]] = []  # of a process: what it was started with


@dataclass(frozen=True)
class Found:
    """What is asked, and on which execution provider; or the problem with it."""

    asked: Asked | None = None
    provider: str = ""
    problem: str | None = None


def begin(settings: Settings, options: argparse.Namespace) -> None:
    """Get ready; the process ends with the one that started it."""
    from service.networks.trials import die_with_parent

    die_with_parent()
    # The model that is asked for counts as the default one, which is trusted: it is the caller's own.
    model = options.model or settings.default_model
    _given.append((settings.model_copy(update={"default_model": model, "threads": 1, "lanes": 1}), options))


def ask() -> Found:
    """What the options ask of the network."""
    try:
        return Found(_asked(), _network().provider)
    except ConvlensError as error:
        return Found(problem=str(error))


def explain(task: Task) -> list[Record]:
    """What becomes of a photograph."""
    return _explainer().records(task)


@cache
def _network() -> "Network":
    from service.networks.opening import open_networks

    settings, _ = _given[0]
    return open_networks(settings)[settings.default_model]


@cache
def _explainer() -> "Explainer":
    from service.folders.explaining import Explainer

    settings, options = _given[0]
    max_bytes = settings.max_pixels * BYTES_OF_A_PIXEL
    return Explainer(_network(), _asked(), Output(options.out), settings.max_pixels, max_bytes)


@cache
def _asked() -> Asked:
    """Raises `ConvlensError` for what cannot be asked."""
    from service.attribution import METHODS
    from service.cli.method_values import values_of
    from service.folders.explaining import check

    _, options = _given[0]
    network = _network()
    known = {name: method.parameters.model_fields for name, method in METHODS.items()}
    asked = Asked(
        model=network.model.name,
        model_sha256=network.model.sha256,
        methods=values_of(options.set, options.methods, known),
        class_id=_class_id(network, options.class_name) if options.class_name else None,
        target=options.target,
        resize=options.resize,
        decode=options.decode,
        formats=tuple(options.formats),
        side=options.side or SIDE,
    )
    check(network, asked)
    return asked


def _class_id(network: "Network", query: str) -> int:
    """The class of that id or name."""
    from service.cli.drawing import chosen_class

    return chosen_class(query, list(enumerate(network.model.manifest.labels)))
