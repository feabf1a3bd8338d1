"""What is asked of all pictures of a batch, as its record keeps it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from service.networks.network import Network
from service.pictures.images import Decode, Resize
from service.saliency.explain import Question, Style, question_of
from service.saliency.metrics import Amounts, runs_needed

RUNS_OF_A_CHUNK = 512  # of the network, so that a chunk takes seconds
MOST_ITEMS_OF_A_CHUNK = 32


class BatchParameters(BaseModel):
    """What is asked of all pictures of a batch.

    Args:
        model: Name of the model.
        methods: The methods by name, each with its parameters.
        class_id: The class to explain; the predicted one of each picture if None.
        other_class_id: A class whose score is subtracted.
        target: What is explained instead of a class.
        resize: How pictures are scaled for the network.
        decode: Whether large JPEGs are decoded at a reduced scale.
        dtype: Of the maps.
        style: How overlays are drawn; None for no overlays.
        metrics: What is measured of each map.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    methods: dict[str, dict[str, JsonValue]]
    class_id: int | None
    other_class_id: int | None
    target: str | None
    resize: Resize
    decode: Decode
    dtype: Literal["float16", "float32"]
    style: Style | None
    metrics: tuple[str, ...]

    def questions(self, network: Network) -> list[Question]:
        """One for each method. Raises `InvalidParameter` for what the network does not have."""
        return [
            question_of(network, method, values, self.class_id, self.other_class_id, self.target)
            for method, values in self.methods.items()
        ]

    def items_of_a_chunk(self, network: Network) -> int:
        """How many items make a chunk. Raises `InvalidParameter` for what the network does not have."""
        each = [question.runs_needed(*network.size) for question in self.questions(network)]
        return items_of_a_chunk(sum(each) + runs_needed(self.metrics, each, Amounts()))


def items_of_a_chunk(runs: int) -> int:
    """How many items make a chunk, if each takes so many runs of the network."""
    return max(1, min(MOST_ITEMS_OF_A_CHUNK, RUNS_OF_A_CHUNK // max(1, runs)))
