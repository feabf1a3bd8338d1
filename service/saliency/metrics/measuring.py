"""Metrics applied to maps, and what that costs."""

from collections.abc import Mapping, Sequence

from service.saliency.metrics.baselines import BASELINES
from service.saliency.metrics.case import Amounts, Case
from service.saliency.metrics.metric import METRICS, Candidate, Measured

Measurements = dict[str, dict[str, Measured]]  # by metric, then by map


def default_metrics(with_region: bool) -> tuple[str, ...]:
    """The metrics that are measured unless others are named. with_region: whether it is known where the object is."""
    return tuple(name for name, each in METRICS.items() if each.is_default and (with_region or not each.needs_region))


def measure(case: Case, candidates: Mapping[str, Candidate], metrics: Sequence[str]) -> Measurements:
    """What the metrics say of maps, given by name, among them maybe the `BASELINES`."""
    return {
        name: {
            who: METRICS[name].function(case, candidate)
            for who, candidate in candidates.items()
            if METRICS[name].of_baselines or who not in BASELINES
        }
        for name in metrics
    }


def runs_needed(metrics: Sequence[str], maps: Sequence[int], amounts: Amounts) -> int:
    """The cost of `measure` in runs of the network for maps and the baselines. maps: what each costs to be made."""
    with_baselines = [*maps, *(0 for _ in BASELINES)]
    return sum(METRICS[name].runs(with_baselines if METRICS[name].of_baselines else maps, amounts) for name in metrics)
