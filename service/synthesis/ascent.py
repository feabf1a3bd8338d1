"""Gradient ascent as a generator of steps. Progress, previews, checkpoints and cancelling are up to the caller."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from service.synthesis.optimizers import Memory, Optimizer
from service.synthesis.parametrization import Array, Parametrization
from service.synthesis.transforms import Transform

MAX_RESTARTS = 10


class Measured(Protocol):
    """What the network says of one image.

    score: what is climbed. gradient: of the score, (3, H, W). rank: of the target class if there is one; 1 is the top.
    before_relu: whether the score was taken before the final ReLU.
    """

    @property
    def score(self) -> float: ...  # noqa: D102
    @property
    def gradient(self) -> npt.NDArray[np.floating[Any]]: ...  # noqa: D102
    @property
    def rank(self) -> int | None: ...  # noqa: D102
    @property
    def before_relu(self) -> bool: ...  # noqa: D102


Measure = Callable[[npt.NDArray[np.float32]], Measured]


@dataclass(frozen=True)
class Recipe:
    """How an image is made.

    Args:
        parametrization: The numbers z that are moved, and the image that they stand for.
        transforms: Random maps of the image, applied in this order before the network sees it.
        optimizer: Turns gradients into steps.
        iterations: The largest number of steps.
        l2_reg: Weight of −‖z‖², which is added to the score.
        stop_at_rank_1: Whether the ascent ends as soon as the target is the top class.
    """

    parametrization: Parametrization
    transforms: Sequence[Transform]
    optimizer: Optimizer
    iterations: int
    l2_reg: float = 0.0
    stop_at_rank_1: bool = False


@dataclass
class State:
    """Everything that the next step depends on, so that a saved ascent resumes exactly, and what was observed so far.

    Args:
        step: The number of finished steps.
        z: The numbers that stand for the image.
        rng: Draws starts and transforms.
        memory: What the optimizer keeps between steps.
        scores: The score before each finished step.
        first_at_rank_1: The first step at which the target was the top class.
        steps_before_relu: The number of steps whose score was taken before the final ReLU.
        restarts: How often the start was drawn again.
    """

    step: int
    z: Array
    rng: np.random.Generator
    memory: Memory = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    first_at_rank_1: int | None = None
    steps_before_relu: int = 0
    restarts: int = 0

    def save(self) -> bytes:
        """The state as the bytes of an .npz file."""
        buffer = io.BytesIO()
        meta = {name: getattr(self, name) for name in _PLAIN} | {"rng": self.rng.bit_generator.state}
        arrays: dict[str, Any] = {f"memory.{name}": array for name, array in self.memory.items()}
        np.savez(buffer, z=self.z, meta=np.array(json.dumps(meta)), **arrays)
        return buffer.getvalue()

    @classmethod
    def load(cls, data: bytes) -> "State":
        """The state from the bytes that `save` returned."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            meta = json.loads(str(arrays["meta"]))
            memory = {name.removeprefix("memory."): arrays[name] for name in arrays if name.startswith("memory.")}
            rng = np.random.Generator(np.random.PCG64())
            rng.bit_generator.state = meta["rng"]
            return cls(z=arrays["z"], rng=rng, memory=memory, **{name: meta[name] for name in _PLAIN})

    def note(self, measured: Measured) -> None:
        """Record what was measured at this step."""
        self.scores.append(measured.score)
        self.steps_before_relu += measured.before_relu
        if self.first_at_rank_1 is None and measured.rank == 1:
            self.first_at_rank_1 = self.step


_PLAIN = ("step", "scores", "first_at_rank_1", "steps_before_relu", "restarts")


@dataclass(frozen=True)
class Step:
    """One finished step. index: from 0. measured: before the step. image: gives the image after it, (3, H, W)."""

    index: int
    measured: Measured
    image: Callable[[], Array]


def begin(recipe: Recipe, seed: int) -> State:
    """The state before the first step."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return State(0, recipe.parametrization.start(rng), rng)


def ascend(measure: Measure, recipe: Recipe, state: State) -> Iterator[Step]:
    """Climb from the state, which is updated in place, to the last iteration.

    A start whose gradient is zero everywhere leads nowhere and is drawn again, at most `MAX_RESTARTS` times;
    ``state.restarts`` counts how often.
    """
    while state.step < recipe.iterations:
        measured, gradient = _gradient(measure, recipe, state)
        if recipe.stop_at_rank_1 and measured.rank == 1:
            state.first_at_rank_1 = state.step
            return
        while state.step == 0 and not gradient.any() and state.restarts < MAX_RESTARTS:
            state.restarts += 1
            state.z = recipe.parametrization.start(state.rng)
            measured, gradient = _gradient(measure, recipe, state)
        state.note(measured)
        moved = recipe.optimizer.step(state.z, gradient - 2 * recipe.l2_reg * state.z, state.memory)
        state.z = recipe.parametrization.constrain(moved, state.step)
        state.step += 1
        z = state.z
        yield Step(state.step - 1, measured, lambda z=z: recipe.parametrization.image(z))  # type: ignore[misc]


def _gradient(measure: Measure, recipe: Recipe, state: State) -> tuple[Measured, Array]:
    """The score of the transformed image and its gradient with respect to z, without the regularization."""
    drawn = [transform.draw(state.rng) for transform in recipe.transforms]
    image = seen = recipe.parametrization.image(state.z)
    for map_ in drawn:
        seen = map_.apply(seen)
    measured = measure(seen.astype(np.float32))
    d_image = measured.gradient.astype(np.float64)
    for map_ in reversed(drawn):
        d_image = map_.adjoint(d_image)
    return measured, recipe.parametrization.pull_back(state.z, image, d_image)
