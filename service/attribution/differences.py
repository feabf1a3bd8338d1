"""Methods that compare a picture with a reference, layer by layer."""

from typing import Annotated

import numpy as np
from pydantic import Field

from service.attribution.baselines import Fill, baseline
from service.attribution.method import RESCALE, Attribution, Floats, Parameters, Subject, method
from service.attribution.paths import BASELINES, complete, gained


class Referenced(Parameters):
    """Parameters of DeepLIFT."""

    baseline: Annotated[Fill, Field(description="What the picture is compared with.")] = "black"

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """One for the picture and the reference together, and one for the score of the reference."""
        return 2


class Several(Parameters):
    """Parameters of DeepSHAP."""

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002
        """Two for each reference."""
        return 2 * len(BASELINES)


@method(
    "deeplift",
    "Shrikumar et al. 2017, Learning Important Features Through Propagating Activation Differences, section 3",
    Referenced,
)
def deeplift(subject: Subject, image: Floats, class_id: int, parameters: Referenced) -> Attribution:
    """Differences from a reference, sent back by the rescale rule: the map sums up to the difference of the scores.

    Use it instead of integrated gradients in a hurry: two runs instead of dozens. Not without a thought for the
    baseline: what looks like it gets nothing.
    """
    return _compared(subject, image, class_id, baseline(image, parameters.baseline)[None])


@method("deep_shap", "Lundberg & Lee 2017, A Unified Approach to Interpreting Model Predictions, section 4.2", Several)
def deep_shap(subject: Subject, image: Floats, class_id: int, _: Several) -> Attribution:
    """DeepLIFT, averaged over several baselines, so that no one of them decides.

    Use it instead of gradient_shap in a hurry. Not where one baseline is the right one, as black is for X-rays.
    """
    return _compared(subject, image, class_id, np.stack([baseline(image, fill) for fill in BASELINES]))


def _compared(subject: Subject, image: Floats, class_id: int, references: Floats) -> Attribution:
    images = np.repeat(image[None], len(references), axis=0)
    class_ids = np.full(len(references), class_id)
    at = subject.value_and_grad(images, class_ids, RESCALE, references=references)
    values = np.einsum("nchw,nchw->hw", at.gradients, image - references, dtype=np.float64) / len(references)
    difference = float(np.mean([gained(subject, at, start) for start in references]))
    return complete(values, at, difference, len(references))
