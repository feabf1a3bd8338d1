"""The files of the models folder."""

import os
import tempfile
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from service.errors import ModelError


def external_files(path: Path) -> set[str]:
    """The names of the files beside an ONNX file that hold its weights. Raises `ModelError` if it cannot be parsed."""
    try:
        proto = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ModelError(f"{path.name} is no valid ONNX file: {error}") from error
    entries = (entry for tensor in proto.graph.initializer for entry in tensor.external_data)
    return {entry.value for entry in entries if entry.key == "location"}


def write_if_changed(path: Path, data: bytes) -> bool:
    """Replace the file atomically, unless it already contains ``data``. Returns whether the file was written."""
    if path.exists() and path.read_bytes() == data:
        return False
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True
