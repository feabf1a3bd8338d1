"""The interface of attribution methods, and the registry of all methods.

A method explains one image for one class. It sees the network as a `Subject`. A method that takes many runs is a
generator that yields the fraction that is done, so that its caller can report progress or stop early.
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
RuleSet = Literal[
    "exact", "guided", "deconvnet", "rectgrad",
    "epsilon", "gamma", "alpha_beta", "excitation", "composite", "rescale",
]  # fmt: skip
Part = Literal["bias", "attention"]
Need = Literal["attention"]
Sign = Literal["absolute", "positive", "negative"]

CHUNK = 16  # images per evaluation: enough to keep all cores busy at little memory


@dataclass(frozen=True)
class Rules:
    """A way backwards through the network: the derivative, or what a method has instead of it.

    Attributes:
        name: The rule set.
        values: Its parameters, in the order of the function that makes it.
        is_usual: Whether these are the values that most ask for, so that the graph is worth keeping on disk.
    """

    name: RuleSet
    values: tuple[float, ...] = ()
    is_usual: bool = field(default=True, compare=False, repr=False)


EXACT, GUIDED, DECONVNET, RESCALE = Rules("exact"), Rules("guided"), Rules("deconvnet"), Rules("rescale")


@dataclass(frozen=True)
class ValueAndGrad:
    """The scores of the network and the gradient of one class score per image, at N images.

    Attributes:
        logits: All scores, (N, classes).
        class_ids: The classes whose scores were differentiated, (N,).
        scores: The values that were differentiated, (N,).
        before_relu: Whether the differentiated value is the score before the final ReLU, (N,).
        at: Where the gradient was taken: the images (N, 3, H, W) or the values of a layer (N, C, h, w).
        gradients: The gradients with respect to ``at``, of the same shape. For images they are per unit of the pixel
            range [0, 1].
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
        """The layer that class activation maps use by default."""

    @property
    def pixel_layer(self) -> str | None:
        """The layer that holds the pixels as the network was trained on them, None for the images themselves."""

    def value_and_grad(
        self,
        images: Floats,
        class_ids: Ints,
        rules: Rules = EXACT,
        layer: str | None = None,
        references: Floats | None = None,
    ) -> ValueAndGrad:
        """Scores and gradients at images (N, 3, H, W) in [0, 1].

        Args:
            images: The images.
            class_ids: The class of each image, (N,); a negative one stands for the predicted class.
            rules: The way backwards.
            layer: The layer with respect to which the gradient is taken; the images if None.
            references: What the images differ from, of their shape, for the rules that need it (`RESCALE`).
        """

    def logits(self, images: Floats, layer: str | None = None, values: Floats | None = None) -> Floats:
        """The scores (N, classes), without gradients; with other values (N, C, h, w) of a layer if one is named."""

    def parts(self, images: Floats, class_ids: Ints, part: Part) -> tuple[ValueAndGrad, list[Floats], list[Floats]]:
        """Scores and gradients, the values of inner parts of the network, and the gradients with respect to them.

        Of attentions these are (N, heads, tokens, tokens). What a layer adds has as its gradient the one times what is
        added, (N, …), which is what it contributes to a linear model of the score; its values are left out.
        """

    def probabilities(self, images: Floats) -> Floats:
        """What the scores are as probabilities (N, classes); the scores themselves if they are none."""

    def of(self, values: Floats, class_id: int) -> Floats:
        """The explained part (N,) of values (N, classes): the class alone, or its difference to another class."""


@dataclass(frozen=True)
class Attribution:
    """The result of a method.

    Attributes:
        map: The saliency map (H, W); signed if the method is.
        at: The scores and the gradient at the image.
        notes: Further numbers that the method reports, by name.
    """

    map: Floats
    at: ValueAndGrad
    notes: dict[str, float] = field(default_factory=dict)


class Parameters(BaseModel):
    """Parameters of a method. This base class has no fields and serves methods without parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def runs_needed(self, height: int, width: int) -> int:  # noqa: ARG002 - some methods depend on the size
        """The number of images of that size that the method runs through the network."""
        return 1


Steps = Generator[float, None, Attribution]
Function = Callable[[Subject, Floats, int, Any], Steps]


@dataclass(frozen=True)
class Method:
    """A registered method.

    Attributes:
        name: The name in requests.
        family: What it works with: the module that it is from.
        summary: What the method does, in a sentence.
        when: When to use it, and when not.
        paper: The paper and section that it comes from.
        function: Takes the subject, the image (3, H, W), the class id and the parameters.
        parameters: The type of the parameters.
        needs: What a network must have; None if any network will do.
        sign: The values of the map that a picture shows.
        warning: What to keep in mind when reading the map.
    """

    name: str
    family: str
    summary: str
    when: str
    paper: str
    function: Function
    parameters: type[Parameters]
    sign: Sign
    warning: str | None
    needs: Need | None

    def run(self, subject: Subject, image: Floats, class_id: int, parameters: Parameters) -> Attribution:
        """Run the method from start to end."""
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
    needs: Need | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as a method.

    Its docstring says what it does, and in a second paragraph when to use it and when not. The function returns an
    `Attribution`, or is a generator that yields its progress and returns one.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        family = function.__module__.rpartition(".")[2]
        summary, when = (" ".join(paragraph.split()) for paragraph in (getdoc(function) or "").split("\n\n"))
        METHODS[name] = Method(
            name, family, summary, when, paper, _stepwise(function), parameters, sign, warning, needs
        )
        return function

    return register


def _stepwise(function: Callable[..., Any]) -> Function:
    """The function as a generator; one that returns at once yields no progress."""
    if isgeneratorfunction(function):
        return function

    @wraps(function)
    def steps(subject: Subject, image: Floats, class_id: int, parameters: Any) -> Steps:
        return function(subject, image, class_id, parameters)  # type: ignore[no-any-return]
        yield  # never reached, but makes this function a generator

    return steps


def largest(gradients: Floats) -> Floats:
    """The largest absolute value over the channels: (H, W) from (3, H, W)."""
    values: Floats = np.abs(gradients).max(axis=0)
    return values
