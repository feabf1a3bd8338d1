"""Parametrizations, transforms, optimizers and the ascent against independent formulations and published algorithms."""

from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from service.kinds.plan import measure_class
from service.networks.network import Network
from service.synthesis.ascent import MAX_RESTARTS, Recipe, State, ascend, begin
from service.synthesis.names import PresetName
from service.synthesis.optimizers import Adam, Ascent, CalibratedAscent
from service.synthesis.parametrization import MEAN, STD, Fourier, Phases, Pixels, Start
from service.synthesis.photographs import NormalizedPhoto, Octaves
from service.synthesis.presets import PRESETS, defaults_of
from service.synthesis.transforms import Jitter, Wobble, bilinear

SIZE = 33
PHOTO = np.random.default_rng(2).random((3, 15, 15))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def recipe(preset: PresetName, iterations: int, size: int, start: Start = "uniform") -> Recipe:
    hyperparameters = replace(PRESETS[preset].defaults, iterations=iterations)
    return PRESETS[preset].recipe(hyperparameters, (size, size), start)


@dataclass
class Bowl:
    """A score with a known top: −½‖image − target‖²."""

    target: np.ndarray
    zeros: int = 0
    calls: int = field(default=0)

    def __call__(self, image: np.ndarray) -> "Bowl.Point":
        self.calls += 1
        difference = self.target - image
        flat = self.calls <= self.zeros
        return Bowl.Point(
            -0.5 * float((difference**2).sum()),
            difference * (not flat),
            1 if self.calls > 5 else 2,
            0.5,
            self.calls == 2,
        )

    @dataclass
    class Point:
        score: float
        gradient: np.ndarray
        rank: int
        probability: float
        before_relu: bool


@pytest.mark.parametrize(
    "parametrization",
    [
        Pixels((SIZE, SIZE), "uniform"),
        Fourier((SIZE, SIZE)),
        Fourier((SIZE + 1, SIZE + 1)),
        Fourier((SIZE + 3, SIZE - 4)),
        Phases((SIZE, SIZE)),
        Phases((SIZE + 1, SIZE + 1)),
        Phases((SIZE - 2, SIZE + 5)),
        NormalizedPhoto(PHOTO, clip=False),
        Octaves(PHOTO, 1, 1.4, 10),
    ],
    ids=["pixels", "odd", "even", "wide", "odd phases", "even phases", "high phases", "photo", "octaves"],
)
def test_pulling_back_is_the_gradient(parametrization: Pixels | Fourier) -> None:
    z = parametrization.start(rng())
    if isinstance(parametrization, Pixels):
        z *= 0.9  # away from the clip
    d_image, v = rng(1).normal(size=parametrization.image(z).shape), rng(2).normal(size=z.shape)
    step = 1e-6
    difference = (parametrization.image(z + step * v) - parametrization.image(z - step * v)) / (2 * step)
    assert np.sum(parametrization.pull_back(z, parametrization.image(z), d_image) * v) == pytest.approx(
        np.sum(d_image * difference), rel=1e-6
    )


@pytest.mark.parametrize("transform", [Jitter(5), Wobble((SIZE, SIZE), 8, (0.9, 1.1), 10)], ids=["jitter", "wobble"])
def test_the_adjoint_is_the_transpose(transform: Jitter | Wobble) -> None:
    drawn = transform.draw(rng(3))
    x, d = rng(1).normal(size=(3, SIZE, SIZE)), rng(2).normal(size=(3, SIZE, SIZE))
    linear = drawn.apply(x) - drawn.apply(np.zeros_like(x))
    assert np.sum(linear * d) == pytest.approx(np.sum(x * drawn.adjoint(d)))


def test_sampling_agrees_with_scipy() -> None:
    angle, factor, shift = 0.1, 1.07, np.array([2.0, -3.0])
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / factor
    x = rng().normal(size=(SIZE, SIZE))
    expected = affine_transform(x, matrix, shift, order=1, mode="grid-constant")
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij"))
    y_at, x_at = np.tensordot(matrix, grid, axes=1) + shift[:, None, None]
    np.testing.assert_allclose(
        (bilinear(y_at, x_at, (SIZE, SIZE)) @ x.ravel()).reshape(SIZE, SIZE), expected, atol=1e-12
    )


def test_jitter_reaches_both_ends_and_no_further() -> None:
    point = np.zeros((3, SIZE, SIZE))
    point[:, 16, 16] = 1
    generator = rng()
    found = {tuple(int(n) - 16 for n in np.argwhere(Jitter(2).draw(generator).apply(point)[0])[0]) for _ in range(500)}
    assert found == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}


def test_beyond_the_edge_it_is_grey() -> None:
    grey = np.full((3, SIZE, SIZE), 0.5)
    np.testing.assert_allclose(Wobble((SIZE, SIZE), 8, (0.5, 0.5), 45).draw(rng()).apply(grey), 0.5)


def test_adam_agrees_with_the_paper() -> None:
    z, memory, m, v = np.zeros(3), {}, np.zeros(3), np.zeros(3)
    adam, mine = Adam(0.1), np.zeros(3)
    for t in range(1, 6):
        g = rng(t).normal(size=3)
        z = adam.step(z, g, memory)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        mine = mine + 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(z, mine, rtol=1e-12)


def bowl_recipe(iterations: int = 60) -> Recipe:
    return Recipe(Pixels((8, 8), "uniform", 0, 0), [], Ascent(1.0), iterations, 0.0)


def test_the_ascent_reaches_the_top_and_notes_what_it_sees() -> None:
    bowl = Bowl(rng().uniform(0.2, 0.8, (3, 8, 8)).astype(np.float32))
    state = begin(bowl_recipe(), 1)
    *_, last = ascend(bowl, bowl_recipe(), state)
    np.testing.assert_allclose(last.image(), bowl.target, atol=0.06)
    assert state.scores == sorted(state.scores)
    assert (len(state.scores), state.first_at_rank_1, state.steps_before_relu) == (60, 5, 1)


def test_a_start_without_a_gradient_is_drawn_again_and_counted() -> None:
    bowl, state = Bowl(np.full((3, 8, 8), 0.5), zeros=3), begin(bowl_recipe(), 1)
    before = state.z.copy()
    next(ascend(bowl, bowl_recipe(), state))
    assert state.restarts == 3
    assert not np.allclose(before, state.z)
    hopeless = begin(bowl_recipe(2), 1)
    list(ascend(Bowl(np.full((3, 8, 8), 0.5), zeros=10**6), bowl_recipe(2), hopeless))
    assert (hopeless.step, hopeless.restarts) == (2, MAX_RESTARTS)


@pytest.mark.parametrize("preset", ["cs231n", "lucid"])
def test_a_saved_ascent_goes_on_as_if_it_had_never_stopped(network: Network, preset: PresetName) -> None:
    made = recipe(preset, 12, 64)
    measure = measure_class(network, 76)
    undisturbed = begin(made, 5)
    list(ascend(measure, made, undisturbed))
    state = begin(made, 5)
    for _ in zip(range(7), ascend(measure, made, state), strict=False):
        pass
    resumed = State.load(state.save())
    list(ascend(measure, made, resumed))
    np.testing.assert_array_equal(resumed.z, undisturbed.z)
    assert resumed.scores == undisturbed.scores


@pytest.mark.parametrize("start", ["uniform", "normal"])
def test_cs231n_is_the_published_algorithm(network: Network, start: Start) -> None:
    """Written out once more, as the notebook does it: roll, step, roll back, clip, blur."""
    made = recipe("cs231n", 21, 64, start)
    state = begin(made, 3)
    list(ascend(measure_class(network, 530), made, state))

    generator = np.random.Generator(np.random.PCG64(3))
    z = generator.normal(size=(3, 64, 64)) if start == "normal" else (generator.uniform(size=(3, 64, 64)) - MEAN) / STD
    for t in range(21):
        oy, ox = generator.integers(-16, 17, 2)
        rolled = np.roll(z, (oy, ox), axis=(1, 2))
        rgb = np.clip(rolled * STD + MEAN, 0, 1)
        gradient = network.value_and_grad(rgb[None].astype(np.float32), np.array([530])).gradients[0] * STD
        rolled = rolled + 25 * (gradient - 2 * 1e-3 * rolled)
        z = np.roll(rolled, (-oy, -ox), axis=(1, 2))
        z = np.stack([np.clip(z[c], -MEAN[c] / STD[c], (1 - MEAN[c]) / STD[c]) for c in range(3)])
        if t % 10 == 0:
            z = np.stack([gaussian_filter(plane, 0.5) for plane in z])
    np.testing.assert_allclose(state.z, z, atol=1e-6)


def test_the_tarantula_reaches_rank_1(network: Network) -> None:
    made = recipe("cs231n", 60, 224)
    state = begin(made, 0)
    list(ascend(measure_class(network, 76), made, state))
    assert state.first_at_rank_1 is not None
    assert state.scores[-1] > 40


def test_every_name_of_a_preset_is_in_the_table() -> None:
    assert get_args(PresetName) == tuple(PRESETS)


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ("iterations", "200, `lucid` and `maco` 512"),
        ("blur_sigma", "0.5"),
        ("max_jitter", "16, `lucid` 8, `maco` 48"),
    ],
)
def test_documentation_names_the_defaults_of_every_preset(parameter: str, told: str) -> None:
    assert defaults_of(parameter) == told


def test_a_calibrated_ascent_does_not_depend_on_the_scale_of_the_scores() -> None:
    gradients = rng().normal(size=(4, 3, 8, 8))
    ends = []
    for scale in (1.0, 1e6):
        ascent, z, memory = CalibratedAscent(0.08), np.zeros((3, 8, 8)), {}
        assert not ascent.step(z, np.zeros_like(z), memory).any()  # without a gradient nothing is known of the scale
        first = ascent.step(z, scale * gradients[0], memory)
        assert np.sqrt((first**2).mean()) == pytest.approx(0.08)
        z = first
        for gradient in gradients[1:]:
            z = ascent.step(z, scale * gradient, memory)
        ends.append(z)
    np.testing.assert_allclose(ends[0], ends[1])
    np.testing.assert_allclose(ends[0], gradients.sum(axis=0) * 0.08 / np.sqrt((gradients[0] ** 2).mean()))
