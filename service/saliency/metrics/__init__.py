"""Metrics of saliency maps: functions of a case and a map, each with its paper."""

# isort: off
# Importing a module registers its metrics. The order is the one in which they are listed.
from service.saliency.metrics import (  # noqa: F401
    curves,
    road,
    faithfulness,
    robustness,
    concentration,
    sanity,
    localization,
)

# isort: on
from service.saliency.metrics.baselines import BASELINES, baseline_maps
from service.saliency.metrics.case import Amounts, Bools, Case
from service.saliency.metrics.measuring import Measurements, default_metrics, measure, runs_needed
from service.saliency.metrics.metric import METRICS, Candidate, Measured, Metric

__all__ = [
    "BASELINES",
    "METRICS",
    "Amounts",
    "Bools",
    "Candidate",
    "Case",
    "Measured",
    "Measurements",
    "Metric",
    "baseline_maps",
    "default_metrics",
    "measure",
    "runs_needed",
]
