"""Saliency maps as jobs: for methods that take longer than a request should."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from service.jobs.record import Job
from service.jobs.worker import Advance, Conclusion, Run
from service.networks.network import Network
from service.pictures import images
from service.pictures.images import Photograph
from service.saliency.explain import Explanation, Style, draw, explain_stepwise, fit_all, question_of
from service.telemetry.timing import Stopwatch

KIND = "saliency"


def run(network: Network, job: Job, inputs: Mapping[str, bytes]) -> Run:
    """The job under way. A job that was interrupted begins anew: its parameters give the same map."""
    explanation: list[Explanation] = []
    steps = _advances(network, job, images.decode_own(inputs["image"]), explanation)
    return Run(steps, [], lambda: _conclude(network, job, explanation[0]))


def _advances(network: Network, job: Job, pixels: images.Pixels, explanation: list[Explanation]) -> Iterator[Advance]:
    parameters = job.parameters
    photograph = Photograph.of(pixels)
    (fitted,) = fit_all(network, [photograph], parameters["resize"], Stopwatch())
    question = question_of(
        network, parameters["method"], parameters["values"], job.class_id, parameters["other_class_id"]
    )
    for done in explain_stepwise(network, photograph, fitted, question, background=True):
        if isinstance(done, Explanation):
            explanation.append(done)
        step = job.steps if isinstance(done, Explanation) else int(done * (job.steps - 1))
        yield Advance(step, {"step": step}, preview=False, image=lambda: b"", checkpoint=lambda: b"")


def _conclude(network: Network, job: Job, one: Explanation) -> Conclusion:
    style = Style(**job.parameters["style"])
    raw = io.BytesIO()
    np.save(raw, one.saliency, allow_pickle=False)
    result: dict[str, Any] = {
        "class_id": one.class_id,
        "name": network.model.manifest.labels[one.class_id],
        "probability": float(one.probabilities[one.class_id]),
        "score": one.score,
        "zero_gradient": one.is_empty,
        "notes": one.notes,
        "provider": network.provider,
        "model_sha256": network.model.sha256,
    }
    return Conclusion(draw(one, style, Stopwatch()), result, {"map.npy": raw.getvalue()})
