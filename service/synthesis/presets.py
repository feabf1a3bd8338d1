"""Recipes with their parameters."""

from typing import Any

from service.synthesis.ascent import Recipe
from service.synthesis.optimizers import Adam, Ascent
from service.synthesis.parametrization import Fourier, Phases, Pixels
from service.synthesis.transforms import Jitter, Wobble

# Defaults of the parameters that differ between presets.
DEFAULTS: dict[str, dict[str, Any]] = {
    # Stanford CS231n, assignment "NetworkVisualization", after Simonyan et al. 2013 and Yosinski et al. 2015.
    "cs231n": {
        "iterations": 200,
        "learning_rate": 25.0,
        "l2_reg": 1e-3,
        "blur_every": 10,
        "blur_sigma": 0.5,
        "max_jitter": 16,
    },
    # Lucid, after Olah, Mordvintsev & Schubert 2017, "Feature Visualization".
    "lucid": {
        "iterations": 512,
        "learning_rate": 0.05,
        "l2_reg": 0.0,
        "blur_every": 0,
        "blur_sigma": 0.5,
        "max_jitter": 8,
    },
    # Fel et al. 2023, "MAgnitude Constrained Optimization": the phases alone, seen through zooming windows.
    "maco": {
        "iterations": 512,
        "learning_rate": 0.05,
        "l2_reg": 0.0,
        "blur_every": 0,
        "blur_sigma": 0.5,
        "max_jitter": 48,
    },
}


def recipe(
    preset: str,
    *,
    size: int,
    start: str,
    iterations: int,
    learning_rate: float,
    l2_reg: float,
    blur_every: int,
    blur_sigma: float,
    max_jitter: int,
) -> Recipe:
    """The recipe of a preset with its parameters."""
    if preset == "lucid":
        wobble = Wobble(size, max_jitter, (0.9, 1.1), 10)
        return Recipe(Fourier(size), [wobble], Adam(learning_rate), iterations, l2_reg)
    if preset == "maco":
        return Recipe(Phases(size), [Wobble(size, max_jitter, (1.0, 1.8), 5)], Adam(learning_rate), iterations, l2_reg)
    pixels = Pixels((size, size), start, blur_every, blur_sigma)
    return Recipe(pixels, [Jitter(max_jitter)], Ascent(learning_rate), iterations, l2_reg)
