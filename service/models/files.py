"""The files of the models folder."""

import mmap
import os
import tempfile
from pathlib import Path

from service.errors import ModelError

_LOCATION = b"location"  # the key under which a tensor tells the name of its file


def external_files(path: Path) -> set[str]:
    """The names of the files beside an ONNX file that hold its weights. Raises `ModelError` if it cannot be parsed."""
    if not _has(path, _LOCATION):
        return set()
    import onnx  # takes time and memory to be imported
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ModelError(f"{path.name} is no valid ONNX file: {error}") from error
    entries = (entry for tensor in proto.graph.initializer for entry in tensor.external_data)
    return {entry.value for entry in entries if entry.key == _LOCATION.decode()}


def _has(path: Path, text: bytes) -> bool:
    """Whether the text is anywhere in the file."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return mapped.find(text) >= 0


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
