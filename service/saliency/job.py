"""Saliency maps as jobs, for methods that take longer than a request may."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue

from service.attribution.method import Stepwise
from service.jobs.record import Job
from service.jobs.run import Advance, Conclusion, Run
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Photograph, decode_own
from service.pictures.images import Fitted, Resize
from service.pictures.npy import encode_npy
from service.saliency.explain import Explanation, Question, Style, draw, explain_stepwise, question_of
from service.saliency.intake import fit
from service.saliency.targets import Beside
from service.telemetry.timing import Stopwatch

KIND = "saliency"
# Pictures of a job beside the photograph: what the network sees, where its target is, and what it is compared with.
SEEN, REGION, OTHER = "seen", "region", "other"


class SaliencyJobParameters(BaseModel):
    """What the record of a saliency job keeps beside the class.

    Args:
        model: Name of the model.
        method: Name of the method.
        values: The parameters of the method by name, defaults filled in.
        resize: How the photograph is scaled for the network.
        other_class_id: A class whose score is subtracted.
        target: What is explained instead of a class.
        style: How the map is drawn.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    method: str
    values: dict[str, JsonValue]
    resize: Resize
    other_class_id: int | None
    target: str | None = None
    style: Style

    def question(self, network: Network, class_id: int | None) -> Question:
        """The question of the job. Raises `InvalidParameter` for classes and layers that the network does not have."""
        return question_of(network, self.method, self.values, class_id, self.other_class_id, self.target)


def run(network: Network, job: Job, inputs: Mapping[str, bytes]) -> Run:
    """The job as steps. An interrupted job starts again from the beginning; the same parameters give the same map."""
    parameters = SaliencyJobParameters.model_validate(job.parameters)
    photograph = Photograph.of(decode_own(inputs["image"]))
    fitted = _fitted(network, photograph, inputs, parameters.resize)
    question = parameters.question(network, job.class_id)
    explaining = Stepwise(explain_stepwise(network, photograph, fitted, question, _beside(inputs)))
    return Run(_advances(explaining, job.steps), [], lambda: _conclude(network, explaining.result, parameters.style))


def _fitted(network: Network, photograph: Photograph, inputs: Mapping[str, bytes], resize: Resize) -> Fitted:
    """What the network sees, as it was made from the photograph that was sent."""
    if SEEN not in inputs:  # jobs of version 0.1
        return fit(network, photograph, resize)
    manifest = network.model.manifest
    box = images.box_of(photograph, manifest.size, manifest.resize / min(manifest.size), resize)
    return Fitted(images.to_floats(decode_own(inputs[SEEN])), box, box)


def pictures_beside(beside: Beside) -> dict[str, bytes]:
    """What is sent along, as PNGs to be stored."""
    pictures = {}
    if beside.region is not None:
        pictures[REGION] = images.encode_grey(beside.region.astype(np.uint8) * 255)
    if beside.other is not None:
        pictures[OTHER] = images.encode_png(images.to_pixels(beside.other))
    return pictures


def _beside(inputs: Mapping[str, bytes]) -> Beside:
    """The inverse of `pictures_beside`."""
    region, other = (None if name not in inputs else decode_own(inputs[name]) for name in (REGION, OTHER))
    return Beside(
        None if region is None else region[..., 0] > 0,
        None if other is None else images.to_floats(other),
    )


def _advances(progress: Iterable[float], steps: int) -> Iterator[Advance]:
    """Translate fractions into step numbers; the last step is taken once the map is complete."""
    for done in progress:
        yield _at(int(done * (steps - 1)))
    yield _at(steps)


def _at(step: int) -> Advance:
    """Progress without a picture or a checkpoint."""
    return Advance(step, {"step": step}, preview=False, image=lambda: b"", checkpoint=lambda: b"")


def _conclude(network: Network, one: Explanation, style: Style) -> Conclusion:
    result: dict[str, JsonValue] = {
        **_explained(network, one),
        "score": one.score,
        "zero_gradient": one.is_empty,
        "notes": {**one.notes},
        "provider": network.provider,
        "model_sha256": network.model.sha256,
    }
    return Conclusion(draw(one, style, Stopwatch()), result, {"map.npy": encode_npy(one.saliency)})


def _explained(network: Network, one: Explanation) -> dict[str, JsonValue]:
    """The class that was explained, or what else."""
    if one.class_id is None:
        return {"class_id": None, "target": one.target, "value": one.value}
    return {
        "class_id": one.class_id,
        "name": network.model.manifest.labels[one.class_id],
        "probability": network.probability(one.probabilities[one.class_id]),
    }
