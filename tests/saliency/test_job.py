"""Saliency maps as jobs: what they report step by step, and the map at the end."""

import io
from typing import Any

import numpy as np
import pytest

from service.jobs.record import Job, State
from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import encode_png
from service.saliency import job as saliency_job
from service.saliency.explain import explain
from service.saliency.intake import fit
from service.saliency.job import SaliencyJobParameters
from service.telemetry.timing import Stopwatch


def record(method: str, steps: int, **values: Any) -> Job:
    """A record as `POST /saliency` with mode=job makes it."""
    style = {"output": "heatmap", "colormap": "inferno", "opacity": 0.5, "smoothing": 0.0, "max_side": 224}
    parameters = {
        "model": "squeezenet1_1",
        "method": method,
        "values": values,
        "resize": "squash",
        "other_class_id": None,
        "style": style,
    }
    return Job(
        id="a",
        seq=1,
        kind=saliency_job.KIND,
        class_id=281,
        parameters=parameters,
        state=State.RUNNING,
        times={State.RUNNING: 0.0},
        steps=steps,
    )


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (record("rise", 41, masks=40), [16, 32, 40, 41]),  # fractions 0.4, 0.8 and 1 of 40 steps, and the last one
        (record("gradient", 1), [1]),  # a method without progress
    ],
    ids=["rise", "gradient"],
)
def test_a_job_reports_its_steps_and_ends_in_the_map(
    network: Network, cat: bytes, job: Job, expected: list[int]
) -> None:
    photograph = decode(cat, 10**7)
    run = saliency_job.run(network, job, {"image": encode_png(photograph.pixels)})
    steps = list(run.steps)
    assert [step.index for step in steps] == expected
    assert [step.fields for step in steps] == [{"step": number} for number in expected]
    assert not any(step.preview for step in steps)
    made = run.conclude()
    fitted = fit(network, photograph, "squash")
    question = SaliencyJobParameters.model_validate(job.parameters).question(network, 281)
    one = explain(network, photograph, fitted, question, Stopwatch())
    np.testing.assert_array_equal(np.load(io.BytesIO(made.artifacts["map.npy"])), one.saliency)
    assert (made.result["class_id"], made.result["score"]) == (281, pytest.approx(one.score))
