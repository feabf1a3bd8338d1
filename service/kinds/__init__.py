"""The kinds of jobs that draw by gradient ascent: from parameters and pictures to a recipe, a measure and a result."""

from service.kinds import dream, feature, fooling, inversion, style  # noqa: F401 - they register themselves
from service.kinds.plan import PLANNERS, Inputs, Plan

__all__ = ["PLANNERS", "Inputs", "Plan"]
