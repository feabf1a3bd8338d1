"""One picture of a batch: its lines of the index, and its files."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.batches.parameters import BatchParameters
from service.batches.results import Line
from service.errors import Abandoned, TryLater
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Photograph
from service.pictures.images import Fitted
from service.pictures.npy import encode_npy
from service.pictures.turns import Turn
from service.runtime.demand import current
from service.saliency.evaluation import candidate_of
from service.saliency.explain import Explanation, Question, draw, explain
from service.saliency.intake import Intake, read_and_fit_one
from service.saliency.metrics import Amounts, Case, measure
from service.saliency.targets import NOTHING, resolve
from service.saliency.telling import told
from service.telemetry.timing import Stopwatch

Problem = dict[str, Any]  # status, title and detail
ProblemOf = Callable[[Exception], Problem]


@dataclass(frozen=True)
class Explainer:
    """Explains pictures in the ways that a batch asks for. problem_of: what an index tells of an error."""

    network: Network
    parameters: BatchParameters
    questions: list[Question]
    intake: Intake
    problem_of: ProblemOf

    def explain(self, number: int, item: str, data: bytes) -> tuple[list[Line], dict[str, bytes]]:
        """The lines of a picture, one for each method, and its files by name.

        Raises `Abandoned` or `TryLater`, and for a picture that cannot be read; what fails for a method is in its line.
        """
        photograph, fitted = self._read(data)
        lines, files = [], {}
        for question in self.questions:
            start = {"item": item, "number": number, "method": question.method}
            try:
                line, made = self._one(item, photograph, fitted, question)
            except (Abandoned, TryLater):
                raise
            except Exception as error:  # noqa: BLE001 - other methods go on, and the problem tells
                lines.append({**start, "error": self.problem_of(error)})
            else:
                lines.append({**start, **line})
                files.update(made)
        return lines, files

    def _read(self, data: bytes) -> tuple[Photograph, Fitted]:
        """A photograph, no larger than drawing needs, and what the network sees of it."""
        style = self.parameters.style
        with Turn(current().check) as turn:
            photograph, fitted = read_and_fit_one(self.network, data, self.intake, Stopwatch(), turn)
            if style is not None:
                return images.reduced(photograph, fitted, style.max_side)
            return Photograph(photograph.image.crop((0, 0, 1, 1)), photograph.size), fitted  # it is not drawn on

    def _one(
        self, item: str, photograph: Photograph, fitted: Fitted, question: Question
    ) -> tuple[Line, dict[str, bytes]]:
        started = time.perf_counter()
        found = explain(self.network, photograph, fitted, question, Stopwatch())
        metrics = self._measured(fitted, question, found)
        seconds = time.perf_counter() - started
        files = {f"maps/{question.method}/{item}.npy": encode_npy(found.saliency.astype(self.parameters.dtype))}
        if self.parameters.style is not None:
            files[f"overlays/{question.method}/{item}.png"] = draw(found, self.parameters.style, Stopwatch())
        return {**told(self.network, found), **_places(files), "metrics": metrics, "seconds": round(seconds, 4)}, files

    def _measured(self, fitted: Fitted, question: Question, found: Explanation) -> dict[str, float | None]:
        if not self.parameters.metrics:
            return {}
        image, wanted = fitted.pixels, question.target
        target = None if wanted is None else resolve(self.network, image, wanted, NOTHING)
        case = Case(self.network, image, found.class_id or 0, question.other_class_id, Amounts(), None, target)
        candidates = {question.method: candidate_of(question, found.saliency, target)}
        measured = measure(case, candidates, self.parameters.metrics)
        return {name: values[question.method].value for name, values in measured.items()}


def _places(files: dict[str, bytes]) -> dict[str, str | None]:
    """The names of the files, as lines of an index hold them."""
    return {kind: next((name for name in files if name.startswith(f"{kind}s/")), None) for kind in ("map", "overlay")}


def failed(number: int, item: str, questions: list[str], problem: Problem) -> list[Line]:
    """The lines of a picture that has failed for all methods."""
    return [{"item": item, "number": number, "method": method, "error": problem} for method in questions]
