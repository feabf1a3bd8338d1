"""Rules that turn a gradient into a step uphill."""

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Memory = dict[str, Array]


class Optimizer(Protocol):
    """A rule that turns a gradient into a step."""

    def step(self, z: Array, gradient: Array, memory: Memory) -> Array:
        """The numbers after a step. memory: what the optimizer keeps between steps; it is updated in place."""


class Ascent:
    """z + learning_rate · gradient."""

    def __init__(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate

    def step(self, z: Array, gradient: Array, memory: Memory) -> Array:  # noqa: ARG002
        """One step along the gradient."""
        return z + self._learning_rate * gradient


class CalibratedAscent:
    """z + learning_rate · gradient, with the learning rate that makes the first step as long as told.

    So a recipe holds for networks whose scores grow faster or slower with the pixels than where it was published.

    Args:
        first_step: The root mean square of the first step.
    """

    def __init__(self, first_step: float) -> None:
        self._first_step = first_step

    def step(self, z: Array, gradient: Array, memory: Memory) -> Array:
        """One step along the gradient. Where the gradient is 0, the next one sets the rate."""
        size = float(np.sqrt((gradient**2).mean()))
        if "rate" not in memory and size > 0:
            memory["rate"] = np.array(self._first_step / size)
        return z + memory.get("rate", np.zeros(())) * gradient


class NormalizedAscent:
    """z + learning_rate · gradient / size of the gradient: its Euclidean norm, or the mean of its absolute values."""

    def __init__(self, learning_rate: float, size: Literal["norm", "mean"]) -> None:
        self._learning_rate = learning_rate
        self._size = size

    def step(self, z: Array, gradient: Array, memory: Memory) -> Array:  # noqa: ARG002
        """One step whose length does not depend on the size of the gradient."""
        size = float(np.linalg.norm(gradient)) if self._size == "norm" else float(np.abs(gradient).mean())
        return z + self._learning_rate / max(size, 1e-12) * gradient


class Adam:
    """Kingma & Ba 2014, "Adam: A Method for Stochastic Optimization", algorithm 1, uphill.

    Args:
        learning_rate: The step size α.
        beta1: Decay rate of the mean of the gradients.
        beta2: Decay rate of the mean of their squares.
        epsilon: Added to the deviation, against division by zero.
        drop: The number of steps after which the learning rate changes, and the new learning rate.
    """

    def __init__(
        self,
        learning_rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        drop: tuple[int, float] | None = None,
    ) -> None:
        self._learning_rate = learning_rate
        self._drop = drop
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon

    def step(self, z: Array, gradient: Array, memory: Memory) -> Array:
        """One step along the running mean of the gradients, divided by their deviation."""
        t = memory.get("t", np.zeros(())) + 1
        m, v = (memory[name] if name in memory else np.zeros_like(z) for name in ("m", "v"))
        m *= self._beta1  # in place: these arrays are large, and nothing else refers to them
        m += (1 - self._beta1) * gradient
        v *= self._beta2
        v += (1 - self._beta2) * gradient**2
        memory.update(t=t, m=m, v=v)
        deviation = v / (1 - self._beta2**t)
        np.sqrt(deviation, out=deviation)
        deviation += self._epsilon
        step = m / (1 - self._beta1**t)
        step *= self._drop[1] if self._drop is not None and t > self._drop[0] else self._learning_rate
        step /= deviation
        step += z
        return step
