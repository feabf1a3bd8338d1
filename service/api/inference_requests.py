"""Reading requests of the inference protocols: JSON, maybe with bytes behind it, as pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import Request

from service.api import tensors
from service.api.inference_schemas import InferRequest, InputTensor
from service.api.negotiation import JSON
from service.api.parameters import ClassifyParameters
from service.api.tensors import BYTES, described
from service.api.uploads import media_type
from service.errors import BrokenBody, InvalidParameter, TooLarge, UnsupportedMedia
from service.networks.network import Network
from service.pictures.decode import Pixels
from service.pictures.images import Fitted, Floats
from service.runtime.engine import Array
from service.saliency.effort import RunsNeeded, check_effort, effort
from service.saliency.intake import Sent, check_floats, seen
from service.settings import Settings
from service.telemetry.timing import Stopwatch

OCTETS = "application/octet-stream"
HEADER = "Inference-Header-Content-Length"
FLOATS = ("FP16", "FP32", "FP64")
CHANNELS = 3
MEDIA = ("", JSON, OCTETS)  # Triton's clients declare no type


@dataclass(frozen=True)
class Body:
    """A body: JSON, and the bytes behind it."""

    json: bytes
    binary: memoryview


async def read_body(request: Request) -> Body:
    """The body, divided where its header says. Raises `UnsupportedMedia` or `BrokenBody`."""
    media = media_type(request)
    if media not in MEDIA:
        raise UnsupportedMedia(f"the body is {media}; send JSON (-H 'Content-Type: application/json')")
    body, length = await request.body(), request.headers.get(HEADER)
    if length is None:
        return Body(body, memoryview(b""))
    if not (length.isascii() and length.isdigit()) or len(length) > 18 or int(length) > len(body):
        raise BrokenBody(
            f"{HEADER} is {length[:40]!r}; it must be the length of the JSON in a body of {len(body)} bytes"
        )
    return Body(body[: int(length)], memoryview(body)[int(length) :])


def pictures_of(asked: InferRequest, binary: memoryview, network: Network, most: int) -> list[Sent]:
    """The pictures of a request for a network, at most so many.

    Raises `InvalidParameter`, `BrokenBody` or `TooLarge` for what is no tensor of pictures.
    """
    (tensor,) = asked.inputs
    if tensor.name != (name := network.model.manifest.input):
        raise InvalidParameter(f"{network.model.name} has the input {name!r}; {tensor.name[:100]!r} was sent")
    size = tensor.parameters.binary_data_size
    if (size is None) == (tensor.data is None):
        raise InvalidParameter(f"the input {name!r} needs either data, or binary_data_size with bytes behind the JSON")
    if len(binary) != (size or 0):
        raise BrokenBody(f"{len(binary):,} bytes are behind the JSON, binary_data_size says {size or 0:,}")
    _check_form(tensor)
    _check_number(tensor.shape[0], most)
    if tensor.datatype == BYTES:
        return [*_files(tensor, binary)]
    place = f"the input {name!r}"
    if tensor.data is None:
        values = tensors.from_bytes(binary, tensor.datatype, tensor.shape, place)
    else:
        values = tensors.from_json(tensor.data, tensor.shape, place)
    if tensor.datatype in FLOATS:
        return [Fitted.of(one) for one in _floats(values, network)]
    return [*_pixels(values, place)]


def _check_form(tensor: InputTensor) -> None:
    """Raise `InvalidParameter` for a type or a shape that pictures do not have."""
    shape, datatype = tensor.shape, tensor.datatype
    if datatype == BYTES and shape[1:] in ([], [1]):
        return
    if datatype in FLOATS and len(shape) == 4 and shape[1] == CHANNELS and min(shape[2:]) > 0:
        return
    if datatype == "UINT8" and len(shape) == 4 and shape[3] == CHANNELS and min(shape[1:3]) > 0:
        return
    raise InvalidParameter(
        f"the input {tensor.name!r} is {datatype[:20]} {described(shape)}; send FP32 (N, 3, height, width) with RGB "
        "from 0 to 1, UINT8 (N, height, width, 3), or BYTES (N) with image files"
    )


def _check_number(number: int, most: int) -> None:
    if number == 0:
        raise InvalidParameter("there are no pictures; send one at least")
    if number > most:
        raise TooLarge(f"a request holds at most {most} pictures, {number:,} were sent; send several requests")


def _files(tensor: InputTensor, binary: memoryview) -> Sequence[bytes]:
    number, place = tensor.shape[0], f"the input {tensor.name!r}"
    if tensor.data is None:
        return tensors.elements(binary, number, place)
    if len(tensor.data) != number:
        raise InvalidParameter(f"{place} has {len(tensor.data):,} elements; the shape needs {number}")
    texts = [text[0] if isinstance(text, list) and len(text) == 1 else text for text in tensor.data]
    return [tensors.from_base64(text, f"element {i} of {place}") for i, text in enumerate(texts)]


def _floats(values: Array, network: Network) -> Floats:
    """What the network sees, from numbers (N, 3, H, W) of any float type."""
    check_floats(network, values)
    return values.astype(np.float32)  # a copy: what has arrived may lie anywhere in memory


def _pixels(values: Array, place: str) -> Pixels:
    """Pixels (…, 3) from whole numbers. Raises `InvalidParameter` for others."""
    if values.dtype == np.uint8:
        return values
    if not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all():
        raise InvalidParameter(f"{place} must hold whole numbers from 0 to 255 where the colours are last")
    return values.astype(np.uint8)


def fitted(
    network: Network,
    sent: Sequence[Sent],
    parameters: ClassifyParameters,
    runs: RunsNeeded,
    settings: Settings,
    watch: Stopwatch,
) -> list[Fitted]:
    """What the network sees of the pictures. Raises `InvalidParameter` if so many runs are more than a request may."""
    pictures = seen(network, sent, parameters.intake(settings), watch)
    sizes = [(one.pixels.shape[1], one.pixels.shape[2]) for one in pictures]
    check_effort(
        effort(network, runs, sizes), settings.max_evaluations, "send fewer or smaller pictures, or ask for less"
    )
    return pictures


def instances_of(instances: Sequence[Any], network: Network, most: int) -> list[Sent]:
    """The pictures of a request of the first protocol. Raises `InvalidParameter` or `TooLarge`."""
    _check_number(len(instances), most)
    return [_instance(one, network, f"instance {i}") for i, one in enumerate(instances)]


def _instance(one: Any, network: Network, place: str) -> Sent:
    if isinstance(one, dict) and one.keys() == {"b64"}:
        return tensors.from_base64(one["b64"], place)
    shape = tensors.nesting(one, most=CHANNELS + 1)
    if len(shape) == 3 and min(shape) > 0 and shape[0] == CHANNELS:
        return Fitted.of(_floats(tensors.from_json(one, shape, place)[None], network)[0])
    if len(shape) == 3 and min(shape) > 0 and shape[2] == CHANNELS:
        return _pixels(tensors.from_json(one, shape, place), place)
    raise InvalidParameter(
        f"{place} is {f'a list {described(shape)}' if shape else 'something else'}; send a file as "
        '{"b64": "…"}, pixels (height, width, 3) from 0 to 255, or what the network sees, (3, height, width) '
        "from 0 to 1"
    )
