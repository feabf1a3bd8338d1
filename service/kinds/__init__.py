"""The kinds of jobs that draw by gradient ascent, a module for each or for those that differ little.

A kind is a model of its parameters and a planner, which turns these and pictures into a recipe, a measure and a result.
"""

# isort: off
# In the order in which kinds are listed; the modules register them.
from service.kinds import feature, target, spritemap, fooling, inversion, caricature, dream, style  # noqa: F401

# isort: on
from service.kinds.parameters import JobParameters
from service.kinds.plan import KINDS, Inputs, Kind, Plan, plan

__all__ = ["KINDS", "Inputs", "JobParameters", "Kind", "Plan", "plan"]
