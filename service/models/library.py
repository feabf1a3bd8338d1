"""The models folder: which models there are, and reading them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from service.errors import ModelError, NotFound
from service.models import manifest as manifests
from service.models.manifest import Manifest


@dataclass(frozen=True)
class Model:
    """A model of the folder: its manifest and its ONNX file."""

    manifest: Manifest
    path: Path

    @classmethod
    def of(cls, manifest: Manifest, proto: onnx.ModelProto) -> "Model":
        """A model that is in memory only."""
        model = cls(manifest, Path(manifest.file))
        model.__dict__["_data"] = proto.SerializeToString()
        return model

    @property
    def name(self) -> str:
        """The name in URLs."""
        return self.manifest.name

    @cached_property
    def _data(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read {self.path}: {error.strerror}; 'convlens build' writes it") from error

    @cached_property
    def sha256(self) -> str:
        """Hash of the ONNX file."""
        return hashlib.sha256(self._data).hexdigest()

    @cached_property
    def proto(self) -> onnx.ModelProto:
        """The graph, checked. Not to be changed."""
        try:
            proto = onnx.load_model_from_string(self._data)
            onnx.checker.check_model(proto, full_check=True)
        except (DecodeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ModelError(f"{self.path} is no valid ONNX file: {error}; 'convlens build' writes it anew") from error
        return proto


class Library:
    """All models of a folder by name, one per manifest."""

    def __init__(self, models_dir: Path) -> None:
        self._models: dict[str, Model] = {}
        for path in sorted(models_dir.glob("*.toml")):
            manifest = manifests.read(path)
            self._models[manifest.name] = Model(manifest, models_dir / manifest.file)
        if not self._models:
            raise ModelError(f"there is no model in {models_dir}; 'convlens build' writes the default one")

    def __getitem__(self, name: str) -> Model:
        try:
            return self._models[name]
        except KeyError:
            raise NotFound(f"there is no model {name!r}; there are: {', '.join(self._models)}") from None

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())
