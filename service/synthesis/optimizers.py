"""Steps uphill."""

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Memory = dict[str, Array]


class Optimizer(Protocol):
    """A rule that turns a gradient into a step."""

    def step(self, z: Array, gradient: Array, memory: Memory) -> Array:
        """The numbers after a step; ``memory`` holds what the optimizer keeps between steps, and is changed."""


class Ascent:
    """z + learning_rate · gradient."""

    def __init__(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate

    def step(self, z: Array, gradient: Array, memory: Memory) -> Array:  # noqa: ARG002
        """One step along the gradient."""
        return z + self._learning_rate * gradient


class NormalizedAscent:
    """z + learning_rate · gradient / its size: the Euclidean norm, or the mean of the absolute values."""

    def __init__(self, learning_rate: float, size: Literal["norm", "mean"]) -> None:
        self._learning_rate = learning_rate
        self._size = size

    def step(self, z: Array, gradient: Array, memory: Memory) -> Array:  # noqa: ARG002
        """One step of a length that does not depend on that of the gradient."""
        size = float(np.linalg.norm(gradient)) if self._size == "norm" else float(np.abs(gradient).mean())
        return z + self._learning_rate / max(size, 1e-12) * gradient


class Adam:
    """Kingma & Ba 2014, algorithm 1, uphill. drop: the step from which on the learning rate is another one, and that rate."""

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
        """One step along the mean of the gradients, scaled by their deviation."""
        t = memory.get("t", np.zeros(())) + 1
        m, v = (memory[name] if name in memory else np.zeros_like(z) for name in ("m", "v"))
        m *= self._beta1  # in place: these arrays are large, and nobody else has them
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
