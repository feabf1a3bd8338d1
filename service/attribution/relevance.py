"""Methods that send the score back as relevance, or by other rules than the derivative."""

from typing import Annotated

import numpy as np
from pydantic import Field

from service.attribution.method import Attribution, Floats, Parameters, Rules, RuleSet, Subject, method

STABILIZER = 1e-6  # as in the rules, which divide by the pixels

Gamma = Annotated[
    float, Field(ge=0, le=100, description="How much more weights of the sign of the output count; 0 for not at all.")
]
Epsilon = Annotated[
    float, Field(ge=0, le=100, description="Absorbs what is contradictory; in units of the activations of the network.")
]


class WithGamma(Parameters):
    """Parameters of LRP-γ."""

    gamma: Gamma = 0.25


class WithEpsilon(Parameters):
    """Parameters of LRP-ε."""

    epsilon: Epsilon = 1e-6


class WithAlpha(Parameters):
    """Parameters of LRP-αβ."""

    alpha: Annotated[float, Field(ge=1, le=10, description="Weight of what speaks for the class; β is α − 1.")] = 2.0


class Composite(Parameters):
    """Parameters of the composite."""

    gamma: Gamma = 0.25
    epsilon: Epsilon = 1e-6


class Transformer(Parameters):
    """Parameters of AttnLRP."""

    gamma_convolutions: Gamma = 0.25
    gamma_dense: Gamma = 0.05


class Rectified(Parameters):
    """Parameters of rectified gradients."""

    percent: Annotated[float, Field(ge=0, lt=100, description="Share of each layer that is held back.")] = 98.0


@method(
    "lrp",
    "Montavon et al. 2019, Layer-Wise Relevance Propagation: An Overview, section 10.3",
    Composite,
    sign="positive",
)
def lrp(subject: Subject, image: Floats, class_id: int, parameters: Composite) -> Attribution:
    """
    Relevance by a composite of rules: bounds of pixels at first, LRP-γ in convolutions, LRP-ε behind. A good first LRP.
    """  # noqa: D200 - too long for one line
    return _relevance(subject, image, class_id, "composite", parameters)


@method("lrp_zero", "Bach et al. 2015, On Pixel-Wise Explanations, section 2.6", sign="positive")
def lrp_zero(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """Relevance in proportion to each contribution: what gradient times input gives for networks of Relus; noisy."""
    return _relevance(subject, image, class_id, "epsilon", WithEpsilon(epsilon=0), is_usual=True)


@method("lrp_epsilon", "Bach et al. 2015, On Pixel-Wise Explanations, section 2.6", WithEpsilon, sign="positive")
def lrp_epsilon(subject: Subject, image: Floats, class_id: int, parameters: WithEpsilon) -> Attribution:
    """Relevance in proportion to each contribution, without what small sums would blow up."""
    return _relevance(subject, image, class_id, "epsilon", parameters)


@method(
    "lrp_gamma",
    "Montavon et al. 2019, Layer-Wise Relevance Propagation: An Overview, section 10.2",
    WithGamma,
    "positive",
)
def lrp_gamma(subject: Subject, image: Floats, class_id: int, parameters: WithGamma) -> Attribution:
    """Relevance that favours what agrees with the output of each layer: smooth, still sensitive to the class."""
    twice = Transformer(gamma_convolutions=parameters.gamma, gamma_dense=parameters.gamma)
    return _relevance(subject, image, class_id, "gamma", twice, parameters == WithGamma())


@method("lrp_alpha_beta", "Bach et al. 2015, On Pixel-Wise Explanations, section 2.6", WithAlpha, sign="positive")
def lrp_alpha_beta(subject: Subject, image: Floats, class_id: int, parameters: WithAlpha) -> Attribution:
    """Relevance with evidence for and against weighted by α and 1 − α."""
    return _relevance(subject, image, class_id, "alpha_beta", parameters)


@method("lrp_z_plus", "Montavon et al. 2017, Deep Taylor Decomposition, section 5", sign="positive")
def lrp_z_plus(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """Relevance by positive contributions alone (LRP-α1β0, deep Taylor): smooth, but it hardly tells classes apart."""
    return _relevance(subject, image, class_id, "alpha_beta", WithAlpha(alpha=1), is_usual=True)


@method(
    "excitation_backprop",
    "Zhang et al. 2016, Top-down Neural Attention by Excitation Backprop, section 3",
    sign="positive",
)
def excitation_backprop(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """The probability that a winner-take-all walk from the class down the positive weights ends at a pixel."""
    return _relevance(subject, image, class_id, "excitation", Parameters())


@method("attn_lrp", "Achtibat et al. 2024, AttnLRP, section 3", Transformer, sign="positive")
def attn_lrp(subject: Subject, image: Floats, class_id: int, parameters: Transformer) -> Attribution:
    """LRP-γ with rules for attention and normalization: the LRP for transformers."""
    return _relevance(subject, image, class_id, "gamma", parameters)


@method("rectgrad", "Kim et al. 2019, Why are Saliency Maps Noisy?, section 4", Rectified, sign="positive")
def rectgrad(subject: Subject, image: Floats, class_id: int, parameters: Rectified) -> Attribution:
    """Gradient times pixel of what matters most in each layer: sharp and sparse, with few pixels left."""
    rules = Rules("rectgrad", (parameters.percent,), is_usual=parameters == Rectified())
    at = subject.value_and_grad(image[None], np.array([class_id]), rules)
    return Attribution((at.gradients[0] * image).sum(axis=0), at)


def _relevance(
    subject: Subject, image: Floats, class_id: int, name: RuleSet, parameters: Parameters, is_usual: bool | None = None
) -> Attribution:
    """The relevance of each pixel, with the sum in the notes: the score, less what biases took or gave.

    is_usual: whether to keep the graph; by default if the parameters are.
    """
    usual = parameters == type(parameters)() if is_usual is None else is_usual
    rules = Rules(name, tuple(float(value) for value in parameters.model_dump().values()), usual)
    at = subject.value_and_grad(image[None], np.array([class_id]), rules, subject.pixel_layer)
    pixels = at.at[0]
    values = (at.gradients[0] * (pixels + np.where(pixels < 0, -STABILIZER, STABILIZER))).sum(axis=0)
    total, score = float(values.sum()), float(at.scores[0])
    notes = {"relevance": total} | ({"conserved": total / score} if score else {})
    return Attribution(values.astype(np.float32), at, notes)
