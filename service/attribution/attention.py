"""Methods that follow the attention of a transformer from its last block back to the patches of the picture."""

from collections.abc import Sequence
from functools import reduce
from typing import Annotated

import numpy as np
from pydantic import Field

from service.attribution.method import Attribution, Floats, Parameters, Subject, method
from service.attribution.sampling import Array
from service.attribution.scaling import scaled
from service.errors import InvalidParameter

MOST_LEADING = 5  # tokens before those of the patches


class Rolled(Parameters):
    """Parameters of attention rollout."""

    residual: Annotated[
        float, Field(ge=0, lt=1, description="Share of what goes round each attention, as residual connections do.")
    ] = 0.5


@method(
    "attention_rollout",
    "Abnar & Zuidema 2020, Quantifying Attention Flow in Transformers, section 3",
    Rolled,
    sign="positive",
    warning="The map does not depend on the class: it shows where the network looks, not why.",
    needs="attention",
)
def attention_rollout(subject: Subject, image: Floats, class_id: int, parameters: Rolled) -> Attribution:
    """Where the attentions of all blocks, multiplied, take what the last block sees from.

    Use it to see what a transformer attends to at all. Not to explain a class.
    """
    at, attentions, _ = subject.parts(image[None], np.array([class_id]), "attention")
    steps = []
    for each in _checked(attentions):
        mixed = (1 - parameters.residual) * each.mean(axis=0) + parameters.residual * np.eye(each.shape[-1])
        steps.append(mixed / mixed.sum(axis=1, keepdims=True))
    return Attribution(_on_picture(reduce(lambda below, step: step @ below, steps), image), at)


@method(
    "transformer_attribution",
    "Chefer et al. 2021, Generic Attention-model Explainability, section 3",
    sign="positive",
    needs="attention",
)
def transformer_attribution(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """Attention rollout with each attention weighted by its positive gradient: what is attended to for the class.

    Use it as a first choice for vision transformers. Not for those that attend within windows, see `attn_lrp`.
    """
    at, attentions, gradients = subject.parts(image[None], np.array([class_id]), "attention")
    relevance: Array = np.eye(attentions[0].shape[-1])
    for each, gradient in zip(_checked(attentions), _checked(gradients), strict=True):
        relevance = relevance + (each * gradient).clip(min=0).mean(axis=0) @ relevance
    return Attribution(_on_picture(relevance - np.eye(len(relevance)), image), at)


def _checked(attentions: Sequence[Floats]) -> list[Array]:
    """Those of the one image, (heads, tokens, tokens). Raises `InvalidParameter` if not all see the same tokens."""
    if len({each.shape[2:] for each in attentions} | {each.shape[2:][::-1] for each in attentions}) > 1 or any(
        len(each) > 1 for each in attentions
    ):
        raise InvalidParameter(
            "this network does not attend to all places in every block, so that attentions cannot be followed through; "
            "use attn_lrp or grad_cam"
        )
    return [each[0].astype(np.float64) for each in attentions]


def _on_picture(flow: Array, image: Floats) -> Floats:
    """What the class token, or all tokens together, get from each patch (tokens, tokens), as a map (H, W)."""
    height, width = image.shape[1:]
    for leading in range(MOST_LEADING + 1):
        patches = len(flow) - leading
        rows = round((patches * height / width) ** 0.5)
        if rows and patches % rows == 0 and rows * width == patches // rows * height:
            row = flow[0] if leading else flow.mean(axis=0)
            return scaled(row[leading:].reshape(rows, -1).astype(np.float32), image)
    raise InvalidParameter(f"the {len(flow)} tokens of this network make no grid of the proportions of the picture")
