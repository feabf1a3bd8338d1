"""From a job to its picture. Joins networks, kinds, synthesis and pictures; knows nothing of HTTP."""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from service.attribution import Floats
from service.jobs.record import CHUNK, Job
from service.jobs.run import Advance, Conclusion, Run, Runner
from service.kinds import KINDS, Inputs, JobParameters, plan
from service.models.manifest import LUMA
from service.networks.catalog import Networks
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Pixels, decode_own
from service.saliency import job as saliency_job
from service.synthesis.ascent import State, Step, ascend, begin

logger = logging.getLogger(__name__)


class Visualization:
    """The ascent of one job, from its start or from a checkpoint.

    Args:
        network: What is climbed.
        parameters: Completed ones.
        inputs: The pictures that the kind needs.
        checkpoint: The state from which the ascent goes on; see `State.save`.
    """

    def __init__(
        self,
        network: Network,
        parameters: JobParameters,
        inputs: Inputs | None = None,
        checkpoint: bytes | None = None,
    ) -> None:
        assert parameters.seed is not None, "the parameters are not completed"
        self.seed = parameters.seed
        self._plan = plan(network, parameters, inputs or {})
        self._preview_every = parameters.preview_every
        self._is_grey = network.model.manifest.preprocessing.channels == "L"
        self.state = _resumed(checkpoint) or begin(self._plan.recipe, self.seed)

    def steps(self) -> Iterator[Step]:
        """The steps that remain."""
        return ascend(self._plan.measure, self._plan.recipe, self.state)

    def is_preview(self, index: int) -> bool:
        """Whether the step is shown: the first, every ``preview_every``-th and the last; none if that is 0."""
        every = self._preview_every
        return every > 0 and (index == 0 or (index + 1) % every == 0 or index + 1 == self._plan.recipe.iterations)

    def picture(self) -> Pixels:
        """The image as it stands, uint8 (H, W, 3)."""
        image = self._plan.recipe.parametrization.image(self.state.z)
        return images.to_pixels(grey(image) if self._is_grey else image)

    def conclude(self) -> Conclusion:
        """The picture, what the network sees in it, and what is made beside it."""
        picture = self.picture()
        return Conclusion(
            images.encode_png(picture),
            self._plan.result(self.state, picture),
            self._plan.artifacts(self.state, picture),
        )


def _resumed(checkpoint: bytes | None) -> State | None:
    """The state of a checkpoint; None if there is none, or if it is garbled: the seed leads to the same picture."""
    if not checkpoint:
        return None
    try:
        return State.load(checkpoint)
    except Exception:
        logger.exception("the checkpoint of a job cannot be read; it begins anew")
        return None


def runner(networks: Networks, chunks: Runner) -> Runner:
    """The function with which a worker runs jobs. chunks: the one for chunks of batches."""

    def run(job: Job, checkpoint: bytes | None, inputs: Mapping[str, bytes]) -> Run:
        networks.refresh()
        if job.kind == CHUNK:
            return chunks(job, checkpoint, inputs)
        network = networks[job.model].in_background()
        if job.kind == saliency_job.KIND:
            return saliency_job.run(network, job, inputs)
        parameters = KINDS[job.kind].parameters.from_record(job.kind, job.class_id, job.parameters)
        decoded = {name: _decode(data) for name, data in inputs.items()}
        visualization = Visualization(network, parameters, decoded, checkpoint)
        return Run(_advances(visualization), visualization.state.scores, visualization.conclude)

    return run


def grey(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The image (3, H, W) without colours, in which a network of one channel sees the same."""
    luma = np.tensordot(np.array(LUMA), image, axes=1)
    return np.stack([luma] * 3)


def _decode(png: bytes) -> Floats:
    """A stored picture as (3, H, W) in [0, 1]."""
    return images.to_floats(decode_own(png))


def _advances(visualization: Visualization) -> Iterator[Advance]:
    """The steps, each with what the record keeps of it."""
    state = visualization.state
    for step in visualization.steps():
        fields: dict[str, float | None] = {
            "step": state.step,
            "score": step.measured.score,
            "rank": step.measured.rank,
            "steps_before_relu": state.steps_before_relu,
            "restarts": state.restarts,
            "first_at_rank_1": state.first_at_rank_1,
        }
        yield Advance(
            index=step.index,
            fields={name: value for name, value in fields.items() if value is not None},
            preview=visualization.is_preview(step.index),
            image=lambda: images.encode_png(visualization.picture()),
            checkpoint=state.save,
        )
