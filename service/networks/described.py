"""What is known of a network without running it: its classes, layers and sizes."""

from functools import cached_property, partial

from pydantic import ValidationError

from service.attribution import Floats
from service.errors import InvalidParameter
from service.models.facts import Facts, Layer
from service.models.library import Model
from service.models.manifest import PREPROCESSED
from service.networks.scores import activated
from service.runtime.engine import Engine


class Described:
    """A model, and an engine that remembers what its graph says."""

    def __init__(self, model: Model, engine: Engine) -> None:
        self.model = model
        self._engine = engine

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.model.manifest.labels)

    @cached_property
    def facts(self) -> Facts:
        """What the graph says, which is remembered by the engine. Raises `ModelError` if the model cannot be used."""
        if (own := self.model.identity) is None:
            return self.model.facts
        told = self._engine.remembered(f"{own} facts", partial(_told, self.model))
        try:
            return Facts.model_validate_json(told)
        except ValidationError:  # a file that was cut, for instance
            return self.model.facts

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers that can be examined, by name, from the image to the scores."""
        return self.facts.layers

    @cached_property
    def listed_layers(self) -> tuple[str, ...]:
        """The layers of interest: those of the manifest, or else up to about 16 spread over the network."""
        names = list(self.layers)
        return self.model.manifest.layers or tuple(names[:: max(1, len(names) // 16)])

    @property
    def cam_layer(self) -> str | None:
        """The layer that class activation maps use by default: that of the manifest, or else the last one.

        None if the network has no layer with height and width.
        """
        return self.model.manifest.cam_layer or self.facts.last_layer

    @property
    def pixel_layer(self) -> str | None:
        """The layer that holds the pixels as the network was trained on them, None for the images themselves."""
        return PREPROCESSED if PREPROCESSED in self.layers else None

    @property
    def usual_layer(self) -> str:
        """The `cam_layer`. Raises `InvalidParameter` if there is none."""
        if (layer := self.cam_layer) is None:
            raise InvalidParameter(f"{self.model.name} has no layer with height and width")
        return layer

    @property
    def size(self) -> tuple[int, int]:
        """The height and width that the network was trained on."""
        return self.model.manifest.size

    def size_of(self, short_side: int | None) -> tuple[int, int]:
        """Height and width in the proportion of the network's own, which are taken if the short side is None."""
        if short_side is None:
            return self.size
        factor = short_side / min(self.size)
        return round(self.size[0] * factor), round(self.size[1] * factor)

    def probabilities(self, logits: Floats) -> Floats:
        """What logits (N, classes) say of the classes, (N, classes): probabilities, or the scores if they are none."""
        return activated(logits, self.model.manifest.scores)

    def layer(self, name: str) -> Layer:
        """The layer of that name. If there is none, raises `InvalidParameter` with the names of all layers."""
        if name not in self.layers:
            raise InvalidParameter(f"{self.model.name} has no layer {name!r}; it has: {', '.join(self.layers)}")
        return self.layers[name]

    def probability(self, value: float) -> float | None:
        """One of the `probabilities` as answers report it: None where the scores are none."""
        return None if self.model.manifest.scores == "none" else float(value)

    def check_size(self, height: int, width: int) -> None:
        """Raise `InvalidParameter` if the network does not take images of that size."""
        facts = self.facts
        if facts.height in (None, height) and facts.width in (None, width):
            return
        only = f"{facts.width or 'any width'} x {facts.height or 'any height'}"
        raise InvalidParameter(
            f"{self.model.name} takes pictures of {only} only, not {width} x {height}; "
            "use resize=squash or crop, and no other size"
        )


def _told(model: Model) -> str:
    return model.facts.model_dump_json()
