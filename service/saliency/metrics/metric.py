"""The interface of metrics, and the registry of all metrics.

A metric tests a map of a photograph and gives a number. Metrics are registered like methods, so that the API, the docs
and comparisons know each from then on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import getdoc
from typing import Literal

from service.attribution import Floats
from service.networks.network import Network
from service.saliency.metrics.case import Amounts, Case

Better = Literal["larger", "smaller"]
Again = Callable[[Callable[[], Network], Floats, int], Floats]
Runs = Callable[[Sequence[int], Amounts], int]


@dataclass(frozen=True)
class Candidate:
    """A map that is tested.

    Attributes:
        map: The map as it was made, (H, W).
        heat: What it shows as hot, (H, W): its absolute values, if the method means these.
        again: Makes the map for another network, image (3, H, W) or class. Only who looks at the network makes it.
    """

    map: Floats
    heat: Floats
    again: Again


@dataclass(frozen=True)
class Measured:
    """What a metric has found.

    Attributes:
        value: The number; None where the metric is not defined, for instance for a map of zeros.
        at: Where the series was taken that the number is the area, mean or maximum of: fractions of pixels, or layers.
        series: The values there, of the same length.
    """

    value: float | None
    at: tuple[float | str, ...] = ()
    series: tuple[float, ...] = ()


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    Attributes:
        name: The name in requests.
        summary: What is measured, in a sentence.
        paper: The paper and section that it comes from.
        better: Which values are better.
        limits: What it can and cannot tell.
        function: Takes the case and the candidate.
        runs: The cost in runs of the network. It is told how many runs it takes to make each of the maps again.
        is_default: Whether it is measured unless others are named.
        needs_region: Whether it needs to know where the object is.
        of_baselines: Whether its value for the baselines means something.
    """

    name: str
    summary: str
    paper: str
    better: Better
    limits: str
    function: Callable[[Case, Candidate], Measured]
    runs: Runs
    is_default: bool
    needs_region: bool
    of_baselines: bool


METRICS: dict[str, Metric] = {}


def no_runs(maps: Sequence[int], amounts: Amounts) -> int:  # noqa: ARG001 - all costs have one signature
    """The cost of what looks at maps only."""
    return 0


def metric(
    name: str,
    paper: str,
    better: Better,
    runs: Runs = no_runs,
    *,
    is_default: bool = False,
    needs_region: bool = False,
    of_baselines: bool = True,
) -> Callable[[Callable[[Case, Candidate], Measured]], Callable[[Case, Candidate], Measured]]:
    """Register the decorated function as a metric.

    Its docstring says what is measured, and in a second paragraph what that can and cannot tell.
    """

    def register(function: Callable[[Case, Candidate], Measured]) -> Callable[[Case, Candidate], Measured]:
        summary, limits = (" ".join(paragraph.split()) for paragraph in (getdoc(function) or "").split("\n\n"))
        METRICS[name] = Metric(
            name, summary, paper, better, limits, function, runs, is_default, needs_region, of_baselines
        )
        return function

    return register
