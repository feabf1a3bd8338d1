"""What a method gets, what it returns, and the registry of all methods.

A method explains one image for one class. It sees the network as a `Subject` and may be a generator that yields the
fraction that is done, so that whoever drives it can tell progress or stop.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import wraps
from inspect import getdoc, isgeneratorfunction
from typing import Any, Generic, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

T = TypeVar("T")
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Rules = Literal["exact", "guided", "deconvnet"]
Sign = Literal["absolute", "positive", "negative"]

CHUNK = 16  # images that are evaluated at once: enough for all cores, little memory


@dataclass(frozen=True)
class ValueAndGrad:
    """The network and the gradient of one class score, at N images.

    logits: (N, classes). class_ids: (N,), the classes that were differentiated. scores: (N,), their differentiated
    values.
    before_relu: (N,), whether that value is the one before the final ReLU. at: the value that was moved, the images (N,
    3, H, W) or a layer (N, C, h, w). gradients: with respect to it, of its shape; for the images per unit of the [0, 1]
    pixel.
    """

    logits: Floats
    class_ids: Ints
    scores: Floats
    before_relu: npt.NDArray[np.bool_]
    at: Floats
    gradients: Floats


class Subject(Protocol):
    """The network as a method sees it."""

    @property
    def cam_layer(self) -> str:
        """The layer that class activation maps look at by default."""

    def value_and_grad(
        self, images: Floats, class_ids: Ints, rules: Rules = "exact", layer: str | None = None
    ) -> ValueAndGrad:
        """Scores and gradients at images (N, 3, H, W) in [0, 1], with respect to the images or to a layer.

        rules: how the gradient passes a Relu.
        """

    def logits(self, images: Floats) -> Floats:
        """The scores (N, classes) alone."""

    def of(self, values: Floats, class_id: int) -> Floats:
        """What is explained, of values (N, classes): those of the class, or their difference to those of another."""


@dataclass(frozen=True)
class Attribution:
    """A map (H, W), signed where the method is, the evaluation at the image, and what else the method has to say."""

    map: Floats
    at: ValueAndGrad
    notes: dict[str, float] = field(default_factory=dict)


class Parameters(BaseModel):
    """Parameters of a method; without fields for one that has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002 - some depend on the size
        """How many images of that size the method puts through the network."""
        return 1


Steps = Generator[float, None, Attribution]
Function = Callable[[Subject, Floats, int, Any], Steps]


@dataclass(frozen=True)
class Method:
    """A method: its name, what it does, where it is from, what to beware of, and its parameters.

    function: of subject, image (3, H, W), class id and parameters. sign: which values of its map a picture shows.
    """

    name: str
    summary: str
    paper: str
    function: Function
    parameters: type[Parameters]
    sign: Sign
    warning: str | None

    def run(self, subject: Subject, image: Floats, class_id: int, parameters: Parameters) -> Attribution:
        """All steps at once."""
        return Stepwise(self.function(subject, image, class_id, parameters)).finish()


class Stepwise(Generic[T]):
    """Iterates over the progress of a generator and keeps what it returns as `result`."""

    result: T

    def __init__(self, steps: Generator[float, None, T]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[float]:
        self.result = yield from self._steps

    def finish(self) -> T:
        """Run all steps that remain and return the result."""
        for _ in self:
            pass
        return self.result


METHODS: dict[str, Method] = {}


def method(
    name: str,
    paper: str,
    parameters: type[Parameters] = Parameters,
    sign: Sign = "absolute",
    warning: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function, whose docstring is the summary.

    It returns an attribution, or is a generator that does.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        summary = " ".join((getdoc(function) or "").split())
        METHODS[name] = Method(name, summary, paper, _stepwise(function), parameters, sign, warning)
        return function

    return register


def _stepwise(function: Callable[..., Any]) -> Function:
    if isgeneratorfunction(function):
        return function

    @wraps(function)
    def steps(subject: Subject, image: Floats, class_id: int, parameters: Any) -> Steps:
        return function(subject, image, class_id, parameters)  # type: ignore[no-any-return]
        yield  # makes it a generator

    return steps


def largest(gradients: Floats) -> Floats:
    """The largest absolute value over the channels of (3, H, W): (H, W)."""
    values: Floats = np.abs(gradients).max(axis=0)
    return values
