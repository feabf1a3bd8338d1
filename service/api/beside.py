"""What is sent along with photographs: where their object is, and other pictures to compare with."""

from collections.abc import Sequence

from service.api.boxes import boxes_of, check_boxes
from service.api.uploads import OTHER, Photographs
from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures.decode import Photograph
from service.pictures.images import Fitted, Floats
from service.saliency.grammar import parse
from service.saliency.intake import Intake, read_and_fit
from service.saliency.metrics.region import regions
from service.saliency.targets import Beside
from service.telemetry.timing import Stopwatch


def check_regions(sent: Photographs, edges: Sequence[float] | None, target: str | None) -> None:
    """Raise `InvalidParameter` for boxes or masks that are not one for each photograph, or that nothing asks for."""
    check_boxes(edges, len(sent.images), bool(sent.masks))
    if (edges or sent.masks) and "region" not in _kinds(target):
        raise InvalidParameter("box and mask are for a target like region:15")


def check_others(sent: Photographs, target: str | None) -> None:
    """Raise `InvalidParameter` for other pictures that nothing asks for."""
    if sent.others and "similarity" not in _kinds(target):
        raise InvalidParameter(f"files in the field {OTHER!r} are for the target similarity")


def _kinds(target: str | None) -> set[str]:
    return set() if target is None else parse(target).kinds


def besides(
    network: Network,
    sent: Photographs,
    edges: Sequence[float] | None,
    taken: Sequence[tuple[Photograph, Fitted]],
    intake: Intake,
    watch: Stopwatch,
) -> list[Beside]:
    """What is sent along with each photograph, as the network sees it."""
    where = regions(boxes_of(edges) or sent.masks, network, taken, intake)
    seen: list[Floats | None] = [fitted.pixels for _, fitted in read_and_fit(network, sent.others, intake, watch)]
    return [Beside(region, other) for region, other in zip(where, seen or [None] * len(taken), strict=True)]
