"""The graphs that a network runs: an objective appended to the model, and its gradient."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from service.attribution.method import EXACT, RESCALE, Part, Rules, RuleSet
from service.autodiff import RULES, NotDifferentiable, Ops, Rule, gradient_model
from service.autodiff.backward import Adjusted
from service.autodiff.deeplift import rescale
from service.autodiff.errors import Independent
from service.autodiff.nchwc import NCHWC_RULES
from service.autodiff.relevance import Box, LayerRule, alpha_beta_rule, epsilon_rule, gamma_rule, relevance
from service.autodiff.relu_variants import deconvnet, guided, rectgrad
from service.errors import InvalidParameter, ModelError
from service.graphs.batch_norms import without_batch_norms
from service.graphs.constants import without_shape_arithmetic
from service.graphs.nchwc import for_nchwc
from service.graphs.offload import restored
from service.graphs.parts import attentions, biases
from service.graphs.rewrites import simplify, with_image_shape, with_outputs
from service.graphs.token_grids import Grid, with_grids
from service.models.library import Model
from service.models.manifest import PREPROCESSED, Manifest
from service.models.preprocessing import pixel_bounds
from service.networks.objectives import class_score, weighted_terms
from service.networks.quantities import weighted_value
from service.networks.questions import REFERENCE, SCORE, TERMS, Form, Quantity, Term
from service.runtime.float16 import in_float16

# Made from the rules of derivatives and the values that a question has; those of relevance also from the box of pixels.
_VARIANTS: dict[RuleSet, Callable[..., Mapping[str, Rule]]] = {
    "exact": dict,
    "guided": guided,
    "deconvnet": deconvnet,
    "rectgrad": rectgrad,
}
_RELEVANCE: dict[RuleSet, Callable[..., tuple[LayerRule, LayerRule]]] = {  # of convolutions, and of other products
    "epsilon": lambda epsilon: (epsilon_rule(epsilon), epsilon_rule(epsilon)),
    "gamma": lambda convolutions, dense: (gamma_rule(convolutions), gamma_rule(dense)),
    "alpha_beta": lambda alpha: (alpha_beta_rule(alpha), alpha_beta_rule(alpha)),
    "excitation": lambda: (alpha_beta_rule(1, biased=False), alpha_beta_rule(1, biased=False)),
    "composite": lambda gamma, epsilon: (gamma_rule(gamma), epsilon_rule(epsilon)),
}


@contextmanager
def refused_as_model_error(layer: str | None = None) -> Iterator[None]:
    """Turn `NotDifferentiable` into a `ModelError` with the same message, or into an `InvalidParameter` for a layer."""
    try:
        yield
    except NotDifferentiable as error:
        if layer is not None and isinstance(error, Independent):
            raise InvalidParameter(f"what is explained does not depend on the layer {layer!r}") from error
        raise ModelError(str(error)) from error


def score_gradient(
    model: Model, form: Form, rules: Rules = EXACT, wrt: str | None = None, quantity: Quantity | None = None
) -> ir.Model:
    """The network, a score, and its gradient with respect to the image, or to the layer ``wrt``.

    The score is that of one class, or the weighted sum of another quantity.

    With rules of relevance the gradient is the relevance divided by the value that it belongs to.
    """
    manifest = model.manifest
    # Moving a Relu behind a pool does not change the exact derivative, but it does change its variants.
    layers = [] if wrt in (None, manifest.input) else [str(wrt)]
    prepared = _prepared(model, form, [*layers, *_named(quantity)], rules == EXACT)
    if rules.name in _RELEVANCE:
        prepared = without_batch_norms(prepared)
    adjusted = _adjusted(model, rules)
    scored = _scored(prepared, manifest, quantity, one_channel=not layers and adjusted is None)
    with refused_as_model_error(wrt if layers else None):
        if adjusted is not None:
            return gradient_model(scored, SCORE, wrt or manifest.input, adjusted=adjusted)
        if form.in_float16 and not layers:  # objectives may have squares that exceed float16
            scored = in_float16(restored(scored))
        return _differentiated(scored, form, wrt or manifest.input, rules)


def _scored(
    proto: onnx.ModelProto, manifest: Manifest, quantity: Quantity | None, one_channel: bool
) -> onnx.ModelProto:
    if quantity is None:
        return class_score(proto, manifest, one_channel)
    return weighted_value(proto, quantity, manifest)


def _named(quantity: Quantity | None) -> list[str]:
    return [] if quantity is None else quantity.values


def weighted(model: Model, quantity: Quantity) -> onnx.ModelProto:
    """The network with the weighted sum of a quantity, without a gradient."""
    return weighted_value(with_layers(model, quantity.values), quantity, model.manifest)


def _adjusted(model: Model, rules: Rules) -> Adjusted | None:
    """What makes the rules once it is known what lies on the way; None for those of derivatives and Relu variants."""
    if rules == RESCALE:
        return rescale(REFERENCE)
    if rules.name not in _RELEVANCE:
        return None
    convolutions, dense = _RELEVANCE[rules.name](*rules.values)
    if rules.name != "composite":
        return relevance(convolutions, dense)
    low, high = pixel_bounds(model.manifest.preprocessing)
    return relevance(convolutions, dense, Box(PREPROCESSED, low, high))


def terms_gradient(model: Model, form: Form, terms: Sequence[Term]) -> ir.Model:
    """The network, the weighted terms, and the gradient of their sum with respect to the image."""
    image = model.manifest.input
    proto = _prepared(model, form, [term.layer for term in terms if term.layer != image], rewrite=True)
    scored = weighted_terms(proto, terms)
    asked_for = [output for output in scored.graph.output if output.name in (TERMS, SCORE)]
    del scored.graph.output[:]  # the runtime would compute what only others need too
    scored.graph.output.extend(asked_for)
    with refused_as_model_error():
        return _differentiated(scored, form, image, EXACT)


def with_layers(model: Model, names: Sequence[str]) -> onnx.ModelProto:
    """The network with layers or outputs beside its scores, tokens as feature maps (N, channels, height, width)."""
    manifest = model.manifest
    grids = {
        name: Grid(layer.channels, layer.size, manifest.size, layer.leading)
        for name, layer in model.facts.layers.items()
        if name in names and layer.leading is not None and layer.size is not None
    }
    proto = with_outputs(with_grids(model.proto, manifest.input, grids) if grids else model.proto, names)
    return _with_only(proto, [*_of_classes(manifest), *names])


def everything(model: Model) -> onnx.ModelProto:
    """The network with all of its outputs."""
    return model.proto


def only_scores(model: Model) -> onnx.ModelProto:
    """The network without what only other outputs need."""
    return _with_only(model.proto, _of_classes(model.manifest))


def _of_classes(manifest: Manifest) -> list[str]:
    """The values that hold the scores of classes."""
    return [name for name in (manifest.logits, manifest.logits_before_relu) if name is not None]


def _with_only(proto: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The model with only these of its outputs, without what the others need; the runtime would compute that too."""
    if all(output.name in names for output in proto.graph.output):
        return proto
    copy = ir.from_proto(proto)
    copy.graph.outputs[:] = [output for output in copy.graph.outputs if output.name in names]
    passes.RemoveUnusedNodesPass()(copy)
    return ir.to_proto(copy)


def behind(model: Model, layer: str, quantity: Quantity | None = None) -> onnx.ModelProto:
    """The network with one more input: the values (N, C, h, w) of a layer, from which it goes on to its score."""
    proto = with_layers(model, [layer, *_named(quantity)])
    copy = ir.from_proto(proto if quantity is None else weighted_value(proto, quantity, model.manifest))
    (values,) = (output for output in copy.graph.outputs if output.name == layer)
    copy.graph.outputs.remove(values)
    given = ir.Value(name=layer, type=values.type, shape=values.shape)
    values.name = f"{layer}/computed"
    values.replace_all_uses_with(given)
    copy.graph.inputs.append(given)
    passes.RemoveUnusedNodesPass()(copy)
    return ir.to_proto(copy)


def parts_gradient(model: Model, form: Form, part: Part, quantity: Quantity | None = None) -> ir.Model:
    """A score (see `score_gradient`) and its gradient with respect to the image, and to parts of the network.

    The outputs are ``<part>/<i>`` and ``d_<part>/<i>``; what is added has only the latter, times what is added.
    """
    prepared = _prepared(model, form, _named(quantity), rewrite=False)
    if part == "bias":
        prepared = without_batch_norms(prepared)
    added = biases(prepared) if part == "bias" else {}
    names = list(added) if part == "bias" else attentions(prepared)
    scored = _scored(prepared, model.manifest, quantity, one_channel=False)
    with refused_as_model_error():
        found = gradient_model(scored, SCORE, [model.manifest.input, *names])
    graph = found.graph
    values = ir.convenience.create_value_mapping(graph, include_subgraphs=False)
    gradients = list(graph.outputs)[-len(names) :] if names else []
    op = Ops(graph, scope=part)
    for i, (name, gradient) in enumerate(zip(names, gradients, strict=True)):
        graph.outputs.remove(gradient)
        if part == "bias":
            graph.outputs.append(op.Mul(gradient, op.constant(added[name], like=gradient), _name=f"d_{part}/{i}"))
        else:
            graph.outputs.append(op.Identity(values[name], _name=f"{part}/{i}"))
            graph.outputs.append(op.Identity(gradient, _name=f"d_{part}/{i}"))
    return found


def _prepared(model: Model, form: Form, keep: Sequence[str], rewrite: bool) -> onnx.ModelProto:
    proto = with_layers(model, keep) if keep else only_scores(model)
    if form.size is not None:
        proto = without_shape_arithmetic(with_image_shape(proto, model.manifest.input, (form.rows, None, *form.size)))
    return simplify(proto) if rewrite else proto


def _differentiated(proto: onnx.ModelProto, form: Form, wrt: str, asked: Rules) -> ir.Model:
    rules: Mapping[str, Rule] = RULES
    if form.on_cpu:
        proto, rules = for_nchwc(proto), RULES | NCHWC_RULES
    return gradient_model(proto, of=SCORE, wrt=wrt, rules=_VARIANTS[asked.name](rules, *asked.values))
