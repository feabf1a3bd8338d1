"""Taking off what some exporters make of the scores: names of classes, and dictionaries of them."""

import ast
import json

import onnx

DOMAIN = "ai.onnx.ml"
LABELS_KEY = "class_labels"  # of the metadata


def peeled(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with what the last operators of ``ai.onnx.ml`` read as outputs, in the place of what they make.

    The names of classes that they hold are kept in the metadata. The same object if there are no such operators.
    """
    if all(node.domain != DOMAIN for node in proto.graph.node):
        return proto
    proto = onnx.shape_inference.infer_shapes(proto)
    if labels := _labels(proto.graph):
        proto.metadata_props.add(key=LABELS_KEY, value=json.dumps(labels))
    graph = proto.graph
    made_by = {name: node for node in graph.node for name in node.output}
    typed = {value.name: value for value in (*graph.input, *graph.value_info)}
    while tops := [
        output for output in graph.output if output.name in made_by and made_by[output.name].domain == DOMAIN
    ]:
        # Dictionaries hold all scores, so they go first; a name is made of an index, which nobody needs beside them.
        for output in sorted(tops, key=lambda output: made_by[output.name].op_type != "ZipMap"):
            graph.output.remove(output)
            if made_by[output.name].op_type != "ZipMap" and graph.output:
                continue
            present = {value.name for value in graph.output}
            maker = made_by[output.name]
            graph.output.extend(
                _declared(name, maker, typed.get(name))
                for name in maker.input
                if name in made_by and name not in present and made_by[name].op_type != "Constant"
            )
        if not graph.output:
            return proto
    _remove_unread(graph)
    return proto


def _declared(name: str, reader: onnx.NodeProto, inferred: onnx.ValueInfoProto | None) -> onnx.ValueInfoProto:
    """The value as an output. What could not be inferred of it follows from what the reader takes."""
    if inferred is not None and inferred.type.tensor_type.HasField("shape"):
        return inferred
    if reader.op_type == "ZipMap":
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, None])
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, [None])


def _domain(node: onnx.NodeProto | None) -> str:
    return node.domain if node is not None else ""


def _remove_unread(graph: onnx.GraphProto) -> None:
    read = {value.name for value in graph.output}
    for node in reversed(list(graph.node)):
        if node.domain == DOMAIN and read.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            read.update(node.input)


def _labels(graph: onnx.GraphProto) -> list[str]:
    """The names of classes in a dictionary or a list of them; empty if there are none."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    for node in graph.node:
        if node.domain != DOMAIN:
            continue
        for attribute in node.attribute:
            if attribute.name in ("classlabels_strings", "cats_strings"):
                return [name.decode() for name in attribute.strings]
        held = constants.get(node.input[0])
        if node.op_type == "ArrayFeatureExtractor" and held is not None and held.data_type == onnx.TensorProto.STRING:
            return [name.decode() for name in held.string_data]
    return []


def labels_in(proto: onnx.ModelProto) -> tuple[str, ...]:
    """The names of classes in the metadata, as exporters write them: a list, a dictionary by number, or lines."""
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    for key in (LABELS_KEY, "names", "labels", "classes", "class_names"):
        if (text := metadata.get(key)) and (found := _parsed(text)):
            return found
    return ()


def _parsed(text: str) -> tuple[str, ...]:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = [part.strip() for part in (text.splitlines() if "\n" in text else text.split(","))]
    if isinstance(value, dict):
        if sorted(value) != list(range(len(value))):
            return ()
        value = [value[i] for i in range(len(value))]
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) and len(value) > 1 else ()
