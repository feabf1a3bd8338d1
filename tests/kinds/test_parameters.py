"""Parameters of jobs on their way into the record and back."""

from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError

from service.api.job_parameters import parse
from service.api.parameters import SaliencyParameters
from service.kinds import KINDS
from service.kinds.feature import FromNoise
from service.networks.network import Network
from service.saliency.job import SaliencyJobParameters
from service.synthesis.names import PresetName
from service.synthesis.presets import PRESETS, Hyperparameters

NOISE: dict[str, Any] = {
    "model": "squeezenet1_1",
    "seed": 1,
    "preview_every": 25,
    "preset": "lucid",
    "start": "uniform",
    "iterations": 512,
}
NOISE |= {"learning_rate": 0.05, "l2_reg": 0.0, "blur_every": 0, "blur_sigma": 0.5, "max_jitter": 8, "size": 224}
PHOTO: dict[str, Any] = {"model": "squeezenet1_1", "seed": 1, "preview_every": 25, "size": 224, "resize": "native"}

# Kind, class, request, and what is stored for it, by version 0.1 if that had the kind.
STORED: list[tuple[str, int | None, dict[str, Any], dict[str, Any]]] = [
    ("class", 76, {"preset": "lucid"}, NOISE),
    ("neuron", None, {"preset": "lucid", "layer": "fire6", "channel": 12}, NOISE | {"layer": "fire6", "channel": 12}),
    (
        "target",
        None,
        {"preset": "lucid", "target": {"layer": "fire6", "index": [12, 6, 6]}},
        NOISE | {"target": '{"layer": "fire6", "index": [12, 6, 6]}'},
    ),
    (
        "spritemap",
        None,
        {"layer": "fire6", "first": 300},
        {"model": "squeezenet1_1", "seed": 1, "preview_every": 25, "size": 64, "layer": "fire6", "first": 300}
        | {"count": 64, "iterations": 100, "learning_rate": 0.05, "max_jitter": 4},
    ),
    ("fooling", 817, {}, PHOTO | {"iterations": 100, "learning_rate": 1.0}),
    ("inversion", None, {}, PHOTO | {"layer": "fire3", "iterations": 300, "learning_rate": 0.1, "variation": 0.5}),
    (
        "caricature",
        None,
        {"power": 3},
        PHOTO | {"layer": "fire5", "power": 3.0, "iterations": 256, "learning_rate": 0.05, "max_jitter": 4},
    ),
    (
        "deepdream",
        None,
        {"octaves": 2},
        PHOTO
        | {"preview_every": 10, "size": 384, "layer": "fire7", "channel": None, "octaves": 2, "octave_scale": 1.4}
        | {"steps_per_octave": 10, "learning_rate": 1.5, "max_jitter": 32, "iterations": 20},
    ),
    (
        "style",
        None,
        {"style_layers": "fire2, fire3", "style_weights": "1,2"},
        PHOTO
        | {"content_layer": "fire2", "style_layers": ["fire2", "fire3"], "style_weights": [1.0, 2.0]}
        | {"content_weight": 0.2, "variation": 0.5, "start": "content", "iterations": 200, "learning_rate": 0.1},
    ),
]


# What later versions store as well; jobs of version 0.1 have the defaults.
LATER: dict[str, dict[str, Any]] = {"neuron": {"weights": None, "pictures": 1, "diversity": 1.0}}


def test_every_kind_is_here() -> None:
    assert list(KINDS) == [kind for kind, *_ in STORED]


@pytest.mark.parametrize(("kind", "class_id", "asked", "stored"), STORED, ids=list(KINDS))
def test_a_record_keeps_all_parameters_and_gives_them_back(
    network: Network, kind: str, class_id: int | None, asked: dict[str, Any], stored: dict[str, Any]
) -> None:
    of_class = {} if class_id is None else {"class_id": class_id}
    completed = parse({"kind": kind, "seed": 1, **of_class, **asked}).completed(network)
    assert completed.to_record() == stored | LATER.get(kind, {})
    for each in (stored, completed.to_record()):
        assert KINDS[kind].parameters.from_record(kind, class_id, each) == completed


def test_a_record_that_lacks_something_is_refused() -> None:
    with pytest.raises(ValidationError, match="layer"):
        KINDS["neuron"].parameters.from_record("neuron", None, NOISE | {"channel": 12})


def test_a_completed_job_has_a_seed_of_its_own(network: Network) -> None:
    first, second = (parse({"class_id": 1}).completed(network).seed for _ in range(2))
    assert None not in (first, second)
    assert first != second
    assert parse({"class_id": 1, "seed": 0}).completed(network).seed == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_given_takes_the_place_of_the_defaults_of_a_preset(preset: PresetName) -> None:
    given: dict[str, Any] = {"iterations": 7, "learning_rate": 3.0, "l2_reg": 0.0}
    given |= {"blur_every": 0, "blur_sigma": 0.0, "max_jitter": 0}
    assert given.keys() == {field.name for field in fields(Hyperparameters)}
    plain = FromNoise(kind="class", preset=preset)
    assert plain.hyperparameters == PRESETS[preset].defaults
    assert FromNoise(kind="class", preset=preset, **given).hyperparameters == Hyperparameters(**given)


def test_a_batch_is_a_list_of_classes_even_of_one() -> None:
    one, listed = parse({"class_id": 3}), parse({"class_id": [3]})
    assert (one.class_ids, listed.class_ids) == ([3], [3])
    assert (one.is_batch, listed.is_batch) == (False, True)


def test_saliency_jobs_of_the_previous_version_can_be_read() -> None:
    stored: dict[str, Any] = {
        "model": "squeezenet1_1",
        "method": "smoothgrad",
        "values": {"samples": 20, "noise": 0.15, "seed": 0},
        "resize": "squash",
        "other_class_id": None,
        "style": {"output": "heatmap", "colormap": "inferno", "opacity": 0.9, "smoothing": 0.0, "max_side": 1024}
        | {"sign": None},
    }
    parameters = SaliencyJobParameters.model_validate(stored)
    assert parameters.model_dump(mode="json") == stored | {"target": None}
    asked = SaliencyParameters.model_validate({"method": "smoothgrad", "samples": 20}).completed("application/json")
    assert asked.method_values == stored["values"]


def test_a_spritemap_ends_with_the_layer(network: Network) -> None:
    asked = {"kind": "spritemap", "layer": "fire6"}
    assert parse({**asked, "first": 380}).completed(network).to_record()["count"] == 4  # of 384
    assert parse({**asked, "size": 224}).completed(network).to_record()["count"] == 10  # pictures of that size
    assert parse({**asked, "first": 380, "count": 2}).completed(network).to_record()["count"] == 2
