"""Reading ONNX files that somebody else made: bounded, and within their folder."""

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from service.errors import ModelError

MAX_BYTES = 2 * 2**30
MAX_NODES = 50_000
DOMAINS = frozenset(["", "ai.onnx"])


def read_onnx(path: Path, max_bytes: int = MAX_BYTES) -> onnx.ModelProto:
    """The graph of a file, with its external weights; checked. Raises `ModelError` that says what is wrong."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ModelError(f"{path.name} has {size:,} bytes, more than {max_bytes:,}")
        proto = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; 'convlens build' writes the default model") from error
    except DecodeError as error:
        raise ModelError(
            f"{path.name} is no valid ONNX file: {error}; 'convlens build' writes the default one anew"
        ) from error
    _check_contents(proto, path)
    _load_external(proto, path, max_bytes)
    try:
        onnx.checker.check_model(proto, full_check=proto.ByteSize() < 2**30)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise ModelError(f"{path.name} is no valid ONNX file: {str(error)[:500]}") from error
    return proto


def _check_contents(proto: onnx.ModelProto, path: Path) -> None:
    if not proto.graph.node:
        raise ModelError(f"{path.name} holds no graph")
    nodes = len(proto.graph.node) + sum(len(function.node) for function in proto.functions)
    if nodes > MAX_NODES:
        raise ModelError(f"{path.name} has {nodes:,} nodes, more than {MAX_NODES:,}")
    own = {function.domain for function in proto.functions}
    foreign = sorted({f"{n.domain}.{n.op_type}" for n in proto.graph.node if n.domain not in DOMAINS | own})
    if foreign:
        raise ModelError(f"{path.name} uses operators that are not of the ONNX standard: {', '.join(foreign[:10])}")


def _load_external(proto: onnx.ModelProto, path: Path, max_bytes: int) -> None:
    """Read weights that lie in other files of the same folder. onnx refuses places outside of it, too; here it is told in words."""
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
        except Exception as error:  # whatever a damaged file causes
            raise ModelError(f"the weights of {path.name} cannot be read: {str(error)[:300]}") from error
