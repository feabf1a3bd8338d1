"""Building the default model into the models folder."""

import os
import tempfile
from pathlib import Path

from service.models import squeezenet
from service.models.manifest import render
from service.models.weights import squeezenet_weights


def build(models_dir: Path, weights: Path | None = None) -> list[Path]:
    """Write the ONNX file and the manifest of SqueezeNet 1.1, and return the files that changed."""
    contents = {
        f"{squeezenet.NAME}.onnx": squeezenet.build(squeezenet_weights(weights)).SerializeToString(deterministic=True),
        f"{squeezenet.NAME}.toml": render(squeezenet.manifest()).encode(),
    }
    models_dir.mkdir(parents=True, exist_ok=True)
    return [path for name, data in contents.items() if write_if_changed(path := models_dir / name, data)]


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
