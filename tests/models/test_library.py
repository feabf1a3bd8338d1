"""The models folder."""

from pathlib import Path

import pytest

from service.errors import ModelError, NotFound
from service.models import squeezenet
from service.models.library import Library
from service.models.manifest import read, render


def test_a_manifest_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(render(squeezenet.manifest()))
    assert read(path) == squeezenet.manifest()


@pytest.mark.parametrize(("text", "message"), [
    ("name = ", "bad.toml cannot be used"), ('name = "a"', "file"), ('name = "../a"', "name"), ('nmae = "a"', "nmae"),
    ('name = "a"\nfile = "../../etc/passwd.onnx"', "file"),
])  # fmt: skip
def test_a_manifest_that_is_wrong_says_what(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(ModelError, match=message):
        Library(tmp_path)


def test_an_empty_folder_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'convlens build' writes"):
        Library(tmp_path)


def test_an_unknown_model_names_the_known_ones(models_dir: Path) -> None:
    with pytest.raises(NotFound, match=r"no model 'vgg'; there are: squeezenet1_1"):
        Library(models_dir)["vgg"]


def test_a_missing_or_damaged_file_names_the_remedy(tmp_path: Path, models_dir: Path) -> None:
    (tmp_path / "squeezenet1_1.toml").write_bytes((models_dir / "squeezenet1_1.toml").read_bytes())
    with pytest.raises(ModelError, match=r"cannot read .*'convlens build' writes it anew"):
        _ = Library(tmp_path)["squeezenet1_1"].proto
    (tmp_path / "squeezenet1_1.onnx").write_bytes((models_dir / "squeezenet1_1.onnx").read_bytes()[:-500])
    with pytest.raises(ModelError, match="no valid ONNX file"):
        _ = Library(tmp_path)["squeezenet1_1"].proto
