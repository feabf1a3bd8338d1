"""What is to be known of a model to put questions to it, without its graph."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class Layer:
    """A value (N, channels, height, width) of the graph, or tokens (N, leading + height · width, channels).

    Attributes:
        name: The name of the value.
        operator: The type of the node that computes it.
        channels: The number of channels.
        size: The size (height, width) for an image of the size in the manifest; None if it cannot be inferred.
        listed: Whether the manifest lists the layer as one of interest.
        leading: The number of tokens before those of the grid (a class token); None for feature maps.
    """

    name: str
    operator: str
    channels: int
    size: tuple[int, int] | None
    listed: bool
    leading: int | None = None


@dataclass(frozen=True)
class Output:
    """An output of the graph.

    Attributes:
        dtype: NumPy's name of the type of its elements.
        shape: The sizes of its axes, None for open ones; the first axis is that of images.
    """

    dtype: str
    shape: tuple[int | None, ...]


class Facts(BaseModel):
    """What the graph of a model says.

    Attributes:
        height: The only height of images that it admits; None if it takes any.
        width: The only width of images that it admits; None if it takes any.
        batch: The only number of images that it takes at once; None if it takes any.
        quantized: Whether it rounds values; gradients pass such roundings unchanged.
        layers: The layers that can be examined, by name, from the image to the scores.
        outputs: The outputs by name, the scores first.
        last_layer: The last of the layers that the scores depend on as a whole; None if there is none.
    """

    model_config = ConfigDict(frozen=True)

    height: int | None
    width: int | None
    batch: int | None
    quantized: bool
    layers: dict[str, Layer]
    outputs: dict[str, Output]
    last_layer: str | None

    @property
    def takes_any_size(self) -> bool:
        """Whether neither height nor width is fixed."""
        return self.height is None and self.width is None
