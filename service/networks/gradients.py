"""The graphs that a network runs: an objective appended to the model, and its gradient."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import onnx
import onnx_ir as ir

from service.attribution.method import Rules
from service.autodiff import RULES, NotDifferentiable, Rule, gradient_model
from service.autodiff.nchwc import NCHWC_RULES
from service.autodiff.relu_variants import deconvnet, guided
from service.errors import ModelError
from service.graphs.constants import without_shape_arithmetic
from service.graphs.nchwc import for_nchwc
from service.graphs.rewrites import simplify, with_image_shape, with_outputs
from service.models.library import Model
from service.networks.objectives import class_score, weighted_terms
from service.networks.questions import Form, Term
from service.runtime.float16 import in_float16

_VARIANTS: dict[Rules, Callable[[Mapping[str, Rule]], Mapping[str, Rule]]] = {
    "exact": dict,
    "guided": guided,
    "deconvnet": deconvnet,
}


@contextmanager
def refused_as_model_error() -> Iterator[None]:
    """Turn `NotDifferentiable` into a `ModelError` with the same message."""
    try:
        yield
    except NotDifferentiable as error:
        raise ModelError(str(error)) from error


def class_gradient(model: Model, form: Form, rules: Rules = "exact", wrt: str | None = None) -> ir.Model:
    """The network, the score of one class, and its gradient with respect to the image, or to the layer ``wrt``."""
    manifest = model.manifest
    # Moving a Relu behind a pool does not change the exact derivative, but it does change its variants.
    layers = [] if wrt in (None, manifest.input) else [str(wrt)]
    scored = class_score(_prepared(model, form, layers, rules == "exact"), manifest, one_channel=not layers)
    if form.in_float16 and not layers:  # objectives may have squares that exceed float16
        scored = in_float16(scored)
    return _differentiated(scored, form, wrt or manifest.input, rules)


def terms_gradient(model: Model, form: Form, terms: Sequence[Term]) -> ir.Model:
    """The network, the weighted terms, and the gradient of their sum with respect to the image."""
    image = model.manifest.input
    proto = _prepared(model, form, [term.layer for term in terms if term.layer != image], rewrite=True)
    scored = weighted_terms(proto, terms)
    asked_for = [output for output in scored.graph.output if output.name in ("terms", "score")]
    del scored.graph.output[:]  # the runtime would compute what only others need too
    scored.graph.output.extend(asked_for)
    return _differentiated(scored, form, image, "exact")


def _prepared(model: Model, form: Form, keep: Sequence[str], rewrite: bool) -> onnx.ModelProto:
    proto = with_outputs(model.proto, keep) if keep else model.proto
    if form.size is not None:
        proto = without_shape_arithmetic(with_image_shape(proto, model.manifest.input, (form.rows, None, *form.size)))
    return simplify(proto) if rewrite else proto


def _differentiated(proto: onnx.ModelProto, form: Form, wrt: str, variant: Rules) -> ir.Model:
    rules: Mapping[str, Rule] = RULES
    with refused_as_model_error():
        if form.on_cpu:
            proto, rules = for_nchwc(proto), RULES | NCHWC_RULES
        return gradient_model(proto, of="score", wrt=wrt, rules=_VARIANTS[variant](rules))
