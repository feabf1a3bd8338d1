"""A network as methods see it."""

import numpy as np

from service.attribution import Ints, ValueAndGrad
from service.attribution.method import EXACT, Part, Rules
from service.networks.network import Network
from service.networks.questions import Target
from service.pictures.images import Floats


class View:
    """A network as a `Subject` of methods.

    With another class, scores and gradients are differences to that class. With a target, it is the only score there
    is, as if of one class.
    """

    def __init__(self, network: Network, other_class_id: int | None, target: Target | None = None) -> None:
        self._network = network
        self._other = other_class_id
        self._target = target

    @property
    def cam_layer(self) -> str:
        """The layer that class activation maps use by default. Raises `InvalidParameter` if there is none."""
        return self._network.usual_layer

    @property
    def pixel_layer(self) -> str | None:
        """The layer that holds the pixels as the network was trained on them, None for the images themselves."""
        return self._network.pixel_layer

    def value_and_grad(
        self,
        images: Floats,
        class_ids: Ints,
        rules: Rules = EXACT,
        layer: str | None = None,
        references: Floats | None = None,
    ) -> ValueAndGrad:
        """Scores and gradients, minus those of the other class if there is one."""
        at = self._network.value_and_grad(images, class_ids, rules, layer, references, self._target)
        if self._other is None:
            return at
        others = np.full(len(images), self._other)
        other = self._network.value_and_grad(images, others, rules, layer, references)
        return _less(at, other)

    def logits(self, images: Floats, layer: str | None = None, values: Floats | None = None) -> Floats:
        """The scores (N, classes), without gradients; with other values of a layer if one is named."""
        if self._target is not None:
            return self._network.score(images, self._target, layer, values)[:, None]
        return self._network.classify(images, layer, values)

    def parts(self, images: Floats, class_ids: Ints, part: Part) -> tuple[ValueAndGrad, list[Floats], list[Floats]]:
        """Values and gradients of inner parts; the gradients minus those of the other class if there is one."""
        at, values, gradients = self._network.parts(images, class_ids, part, self._target)
        if self._other is None:
            return at, values, gradients
        other, _, theirs = self._network.parts(images, np.full(len(images), self._other), part)
        return _less(at, other), values, [own - their for own, their in zip(gradients, theirs, strict=True)]

    def probabilities(self, images: Floats) -> Floats:
        """The probabilities (N, classes), or the scores of a network whose scores are no probabilities."""
        scores = self.logits(images)
        return scores if self._target is not None else self._network.probabilities(scores)

    def of(self, values: Floats, class_id: int) -> Floats:
        """The column of the class, minus that of the other class if there is one."""
        return values[:, class_id] - (0 if self._other is None else values[:, self._other])


def _less(one: ValueAndGrad, other: ValueAndGrad) -> ValueAndGrad:
    return ValueAndGrad(
        one.logits,
        one.class_ids,
        one.scores - other.scores,
        one.before_relu | other.before_relu,
        one.at,
        one.gradients - other.gradients,
    )
