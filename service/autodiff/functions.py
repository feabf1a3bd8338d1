"""Operators that the ONNX standard defines as functions of simpler ones are replaced by these functions."""

from collections.abc import Collection, Iterable

import onnx
from onnx import inliner

from service.autodiff.versions import opset_of


def inline_standard_functions(model: onnx.ModelProto, keep: Collection[str]) -> onnx.ModelProto:
    """The model with every operator that the standard defines by a function replaced by it, those in ``keep`` excepted.

    The same object if there is none. A function may depend on the types of its inputs; operators whose input types
    cannot be inferred stay.
    """
    opset = opset_of(model)
    if not any(_schema(node, opset) for node in model.graph.node if node.op_type not in keep):
        return model
    copy = onnx.shape_inference.infer_shapes(model, data_prop=True)
    typed = _typed_values(copy.graph)
    nodes = [node for node in copy.graph.node if node.op_type not in keep and _schema(node, opset)]
    untyped = {node.op_type for node in nodes if not typed.issuperset(filter(None, node.input))}
    wanted = sorted({("", node.op_type) for node in nodes if node.op_type not in untyped})
    if not wanted:
        return model
    for node in nodes:
        _fill_in_defaults(node, opset)
    return inliner.inline_selected_functions(copy, wanted, inline_schema_functions=True)


def _schema(node: onnx.NodeProto, opset: int) -> onnx.defs.OpSchema | None:
    """The schema of the node if it has a function."""
    if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type):
        return None
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError:  # newer than the opset
        return None
    found = schema.has_function or schema.has_context_dependent_function  # type: ignore[attr-defined] # not in the stubs
    return schema if found else None


def _typed_values(graph: onnx.GraphProto) -> set[str]:
    """The names of all values with a known type.

    Initializers are declared on the way, since the inliner looks for their types among those of all other values.
    """
    listed = {value.name for value in (*graph.input, *graph.value_info)}
    weights: Iterable[onnx.TensorProto] = (tensor for tensor in graph.initializer if tensor.name not in listed)
    graph.value_info.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)) for tensor in weights
    )
    values = (*graph.input, *graph.output, *graph.value_info)
    return {value.name for value in values if value.type.WhichOneof("value")}


def _fill_in_defaults(node: onnx.NodeProto, opset: int) -> None:
    """Write out the attributes that were left at their defaults, which the inliner does not know."""
    present = {attribute.name for attribute in node.attribute}
    for name, attribute in onnx.defs.get_schema(node.op_type, opset, "").attributes.items():
        if name not in present and attribute.default_value.name:
            node.attribute.append(attribute.default_value)
