"""All that foreign networks compute, and what the inference protocols tell of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from service.api.inference_answers import inferred, metadata, outputs_wanted, rows
from service.api.inference_schemas import InferRequest
from service.errors import InvalidParameter, TooLarge
from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import standalone
from service.networks.network import Network
from service.pictures.images import Fitted
from service.saliency import infer as inference
from service.saliency.infer import infer
from service.saliency.intake import Intake, seen
from service.telemetry.timing import Stopwatch
from tests.models.networks import COLOURS, classifier, detector, embedder, segmenter, write

Array = np.ndarray[Any, Any]


def added(folder: Path, model: Any, **choices: Any) -> Network:
    return standalone(add(write(model, folder / "from"), folder / "models", Choices(**choices)))


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return added(tmp_path_factory.mktemp("colours"), segmenter(), labels=COLOURS, preprocessing="unit")


def noise(number: int, side: int) -> Array:
    return np.random.default_rng(1).random((number, 3, side, side), np.float32)


def test_the_probabilities_are_those_of_the_file_whatever_it_takes(tmp_path: Path) -> None:
    model = classifier(layout="NHWC", softmax=True, batch=2, size=32)
    network = added(tmp_path, model, preprocessing="caffe")
    images = noise(3, 32)
    means = np.array([103.939, 116.779, 123.68], np.float32)
    pixels = images[:, ::-1].transpose(0, 2, 3, 1) * np.float32(255) - means
    file = ort.InferenceSession(model.SerializeToString())
    expected = [file.run(None, {"pixels": np.stack([one, one])})[0][0] for one in pixels]
    found = infer(network, [Fitted.of(one) for one in images])
    assert found["probabilities"] == pytest.approx(np.array(expected), abs=1e-5)
    assert rows(network, found) == found["probabilities"].tolist()
    told = metadata(network)
    assert [(one.name, one.datatype, one.shape) for one in told.inputs] == [("pixels", "FP32", [-1, 3, 32, 32])]
    assert [(one.name, one.shape) for one in told.outputs][1:] == [("scores", [-1, 7]), ("probabilities", [-1, 7])]
    assert found["scores"] == pytest.approx(found["probabilities"], abs=1e-6)  # the output of the file


def test_several_outputs(colours: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(3, 64)
    pictures = [Fitted.of(one) for one in images]
    found = infer(colours, pictures)
    (maps,) = ort.InferenceSession(segmenter().SerializeToString()).run(None, {"pixels": images})
    assert found["maps"] == pytest.approx(maps, abs=1e-4)
    assert {one.name: one.shape for one in metadata(colours).outputs} == {
        "scores": [-1, 4],
        "maps": [-1, 4, 64, 64],
        "probabilities": [-1, 4],
    }
    told: Any = rows(colours, found)
    assert [one.keys() for one in told] == [found.keys()] * 3
    assert np.array_equal(np.array(told[2]["maps"], np.float32), found["maps"][2])

    open_ = added(tmp_path, segmenter(size="S"), labels=COLOURS, preprocessing="unit", size=(64, 64))  # type: ignore[arg-type]
    assert [one.shape for one in metadata(open_).outputs][1] == [-1, 4, -1, -1]
    for network in (colours, open_):
        with monkeypatch.context() as patch:
            patch.setattr(inference, "MOST_BYTES", 2 * maps[0].nbytes)
            assert infer(network, pictures[:1]).keys() == found.keys()
            with pytest.raises(InvalidParameter, match="of 3 pictures are 196,656 bytes, more than 131,072"):
                infer(network, pictures)
        assert np.array_equal(infer(network, pictures)["maps"], found["maps"])


def test_vectors_are_no_probabilities(tmp_path: Path) -> None:
    network = added(tmp_path, embedder(), task="embedding", preprocessing="unit")
    found = infer(network, [Fitted.of(one) for one in noise(2, network.size[0])])
    assert [*found] == ["vector", "features"] == [one.name for one in metadata(network).outputs]


def test_classes_are_of_rows(colours: Network) -> None:
    asked = InferRequest.model_validate(
        {
            "inputs": [{"name": "pixels", "shape": [1], "datatype": "BYTES", "data": []}],
            "outputs": [{"name": "maps", "parameters": {"classification": 1}}],
        }
    )
    with pytest.raises(InvalidParameter, match="maps has no row of numbers"):
        inferred(colours, asked, outputs_wanted(asked, colours), infer(colours, [Fitted.of(noise(1, 64)[0])]))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16])
def test_the_largest_of_any_numbers(colours: Network, dtype: Any) -> None:
    asked = InferRequest.model_validate(
        {
            "inputs": [{"name": "pixels", "shape": [1], "datatype": "BYTES", "data": []}],
            "outputs": [{"name": "scores", "parameters": {"classification": 9}}],
        }
    )
    found = {"scores": np.array([[0, 0, 1, 0]], dtype)}
    (output,) = json.loads(bytes(inferred(colours, asked, outputs_wanted(asked, colours), found).body))["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1, 4])
    assert output["data"] == ["1.000000:2:green", "0.000000:0:nothing", "0.000000:1:red", "0.000000:3:blue"]


def test_what_is_no_number_is_null(colours: Network) -> None:
    asked = InferRequest.model_validate(
        {
            "inputs": [{"name": "pixels", "shape": [1], "datatype": "BYTES", "data": []}],
            "outputs": [{"name": "scores"}],
        }
    )
    found = {"scores": np.array([[np.nan, np.inf, 1, 2]], np.float32)}
    body = inferred(colours, asked, outputs_wanted(asked, colours), found).body
    assert json.loads(bytes(body))["outputs"][0]["data"] == [None, None, 1, 2]


def test_what_a_suppression_leaves_is_no_output_for_each_picture(tmp_path: Path) -> None:
    path = add(write(detector("suppressed"), tmp_path / "from"), tmp_path / "models", Choices(labels=("r", "g", "b")))
    path.write_text(f'outputs = ["kept"]\n{path.read_text().replace("outputs = []", "")}')
    network, pictures = standalone(path), [Fitted.of(one) for one in noise(2, 64)]
    with pytest.raises(InvalidParameter, match="kept of toy has no row for each picture; send one at a time"):
        infer(network, pictures)
    found = infer(network, [Fitted.of(np.zeros((3, 64, 64), np.float32))])
    assert found["kept"].shape == (0, 4)
    with pytest.raises(InvalidParameter, match="ask /v2 for it"):
        rows(network, found)


def test_pixels_are_counted_like_those_of_files(colours: Network) -> None:
    how = Intake("squash", "exact", max_pixels=15, max_side=100)
    with pytest.raises(TooLarge, match="4 x 4 pixels, more than 15"):
        seen(colours, [np.zeros((4, 4, 3), np.uint8)], how, Stopwatch())


def test_pictures_of_several_sizes_are_no_tensor(colours: Network) -> None:
    with pytest.raises(InvalidParameter, match="of different sizes"):
        infer(colours, [Fitted.of(noise(1, side)[0]) for side in (64, 65)])
