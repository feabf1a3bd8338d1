"""Methods that send the score back as relevance, or by other rules than the derivative."""

from typing import Annotated

import numpy as np
from pydantic import Field

from service.attribution.method import Attribution, Floats, Parameters, Rules, RuleSet, Subject, method

ALIKE = (
    "Maps of different classes of one picture are much alike (97 % on SqueezeNet): they show what the network uses at "
    "all. Ask for a contrast with other_class_id to see what speaks for one class."
)
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


@method(
    "lrp",
    "Montavon et al. 2019, Layer-Wise Relevance Propagation: An Overview, section 10.3",
    Composite,
    sign="positive",
    warning=ALIKE,
)
def lrp(subject: Subject, image: Floats, class_id: int, parameters: Composite) -> Attribution:
    """
    Relevance by a composite of rules: bounds of pixels at first, LRP-γ in convolutions, LRP-ε behind.

    Use it for detailed, stable outlines of what the network uses, in one run. Not to ask why this class, unless by
    `other_class_id`; not for transformers, see `attn_lrp`.
    """
    return _relevance(subject, image, class_id, "composite", parameters)


@method("lrp_zero", "Bach et al. 2015, On Pixel-Wise Explanations, section 2.6", sign="positive")
def lrp_zero(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """Relevance in proportion to each contribution: what gradient times input gives for networks of Relus; noisy.

    Use it as the exact reference of the other rules. Not for deep networks, where it is as noisy as the gradient.
    """
    return _relevance(subject, image, class_id, "epsilon", WithEpsilon(epsilon=0), is_usual=True)


@method("lrp_epsilon", "Bach et al. 2015, On Pixel-Wise Explanations, section 2.6", WithEpsilon, sign="positive")
def lrp_epsilon(subject: Subject, image: Floats, class_id: int, parameters: WithEpsilon) -> Attribution:
    """Relevance in proportion to each contribution, without what small sums would blow up.

    Use it for the few layers behind the convolutions, or a larger ε against noise. Not with a small ε for deep
    networks.
    """
    return _relevance(subject, image, class_id, "epsilon", parameters)


@method(
    "lrp_gamma",
    "Montavon et al. 2019, Layer-Wise Relevance Propagation: An Overview, section 10.2",
    WithGamma,
    "positive",
    ALIKE,
)
def lrp_gamma(subject: Subject, image: Floats, class_id: int, parameters: WithGamma) -> Attribution:
    """Relevance that favours what agrees with the output of each layer: smooth, still sensitive to the class.

    Use it for a smooth map that still depends on the class. Not where evidence against the class matters.
    """
    twice = Transformer(gamma_convolutions=parameters.gamma, gamma_dense=parameters.gamma)
    return _relevance(subject, image, class_id, "gamma", twice, parameters == WithGamma())


@method(
    "lrp_alpha_beta",
    "Bach et al. 2015, On Pixel-Wise Explanations, section 2.6",
    WithAlpha,
    sign="positive",
    warning=ALIKE,
)
def lrp_alpha_beta(subject: Subject, image: Floats, class_id: int, parameters: WithAlpha) -> Attribution:
    """Relevance with evidence for and against weighted by α and 1 − α.

    Use it to see evidence for and against apart. Not with a large α, which blows up both.
    """
    return _relevance(subject, image, class_id, "alpha_beta", parameters)


@method("lrp_z_plus", "Montavon et al. 2017, Deep Taylor Decomposition, section 5", sign="positive", warning=ALIKE)
def lrp_z_plus(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """Relevance by positive contributions alone (LRP-α1β0, deep Taylor): smooth, but it hardly tells classes apart.

    Use it for clean outlines of what the network sees. Not to tell two classes apart.
    """
    return _relevance(subject, image, class_id, "alpha_beta", WithAlpha(alpha=1), is_usual=True)


@method(
    "excitation_backprop",
    "Zhang et al. 2016, Top-down Neural Attention by Excitation Backprop, section 3",
    sign="positive",
    warning=ALIKE,
)
def excitation_backprop(subject: Subject, image: Floats, class_id: int, _: Parameters) -> Attribution:
    """The probability that a winner-take-all walk from the class down the positive weights ends at a pixel.

    Use it for outlines in units of probability. Not to tell two classes apart, unless by `other_class_id`.
    """
    return _relevance(subject, image, class_id, "excitation", Parameters())


@method("attn_lrp", "Achtibat et al. 2024, AttnLRP, section 3", Transformer, sign="positive", warning=ALIKE)
def attn_lrp(subject: Subject, image: Floats, class_id: int, parameters: Transformer) -> Attribution:
    """LRP-γ with rules for attention and normalization: the LRP for transformers.

    Use it for vision transformers and networks with attention. Not needed without, where it is LRP-γ.
    """
    return _relevance(subject, image, class_id, "gamma", parameters)


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
