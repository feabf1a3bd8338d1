"""How a graph is made of a model, in this process or in another one."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.models.library import Model

if TYPE_CHECKING:
    from service.runtime.files import Graph


@dataclass(frozen=True)
class Recipe:
    """Tells a graph of a model from all others of that model.

    Attributes:
        function: The name of a function of `networks.gradients`.
        arguments: What it takes after the model.
    """

    function: str
    arguments: tuple[Hashable, ...] = ()

    def make(self, model: Model) -> "Graph":
        """The graph. Raises what the function raises."""
        from service.networks import gradients  # takes time and memory to be imported

        made: Graph = getattr(gradients, self.function)(model, *self.arguments)
        return made
