"""Drafts of manifests: evidence, guesses and what the user says."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from service.cli.main import main
from service.errors import ModelError
from service.models.drafting import Choices, Drafted, draft
from service.models.importing import add
from service.models.labels import read_labels
from service.models.manifest import Manifest, Preprocessing, read, slug
from service.models.reading import read_onnx
from service.models.usual import PREPROCESSINGS
from service.networks.checking import standalone
from service.networks.trials import Limits, Tried
from tests.models.networks import CLASSES, classifier, write
from tests.waiting import eventually


def drafted(model: onnx.ModelProto, folder: Path, **choices: object) -> Drafted:
    path = write(model, folder)
    return draft(read_onnx(path), path, Choices(**choices))  # type: ignore[arg-type]


def by(producer: str, **form: object) -> onnx.ModelProto:
    model = classifier(**form)  # type: ignore[arg-type]
    model.producer_name = producer
    return model


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (by("pytorch"), "imagenet"),
        (by("PaddlePaddle"), "imagenet"),
        (by("onnx-caffe2"), "caffe"),
        (by("tf2onnx", layout="NHWC"), "symmetric"),
        (by("", size=32), "unit"),
    ],
    ids=["pytorch", "paddle", "caffe", "keras", "unknown"],
)
def test_preprocessing_is_guessed_by_evidence_and_marked(model: onnx.ModelProto, name: str, tmp_path: Path) -> None:
    found = drafted(model, tmp_path)
    assert found.manifest.preprocessing == PREPROCESSINGS[name]
    guess = found.guesses["preprocessing"]
    assert guess.startswith(f"guess: {name}, since ")
    assert all(other in guess for other in PREPROCESSINGS)
    place = add(tmp_path / "toy.onnx", tmp_path / "models", Choices())
    assert "# guess: " + guess.removeprefix("guess: ").splitlines()[0] in place.read_text().splitlines()
    assert read(place) == found.manifest


@pytest.mark.parametrize(("preprocessing", "scale"), [("bytes", 255.0), ("unit", 1.0)])
def test_arithmetic_in_the_graph_is_no_guess(preprocessing: str, scale: float, tmp_path: Path) -> None:
    found = drafted(by("pytorch", preprocessing=preprocessing), tmp_path)
    assert found.manifest.preprocessing.scale == scale
    assert "preprocessing" not in found.guesses


def test_a_usual_preprocessing_can_be_named(tmp_path: Path) -> None:
    found = drafted(by("pytorch"), tmp_path, preprocessing="caffe")
    assert found.manifest.preprocessing == PREPROCESSINGS["caffe"]
    assert "preprocessing" not in found.guesses
    with pytest.raises(ModelError, match="for RGB there is no preprocessing 'mnist'; there are: imagenet, unit"):
        drafted(by("pytorch"), tmp_path, preprocessing="mnist")


def test_one_number_is_for_all_channels_and_others_must_fit() -> None:
    assert Preprocessing(mean=(0.5,)).mean == (0.5, 0.5, 0.5)
    assert Preprocessing(channels="L").std == (1.0,)
    with pytest.raises(ValueError, match="mean has 2 numbers for 3 channels"):
        Preprocessing(mean=(1, 2))
    with pytest.raises(ValueError, match="std must not be 0"):
        Preprocessing(std=(1, 0, 1))


def test_a_size_is_a_number_or_two(tmp_path: Path) -> None:
    common = {"name": "m", "title": "m", "file": "m.onnx", "labels": ["a"]}
    assert Manifest.model_validate({**common, "size": 32}).size == (32, 32)
    wide = Manifest.model_validate({**common, "size": [24, 96]})
    assert (wide.size, wide.model_dump(mode="json")["size"]) == ((24, 96), [24, 96])
    with pytest.raises(ModelError, match="of the height 32 only, not 64"):
        drafted(classifier(size=32), tmp_path, size=(64, 64))


@pytest.mark.parametrize(
    ("stem", "name"), [("my model (1)", "my-model-1"), ("a.b-c_d", "a.b-c_d"), ("模型", "model"), ("x" * 90, "x" * 64)]
)
def test_names_are_made_from_any_file_name(stem: str, name: str) -> None:
    assert slug(stem) == name


def test_labels_of_a_file_with_a_byte_order_mark_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffcat\r\ndog\n\n\n".encode())
    assert read_labels(str(path)) == ("cat", "dog")
    assert len(read_labels("imagenet")) == 1000
    with pytest.raises(ModelError, match="cannot read the labels"):
        read_labels(str(tmp_path / "none"))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="no text in UTF-8"):
        read_labels(str(path))


NAMES = [f"thing {i}" for i in range(CLASSES)]


@pytest.mark.parametrize(
    ("key", "value"),
    [("names", str(dict(enumerate(NAMES)))), ("labels", "\n".join(NAMES)), ("classes", json.dumps(NAMES))],
)
def test_labels_in_the_metadata(key: str, value: str, tmp_path: Path) -> None:
    model = classifier()
    model.metadata_props.add(key=key, value=value)
    found = drafted(model, tmp_path)
    assert found.manifest.labels == tuple(NAMES)
    assert "labels" not in found.guesses


def dictionaries() -> onnx.ModelProto:
    """What exporters of scikit-learn and Custom Vision put behind a softmax: a name, and a dictionary of names."""
    model = classifier(softmax=True)
    strings = helper.make_tensor("names", onnx.TensorProto.STRING, [CLASSES], [name.encode() for name in NAMES])
    model.graph.node.extend(
        [
            helper.make_node("Constant", [], ["names"], value=strings),
            helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0),
            helper.make_node("ArrayFeatureExtractor", ["names", "best"], ["label"], domain="ai.onnx.ml"),
            helper.make_node("ZipMap", ["scores"], ["all"], domain="ai.onnx.ml", classlabels_strings=NAMES),
        ]
    )
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("label", onnx.TensorProto.STRING, None))
    values = helper.make_map_type_proto(onnx.TensorProto.STRING, helper.make_tensor_type_proto(1, []))
    model.graph.output.append(helper.make_value_info("all", helper.make_sequence_type_proto(values)))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    return model


def test_dictionaries_behind_the_scores_are_taken_off_and_name_the_classes(tmp_path: Path) -> None:
    network = standalone(add(write(dictionaries(), tmp_path / "from"), tmp_path / "models", Choices(size=(32, 32))))
    assert network.model.manifest.labels == tuple(NAMES)
    plain = standalone(add(write(classifier(softmax=True), tmp_path), tmp_path / "plain", Choices(size=(32, 32))))
    image = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    np.testing.assert_array_equal(network.classify(image), plain.classify(image))


def test_other_weights_are_not_overwritten(tmp_path: Path) -> None:
    models = tmp_path / "models"
    first = write(classifier(), tmp_path / "a", "one.onnx", external=True)
    other = write(classifier(activation="Tanh"), tmp_path / "b", "two.onnx", external=True)
    add(first, models, Choices())
    with pytest.raises(ModelError, match=r"has a file 'toy\.weights' already"):
        add(other, models, Choices())
    assert sorted(path.name for path in models.iterdir()) == ["one.onnx", "one.toml", "toy.weights"]
    add(first, models, Choices())  # again


def hardmax(folder: Path) -> Path:
    """A file without a gradient."""
    return write(classifier(activation="Hardmax"), folder, "hard.onnx")


def test_adding_in_vain_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "models"
    assert main(["add", str(hardmax(tmp_path)), "--models-dir", str(models)]) == 2
    assert "convlens: " in capsys.readouterr().err
    assert list(models.iterdir()) == []


def test_the_command_line_says_what_it_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(by("pytorch"), tmp_path / "from", "my model.onnx")
    assert main(["add", str(path), "--models-dir", str(tmp_path / "models")]) == 0
    told = capsys.readouterr().out
    assert "my-model.toml" in told
    for line in ("preprocessing guess: imagenet", "labels      numbers", "size        guess: 224", "scores      guess"):
        assert line in told
    assert "--labels FILE" in told


def test_trying_out_preprocessings_on_a_photograph(
    tmp_path: Path, cat: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(by("pytorch"), tmp_path / "from")
    (tmp_path / "cat.png").write_bytes(cat)
    models = tmp_path / "models"
    assert main(["add", str(path), "--models-dir", str(models), "--try", str(tmp_path / "cat.png")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in told if not line.startswith(" ")] == list(PREPROCESSINGS)
    assert sum("the guess" in line for line in told) == 1
    assert sum("class " in line for line in told) == 5 * len(PREPROCESSINGS)
    assert not models.exists()


def test_what_was_tried_out_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = add(write(classifier(size=32), tmp_path), tmp_path / "models", Choices())
    trials: list[Path] = []

    def trial(manifest: Path, _: Limits) -> str | None:
        trials.append(manifest)
        return "bad luck" if len(trials) == 1 else None

    monkeypatch.setattr("service.networks.trials.check_in_child", trial)
    limits = Limits(60, 2**33)
    for expected, count in (("bad luck", 1), (None, 2), (None, 2), (None, 2)):
        assert Tried(place.parent).check(place, limits) == expected
        assert len(trials) == count
    place.write_text(place.read_text().replace("class 3", "something"))
    assert Tried(place.parent).check(place, limits) is None
    assert len(trials) == 3
    tensor = numpy_helper.from_array(np.zeros(1, np.float32), "more")
    model = classifier(size=32)
    model.graph.initializer.append(tensor)
    (place.parent / "toy.onnx").write_bytes(model.SerializeToString())
    assert Tried(place.parent).check(place, limits) is None
    assert len(trials) == 4


def test_a_pipe_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    assert main(["inspect", str(tmp_path / "pipe.onnx")]) == 2
    assert "is no file" in capsys.readouterr().err


def test_adding_ends_when_it_takes_too_long_and_leaves_nothing(tmp_path: Path) -> None:
    path, models = write(classifier(size=32), tmp_path / "from"), tmp_path / "models"
    command = [
        sys.executable,
        "-m",
        "service",
        "add",
        str(path),
        "--models-dir",
        str(models),
        "--check-seconds",
        "0.001",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    assert done.stderr.endswith("convlens: this takes longer than 0.005 seconds; see --check-seconds\n")
    assert not models.exists() or list(models.iterdir()) == []


def test_a_trial_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "trial = 'from service.networks import trials; trials.die_with_parent(); import time\\n'\n"
        "trial += 'print(1, flush=True); time.sleep(600)'\n"
        "child = subprocess.Popen([sys.executable, '-c', trial], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as parent:
        assert parent.stdout is not None
        child = Path(f"/proc/{int(parent.stdout.readline())}")
        assert child.exists()
        parent.kill()

    def is_alive() -> bool:
        with suppress(OSError):
            return " Z " not in (child / "stat").read_text()
        return False

    eventually(lambda: not is_alive())
