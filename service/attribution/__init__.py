"""Attribution methods: functions of arrays, independent of ONNX and HTTP, each with its paper."""

# isort: off
# Importing a module registers its methods. The order is the one in which methods are listed, the simplest first.
from service.attribution import gradients, noise, paths, differences, relevance, cam, attention  # noqa: F401
from service.attribution import perturbation, coalitions, regions  # noqa: F401

# isort: on
from service.attribution.method import METHODS, Attribution, Floats, Ints, Method, Parameters, Subject, ValueAndGrad

__all__ = ["METHODS", "Attribution", "Floats", "Ints", "Method", "Parameters", "Subject", "ValueAndGrad"]
