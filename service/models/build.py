"""Building the default model into the models folder."""

from pathlib import Path

from service.models import squeezenet
from service.models.files import write_if_changed
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
