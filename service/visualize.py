"""From the parameters of a job to its picture: joins networks, synthesis and images; knows no HTTP."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from service import images
from service.attribution import Floats
from service.images import Pixels
from service.jobs.record import Job
from service.jobs.worker import Advance, Run
from service.network import Network, Networks
from service.synthesis.ascent import Recipe, State, Step, ascend, begin
from service.synthesis.presets import recipe

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Measurement:
    """What the network says of one image: see `service.synthesis.ascent.Measured`."""

    score: float
    gradient: Floats
    rank: int
    before_relu: bool


def rank_of(class_id: int, scores: Floats) -> int:
    """The place of the class among all by its score (classes,); 1 is the top."""
    return int((scores > scores[class_id]).sum()) + 1


def measure_class(network: Network, class_id: int) -> Callable[[Floats], Measurement]:
    """A function of an image (3, H, W) that measures it for the class."""
    wanted = np.array([class_id])

    def measure(image: Floats) -> Measurement:
        at = network.evaluate(image[None], wanted, background=True)
        return Measurement(
            score=float(at.scores[0]),
            gradient=at.gradients[0],
            rank=rank_of(class_id, at.logits[0]),
            before_relu=bool(at.before_relu[0]),
        )

    return measure


class Visualization:
    """The ascent for one class, from its start or from a checkpoint."""

    def __init__(self, network: Network, class_id: int, parameters: Parameters, checkpoint: bytes | None = None) -> None:
        self._network = network
        self._class_id = class_id
        self._preview_every = int(parameters["preview_every"])
        self._recipe = recipe_of(parameters)
        self.state = State.load(checkpoint) if checkpoint else begin(self._recipe, int(parameters["seed"]))

    def steps(self) -> Iterator[Step]:
        """The steps that are left."""
        return ascend(measure_class(self._network, self._class_id), self._recipe, self.state)

    def is_preview(self, index: int) -> bool:
        """Whether the step is shown: the first, every ``preview_every``-th and the last; none if that is 0."""
        every = self._preview_every
        return every > 0 and (index == 0 or (index + 1) % every == 0 or index + 1 == self._recipe.iterations)

    def picture(self) -> Pixels:
        """The image as it stands, uint8 (H, W, 3)."""
        return pixels(self._recipe.parametrization.image(self.state.z))

    def result(self) -> dict[str, Any]:
        """What the network sees in the picture."""
        image = self._recipe.parametrization.image(self.state.z).astype(np.float32)
        probabilities = softmax(self._network.classify(image[None]), axis=1)[0]
        predicted = int(probabilities.argmax())
        return {
            "predicted_class_id": predicted,
            "predicted_name": self._network.model.manifest.labels[predicted],
            "predicted_probability": float(probabilities[predicted]),
            "probability": float(probabilities[self._class_id]),
            "rank": rank_of(self._class_id, probabilities),
            "provider": self._network.provider,
            "model_sha256": self._network.model.sha256,
        }


def recipe_of(parameters: Parameters) -> Recipe:
    """The recipe that the complete parameters of a job describe."""
    names = ("size", "start", "iterations", "learning_rate", "l2_reg", "blur_every", "blur_sigma", "max_jitter")
    return recipe(parameters["preset"], **{name: parameters[name] for name in names})


def pixels(image: np.ndarray[Any, Any]) -> Pixels:
    """An image (3, H, W) in [0, 1] as uint8 (H, W, 3)."""
    return (image * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)


def runner(networks: Networks) -> Callable[[Job, bytes | None], Run]:
    """The function with which a worker runs visualization jobs."""

    def run(job: Job, checkpoint: bytes | None) -> Run:
        network = networks[job.parameters["model"]]
        visualization = Visualization(network, job.class_id, job.parameters, checkpoint)
        steps = _advances(visualization)
        conclude = lambda: (images.encode_png(visualization.picture()), visualization.result())  # noqa: E731
        return Run(steps, visualization.state.scores, conclude)

    return run


def _advances(visualization: Visualization) -> Iterator[Advance]:
    """The steps with what the record keeps of them."""
    state = visualization.state
    for step in visualization.steps():
        fields: dict[str, float] = {
            "step": state.step,
            "score": step.measured.score,
            "rank": step.measured.rank,
            "steps_before_relu": state.steps_before_relu,
            "restarts": state.restarts,
        }
        if state.first_at_rank_1 is not None:
            fields["first_at_rank_1"] = state.first_at_rank_1
        yield Advance(
            index=step.index,
            fields=fields,
            preview=visualization.is_preview(step.index),
            image=lambda: images.encode_png(visualization.picture()),
            checkpoint=state.save,
        )
