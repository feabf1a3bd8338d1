"""Attribution methods: functions on arrays that know neither ONNX nor HTTP, each with its paper."""

# isort: off - in the order in which they are listed, the simplest first
from service.attribution import cam, gradients, perturbation  # noqa: F401 - they register themselves

# isort: on
from service.attribution.method import METHODS, Attribution, Evaluation, Floats, Ints, Method, Parameters, Subject

__all__ = ["METHODS", "Attribution", "Evaluation", "Floats", "Ints", "Method", "Parameters", "Subject"]
