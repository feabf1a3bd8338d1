"""Presets of pictures from noise: published recipes with their hyperparameters."""

from collections.abc import Callable
from dataclasses import dataclass

from service.synthesis.ascent import Recipe
from service.synthesis.names import PresetName
from service.synthesis.optimizers import Adam, Ascent, CalibratedAscent, Optimizer
from service.synthesis.parametrization import Fourier, Phases, Pixels, Start
from service.synthesis.transforms import Jitter, Wobble

RATE = 0.05  # the learning rate of Adam
FIRST_STEP = 0.08  # of `cs231n` with SqueezeNet, in normalized pixels: the root mean square
USUAL_SIDE = 224  # of the networks that the recipes were published for, in pixels
Size = tuple[int, int]


@dataclass(frozen=True)
class Hyperparameters:
    """The parameters whose defaults differ between presets.

    Args:
        iterations: Steps.
        learning_rate: Of the optimizer. None, for `cs231n` only: such that the first step is as long as with
            SqueezeNet, for whose scores the recipe was published.
        l2_reg: Weight of the squared norm that is subtracted from the score.
        blur_every: Steps between two blurs, 0 for none. Only pixels are blurred.
        blur_sigma: Of that blur, in pixels.
        max_jitter: Largest random shift at a step, in pixels.
    """

    iterations: int
    learning_rate: float | None
    l2_reg: float
    blur_every: int
    blur_sigma: float
    max_jitter: int


@dataclass(frozen=True)
class Preset:
    """A recipe that lacks only its parameters.

    Args:
        summary: What distinguishes it, as a sentence without the name.
        defaults: The values it was published with, or close to them.
        recipe: Builds it from the hyperparameters, the size (height, width) of the picture, and the kind of noise to
            start from, which only pixels have a choice of.
    """

    summary: str
    defaults: Hyperparameters
    recipe: Callable[[Hyperparameters, Size, Start], Recipe]


def _cs231n(given: Hyperparameters, size: Size, start: Start) -> Recipe:
    """Stanford CS231n, assignment "NetworkVisualization", after Simonyan et al. 2013 and Yosinski et al. 2015."""
    pixels = Pixels(size, start, given.blur_every, given.blur_sigma)
    rate = given.learning_rate
    ascent = CalibratedAscent(FIRST_STEP) if rate is None else Ascent(rate)
    return Recipe(pixels, [Jitter(given.max_jitter)], ascent, given.iterations, given.l2_reg)


def _adam(given: Hyperparameters) -> Optimizer:
    return Adam(RATE if given.learning_rate is None else given.learning_rate)


def _lucid(given: Hyperparameters, size: Size, start: Start) -> Recipe:  # noqa: ARG001 - has a start of its own
    """Lucid, after Olah, Mordvintsev & Schubert 2017, "Feature Visualization"."""
    wobble = Wobble(size, given.max_jitter, (0.9, 1.1), 10)
    return Recipe(Fourier(size), [wobble], _adam(given), given.iterations, given.l2_reg)


def _maco(given: Hyperparameters, size: Size, start: Start) -> Recipe:  # noqa: ARG001 - has a start of its own
    """Fel et al. 2023, "MAgnitude Constrained Optimization": only the phases move, seen through zooming windows."""
    wobble = Wobble(size, given.max_jitter, (1.0, 1.8), 5)
    return Recipe(Phases(size), [wobble], _adam(given), given.iterations, given.l2_reg)


PRESETS: dict[PresetName, Preset] = {
    "cs231n": Preset(
        "gradient ascent on pixels with jitter, blur and l2.",
        Hyperparameters(iterations=200, learning_rate=25.0, l2_reg=1e-3, blur_every=10, blur_sigma=0.5, max_jitter=16),
        _cs231n,
    ),
    "lucid": Preset(
        "a spectrum in decorrelated colours, Adam.",
        Hyperparameters(iterations=512, learning_rate=RATE, l2_reg=0.0, blur_every=0, blur_sigma=0.5, max_jitter=8),
        _lucid,
    ),
    "maco": Preset(
        "the phases of a spectrum whose magnitudes are those of natural images.",
        Hyperparameters(iterations=512, learning_rate=RATE, l2_reg=0.0, blur_every=0, blur_sigma=0.5, max_jitter=48),
        _maco,
    ),
}


def summaries() -> str:
    """What distinguishes the presets, as text for documentation."""
    return " ".join(f"`{name}`: {preset.summary}" for name, preset in PRESETS.items())


def defaults_of(parameter: str) -> str:
    """The default of a hyperparameter in every preset, as text for documentation: ``16, `lucid` 8, `maco` 48``.

    The value of the first preset comes without a name; presets that share a value are named together.
    """
    named: dict[str, list[str]] = {}
    for name, preset in PRESETS.items():
        named.setdefault(f"{getattr(preset.defaults, parameter):g}", []).append(f"`{name}`")
    first, *others = named
    return ", ".join([first, *(f"{' and '.join(named[value])} {value}" for value in others)])
