"""Attribution methods: functions on arrays that know neither ONNX nor HTTP, each with its paper."""

# isort: off
# In the order in which methods are listed, the simplest first; the modules register them.
from service.attribution import gradients, cam, perturbation  # noqa: F401

# isort: on
from service.attribution.method import METHODS, Attribution, Floats, Ints, Method, Parameters, Subject, ValueAndGrad

__all__ = ["METHODS", "Attribution", "Floats", "Ints", "Method", "Parameters", "Subject", "ValueAndGrad"]
