"""Parameters that say where an object is."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field

from service.errors import InvalidParameter
from service.kinds.parameters import split_commas
from service.saliency.metrics.region import Box

Edges = Annotated[
    Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1, max_length=400)] | None,
    BeforeValidator(split_commas),
]


def boxes_of(edges: Sequence[float] | None) -> list[Box]:
    """Boxes of their edges, one after the other."""
    found = edges or []
    return [(found[i], found[i + 1], found[i + 2], found[i + 3]) for i in range(0, len(found), 4)]


def check_boxes(edges: Sequence[float] | None, photographs: int, with_masks: bool) -> None:
    """Raise `InvalidParameter` unless there are none, or one for each photograph and no masks."""
    number = len(edges or [])
    if number and with_masks:
        raise InvalidParameter("box and mask both say where the object is; send one of them")
    if number and number != 4 * photographs:
        raise InvalidParameter(
            f"box must be left,upper,right,lower for each photograph, {4 * photographs} numbers in all; it has {number}"
        )
