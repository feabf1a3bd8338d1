"""Explaining photographs with the networks of this machine."""

import time
from collections.abc import Iterator

from service.errors import InvalidParameter
from service.folders.asked import Asked
from service.folders.failures import failures
from service.folders.index import Record
from service.folders.places import Output, Unwritable, place
from service.folders.run import Task
from service.folders.sources import read
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Photograph
from service.pictures.images import Fitted
from service.pictures.npy import encode_npy
from service.pictures.turns import Turn
from service.saliency.explain import OVERLAY_SMOOTHING, Question, Style, draw, explain, question_of
from service.saliency.intake import Intake, read_and_fit_one
from service.saliency.telling import told
from service.telemetry.timing import Stopwatch


class Explainer:
    """Explains photographs one at a time and writes the files.

    Args:
        network: The network.
        asked: What is asked of each photograph.
        output: Where files are written.
        max_pixels: The largest photograph.
        max_bytes: The largest file.

    Raises:
        InvalidParameter: The network cannot be asked that; see `check`.
    """

    def __init__(self, network: Network, asked: Asked, output: Output, max_pixels: int, max_bytes: int) -> None:
        self._network = network
        self._asked = asked
        self._output = output
        self._max_bytes = max_bytes
        self._intake = Intake(asked.resize, asked.decode, max_pixels, asked.side)
        self._style = Style("overlay", "inferno", 0.9, OVERLAY_SMOOTHING, asked.side)
        self._questions = check(network, asked)

    def records(self, task: Task) -> list[Record]:
        """What becomes of a photograph, by method. Raises `Unwritable` only."""
        try:
            return list(self._explained(task))
        except Unwritable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one is told, and the others go on
            return failures(task.name, task.methods, error)

    def _explained(self, task: Task) -> Iterator[Record]:
        since = time.perf_counter()
        data = task.content if isinstance(task.content, bytes) else read(task.content, self._max_bytes)
        with Turn() as turn:
            photograph, fitted = read_and_fit_one(self._network, data, self._intake, Stopwatch(), turn)
            photograph, fitted = images.reduced(photograph, fitted, self._asked.side)
        for method in task.methods:
            try:
                record = self._one(task.name, method, photograph, fitted)
            except Unwritable:
                raise
            except Exception as error:  # noqa: BLE001 - as above; other methods may still work
                yield from failures(task.name, [method], error)
            else:
                yield {**record, "seconds": round(time.perf_counter() - since, 4)}
            since = time.perf_counter()

    def _one(self, name: str, method: str, photograph: Photograph, fitted: Fitted) -> Record:
        one = explain(self._network, photograph, fitted, self._questions[method], Stopwatch())
        where = f"{method}/{place(name)}"
        formats = self._asked.formats
        return {
            "item": name,
            "method": method,
            **told(self._network, one),
            "map": self._output.write(f"maps/{where}.npy", encode_npy(one.saliency)) if "npy" in formats else None,
            "overlay": self._output.write(f"overlays/{where}.png", draw(one, self._style, Stopwatch()))
            if "png" in formats
            else None,
            "metrics": {},
        }


def check(network: Network, asked: Asked) -> dict[str, Question]:
    """The questions to the network by method. Raises `InvalidParameter` for what it cannot be asked."""
    return {method: _question(network, asked, method) for method in asked.methods}


def _question(network: Network, asked: Asked, method: str) -> Question:
    try:
        return question_of(network, method, dict(asked.methods[method]), asked.class_id, None, asked.target)
    except ValueError as error:
        raise InvalidParameter(str(error)) from None
