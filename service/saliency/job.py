"""Saliency maps as jobs, for methods that take longer than a request may."""

from collections.abc import Iterable, Iterator, Mapping

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
from service.telemetry.timing import Stopwatch

KIND = "saliency"
SEEN = "seen"  # the name of the picture that the network sees


class SaliencyJobParameters(BaseModel):
    """What the record of a saliency job keeps beside the class.

    Args:
        model: Name of the model.
        method: Name of the method.
        values: The parameters of the method by name, defaults filled in.
        resize: How the photograph is scaled for the network.
        other_class_id: A class whose score is subtracted.
        style: How the map is drawn.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    method: str
    values: dict[str, JsonValue]
    resize: Resize
    other_class_id: int | None
    style: Style

    def question(self, network: Network, class_id: int | None) -> Question:
        """The question of the job. Raises `InvalidParameter` for classes and layers that the network does not have."""
        return question_of(network, self.method, self.values, class_id, self.other_class_id)


def run(network: Network, job: Job, inputs: Mapping[str, bytes]) -> Run:
    """The job as steps. An interrupted job starts again from the beginning; the same parameters give the same map."""
    parameters = SaliencyJobParameters.model_validate(job.parameters)
    photograph = Photograph.of(decode_own(inputs["image"]))
    fitted = _fitted(network, photograph, inputs, parameters.resize)
    question = parameters.question(network, job.class_id)
    explaining = Stepwise(explain_stepwise(network, photograph, fitted, question))
    return Run(_advances(explaining, job.steps), [], lambda: _conclude(network, explaining.result, parameters.style))


def _fitted(network: Network, photograph: Photograph, inputs: Mapping[str, bytes], resize: Resize) -> Fitted:
    """What the network sees, as it was made from the photograph that was sent."""
    if SEEN not in inputs:  # jobs of version 0.1
        return fit(network, photograph, resize)
    manifest = network.model.manifest
    box = images.box_of(photograph, manifest.size, manifest.resize / min(manifest.size), resize)
    return Fitted(images.to_floats(decode_own(inputs[SEEN])), box, box)


def _advances(progress: Iterable[float], steps: int) -> Iterator[Advance]:
    """Translate fractions into step numbers; the last step is taken once the map is complete."""
    for done in progress:
        yield _at(int(done * (steps - 1)))
    yield _at(steps)


def _at(step: int) -> Advance:
    """Progress without a picture or a checkpoint."""
    return Advance(step, {"step": step}, preview=False, image=lambda: b"", checkpoint=lambda: b"")


def _conclude(network: Network, one: Explanation, style: Style) -> Conclusion:
    assert one.class_id is not None, "jobs explain classes"
    result: dict[str, JsonValue] = {
        "class_id": one.class_id,
        "name": network.model.manifest.labels[one.class_id],
        "probability": network.probability(one.probabilities[one.class_id]),
        "score": one.score,
        "zero_gradient": one.is_empty,
        "notes": {**one.notes},
        "provider": network.provider,
        "model_sha256": network.model.sha256,
    }
    return Conclusion(draw(one, style, Stopwatch()), result, {"map.npy": encode_npy(one.saliency)})
