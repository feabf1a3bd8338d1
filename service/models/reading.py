"""Reading foreign ONNX files, with bounds on their size and confined to their folder."""

from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from service.autodiff.lowering import write_out
from service.errors import ModelError
from service.graphs.offload import offload, skeleton
from service.models import contrib
from service.models.peeling import peeled

MAX_BYTES = 2 * 2**30
MAX_NODES = 50_000
FIRST_IR_WITH_CONSTANT_WEIGHTS = 4
DOMAINS = frozenset(["", "ai.onnx"])
FEW = 10  # operators that a message lists


def read_onnx(path: Path, max_bytes: int = MAX_BYTES) -> onnx.ModelProto:
    """Read and check a file with its external weights. Raises `ModelError` with the reason if it cannot be used."""
    if path.exists() and not path.is_file():
        raise ModelError(f"{path} is no file")
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ModelError(f"{path.name} has {size:,} bytes, more than {max_bytes:,}")
        proto = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except DecodeError as error:
        raise ModelError(f"{path.name} is no valid ONNX file: {error}") from error
    _check_contents(proto, path)
    _load_external(proto, path, max_bytes)
    offload(proto)
    try:
        proto = _in_standard_operators(tidied(peeled(proto)), path)
        onnx.checker.check_model(skeleton(proto), full_check=True)
    except ModelError:
        raise
    except Exception as error:  # the tools raise many types without a common base
        reason = error if error.__cause__ is None else error.__cause__
        raise ModelError(f"{path.name} is no valid ONNX file: {str(reason)[:500]}") from error
    return proto


def _check_contents(proto: onnx.ModelProto, path: Path) -> None:
    if not proto.graph.node:
        raise ModelError(f"{path.name} holds no graph")
    nodes = len(proto.graph.node) + sum(len(function.node) for function in proto.functions)
    if nodes > MAX_NODES:
        raise ModelError(f"{path.name} has {nodes:,} nodes, more than {MAX_NODES:,}")


def _in_standard_operators(proto: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """The model with operators that only a runtime has written out. Raises `ModelError` for other foreign ones."""
    for domain, table in ((contrib.DOMAIN, contrib.CONTRIB), ("", contrib.FORMER)):
        if any(node.domain == domain and node.op_type in table for node in proto.graph.node):
            model = ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))
            write_out(model, table, domain)
            proto = ir.to_proto(model)
    own = {function.domain for function in proto.functions}
    foreign = sorted(
        {
            f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            for node in proto.graph.node
            if node.domain not in own and not (node.domain in DOMAINS and onnx.defs.has(node.op_type))
        }
    )
    if foreign:
        more = f" and {len(foreign) - FEW} others" if len(foreign) > FEW else ""
        raise ModelError(
            f"{path.name} uses operators that are not of the ONNX standard: {', '.join(foreign[:FEW])}{more}"
        )
    return proto


def _load_external(proto: onnx.ModelProto, path: Path, max_bytes: int) -> None:
    """Read weights from other files in the same folder.

    onnx also refuses files outside of it, but this check has a clear message.
    """
    folder, total = path.parent.resolve(), 0
    for tensor in proto.graph.initializer:
        if not uses_external_data(tensor):
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = (folder / location).resolve()
        if not location or file.parent != folder or not file.is_file():
            raise ModelError(f"{path.name} wants weights from {location!r}, which is no file in its folder")
        total = max(total, file.stat().st_size)
        if total > max_bytes:
            raise ModelError(f"the weights of {path.name} have {total:,} bytes, more than {max_bytes:,}")
    if total:
        try:
            load_external_data_for_model(proto, str(folder))
        except Exception as error:  # a damaged file can raise anything
            raise ModelError(f"the weights of {path.name} cannot be read: {str(error)[:300]}") from error


def tidied(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Normalize what older and less strict exporters write. The argument may be modified.

    - Before IR version 4, all weights were also inputs that callers could override; they become constants.
    - Sizes that are not positive stand for unknown ones (Paddle writes -1); they become symbolic.
    - Nodes in any order are sorted topologically.
    """
    weights = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in weights]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    proto.ir_version = max(proto.ir_version, FIRST_IR_WITH_CONSTANT_WEIGHTS)
    for value in [*proto.graph.input, *proto.graph.output, *proto.graph.value_info]:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value <= 0:
                dim.dim_param = f"{value.name}_{axis}"
    if _is_sorted(proto.graph):
        return proto
    model = ir.from_proto(proto)
    try:
        model.graph.sort()
    except ValueError:  # a cycle, which the checker reports
        return proto
    return ir.to_proto(model)


def _is_sorted(graph: onnx.GraphProto) -> bool:
    """Whether every node comes after those whose outputs it reads."""
    made_later = {name for node in graph.node for name in node.output}
    for node in graph.node:
        if not made_later.isdisjoint(node.input):
            return False
        made_later.difference_update(node.output)
    return True
