"""The models folder and its models."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import ModelError, NotFound
from service.models import manifest as manifests
from service.models.facts import Facts, Output
from service.models.files import external_files
from service.models.manifest import Manifest

if TYPE_CHECKING:
    import onnx

    from service.models.adapt import Adapted


@dataclass(frozen=True)
class Model:
    """A model of the folder: its manifest and its ONNX file.

    What reads and changes graphs takes time and memory to be imported, which happens here, once a graph is needed.
    """

    manifest: Manifest
    path: Path

    @classmethod
    def of(cls, manifest: Manifest, adapted: "Adapted") -> "Model":
        """A model that exists only in memory."""
        model = cls(manifest, Path(manifest.file))
        model.__dict__.update(adapted=adapted, identity=None)
        return model

    def __reduce__(self) -> tuple[object, ...]:
        """Another process reads the files itself, and refuses them if they have changed."""
        return _read_again, (self.manifest, self.path, self.identity)

    @property
    def name(self) -> str:
        """The name in URLs."""
        return self.manifest.name

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the ONNX file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def identity(self) -> str | None:
        """A hash of all that the graph is made of: manifest, file and weights; None if there is no file to be read."""
        try:
            names = sorted(external_files(self.path))
        except (OSError, ModelError):
            return None
        found = hashlib.sha256(self.manifest.model_dump_json().encode())
        beside = (self.path.parent / name for name in names if Path(name).name == name)
        for path in (self.path, *beside):
            if path.is_file():  # what is missing, or elsewhere, is reported when the model is read
                with path.open("rb") as file:
                    found.update(hashlib.file_digest(file, "sha256").digest())
        return found.hexdigest()

    @cached_property
    def adapted(self) -> "Adapted":
        """The graph in the form of the service. Raises `ModelError` if the file cannot be used."""
        from service.models.adapt import adapt
        from service.models.reading import read_onnx
        from service.models.squeezenet import NAME

        try:
            return adapt(read_onnx(self.path), self.manifest)
        except ModelError as error:
            if self.name != NAME:
                raise
            raise ModelError(f"{error}; 'convlens build' writes it anew") from error

    @property
    def proto(self) -> "onnx.ModelProto":
        """The adapted graph. It is shared and must not be modified."""
        return self.adapted.proto

    @cached_property
    def facts(self) -> Facts:
        """What the graph says. Raises `ModelError` if the file cannot be used."""
        from service.autodiff import STRAIGHT_THROUGH
        from service.models.layers import image_layers, last_layer

        adapted = self.adapted
        layers = image_layers(adapted.proto, self.manifest)
        return Facts(
            height=adapted.height,
            width=adapted.width,
            batch=adapted.batch,
            quantized=any(node.op_type in STRAIGHT_THROUGH for node in adapted.proto.graph.node),
            layers=layers,
            outputs={output.name: _output(output) for output in adapted.proto.graph.output},
            last_layer=last_layer(adapted.proto, layers, self.manifest),
        )


_last_read: dict[str | None, Model] = {}  # by identity, one at most: several graphs are made of it


def _read_again(manifest: Manifest, path: Path, identity: str | None) -> Model:
    if identity not in _last_read:
        model = Model(manifest, path)
        if model.identity != identity:
            raise ModelError(f"{path.name} has changed since the model was opened; start the service again")
        _last_read.clear()
        _last_read[identity] = model
    return _last_read[identity]


def _output(output: "onnx.ValueInfoProto") -> Output:
    from onnx.helper import tensor_dtype_to_np_dtype

    tensor = output.type.tensor_type
    dims = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    return Output(tensor_dtype_to_np_dtype(tensor.elem_type).name, (None, *dims[1:]))


class Library:
    """All models of a folder by name, one per manifest.

    A manifest that cannot be used does not affect the others.

    Attributes:
        folder: The models folder.
        manifests: The file names of the manifests, by model name.
        broken: Why manifests cannot be used, by their file names without the suffix.
    """

    def __init__(self, models_dir: Path) -> None:
        self.folder = models_dir
        self.broken: dict[str, str] = {}
        self.manifests: dict[str, str] = {}
        self._models: dict[str, Model] = {}
        for path in sorted(models_dir.glob("*.toml")):
            try:
                manifest = manifests.read(path)
                if manifest.name in self._models:
                    raise ModelError(f"{path.name} has the name {manifest.name!r}, which another manifest has already")
            except ModelError as error:
                self.broken[path.stem] = str(error)
            else:
                self.manifests[manifest.name] = path.name
                self._models[manifest.name] = Model(manifest, models_dir / manifest.file)
        if not self._models:
            reasons = "; ".join(self.broken.values())
            raise ModelError(
                f"there is no model in {models_dir}; 'convlens build' writes the default one"
                f"{': ' if reasons else ''}{reasons}"
            )

    def __getitem__(self, name: str) -> Model:
        try:
            return self._models[name]
        except KeyError:
            raise NotFound(f"there is no model {name!r}; there are: {', '.join(self._models)}") from None

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())
