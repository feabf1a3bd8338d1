"""Taking an ONNX file into the models folder: all of it, or nothing."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import onnx

from service.errors import ModelError
from service.models.drafting import Choices, Drafted, draft
from service.models.files import external_files, write_if_changed
from service.models.manifest import render
from service.models.reading import read_onnx

STAGING = f".adding-{os.getpid()}-"  # what folders of models that this process takes in begin with


def add(path: Path, models_dir: Path, choices: Choices) -> Path:
    """Take a file into the models folder, unseen; see `place`."""
    return place(path, models_dir, draft(read_onnx(path), path, choices))


def place(
    path: Path,
    models_dir: Path,
    drafted: Drafted,
    check: Callable[[Path], None] = lambda _: None,
    staging_dir: Path | None = None,
) -> Path:
    """Copy the file and its external weights into the models folder, and write its manifest beside it.

    Args:
        path: The ONNX file.
        models_dir: The folder, which is made if there is none.
        drafted: The manifest.
        check: Looks at the copy by the path of its manifest before it gets its place. If it raises, nothing remains.
        staging_dir: A folder of the same file system for that copy; the models folder if None.

    Returns:
        The path of the manifest.

    Raises:
        ModelError: The file would overwrite weights of another model.
    """
    manifest, weights = drafted.manifest, sorted(external_files(path))
    models_dir.mkdir(parents=True, exist_ok=True)
    _refuse_foreign_weights(path, models_dir, manifest.file, weights)
    with tempfile.TemporaryDirectory(dir=staging_dir or models_dir, prefix=STAGING) as folder:
        staging = Path(folder)
        shutil.copyfile(path, staging / manifest.file)
        for location in weights:
            shutil.copyfile(path.parent / location, staging / location)
        draft_path = staging / f"{manifest.name}.toml"
        write_if_changed(draft_path, render(manifest, drafted.guesses).encode())
        check(draft_path)
        for name in (*weights, manifest.file, draft_path.name):  # the manifest last: with it the model is there
            os.replace(staging / name, models_dir / name)
    return models_dir / draft_path.name


def operators(proto: onnx.ModelProto) -> Counter[str]:
    """How often each operator occurs."""
    return Counter(node.op_type for node in proto.graph.node)


def _refuse_foreign_weights(path: Path, models_dir: Path, file: str, weights: list[str]) -> None:
    """Raise `ModelError` for weights whose name means something else in the models folder.

    So does the name of a file that is there already and does not belong to the model that is replaced.
    """
    for location in weights:
        if location.startswith(".") or Path(location).suffix == ".toml":
            raise ModelError(f"weights cannot be in a file of the name {location!r}: that of a manifest or hidden")
    replaced = external_files(models_dir / file) if (models_dir / file).exists() else set()
    for location in weights:
        there = models_dir / location
        if there.exists() and location not in replaced and not there.samefile(path.parent / location):
            raise ModelError(f"{models_dir} has a file {location!r} already, which may belong to another model")
