"""Tensors as the Open Inference Protocol carries them: as numbers in JSON, or as bytes behind it.

Sizes are compared with what has arrived before anything is allocated, so that a shape can claim what it likes.
"""

import base64
import binascii
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from service.errors import InvalidParameter
from service.runtime.engine import Array

BYTES = "BYTES"  # elements of any length
DTYPES = {"BOOL": np.dtype("?")} | {
    f"{name}{8 * size}": np.dtype(f"<{kind}{size}")
    for name, kind, sizes in (("UINT", "u", (1, 2, 4, 8)), ("INT", "i", (1, 2, 4, 8)), ("FP", "f", (2, 4, 8)))
    for size in sizes
}
_NAMES: dict[np.dtype[Any], str] = {dtype: name for name, dtype in DTYPES.items()}
_LENGTH = np.dtype("<u4")  # in front of each element of bytes


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The name of a type in the protocol."""
    return _NAMES.get(dtype, BYTES)


def from_json(data: Sequence[Any], shape: Sequence[int], place: str) -> Array:
    """Numbers (float64) of that shape from a list in row-major order, flat or nested as the shape says.

    place: where the list stands, in words. Raises `InvalidParameter` if it holds anything else.
    """
    values: Iterable[Any] = data
    if data and isinstance(data[0], list):
        rows: list[Any] = [data]
        for axis, side in enumerate(shape):
            if not all(isinstance(row, list) and len(row) == side for row in rows):
                raise InvalidParameter(f"{place} is not nested as {described(shape)}: see axis {axis}")
            rows = list(chain.from_iterable(rows))
        values = rows
    try:
        numbers = np.frombuffer(array("d", values))
    except (TypeError, OverflowError) as error:
        raise InvalidParameter(f"{place} must hold numbers only: {error}") from error
    _check_count(numbers.size, prod(shape), shape, place)
    return numbers.reshape(shape)


def from_bytes(data: memoryview, datatype: str, shape: Sequence[int], place: str) -> Array:
    """Numbers of a type of `DTYPES` and of that shape, little-endian and row-major.

    Raises `InvalidParameter` if there are more or fewer.
    """
    dtype = DTYPES[datatype]
    _check_count(len(data), prod(shape) * dtype.itemsize, shape, f"{place} as {datatype}", "bytes")
    return np.frombuffer(data, dtype).reshape(shape)


def elements(data: memoryview, number: int, place: str) -> list[bytes]:
    """So many elements of `BYTES`, each behind its length. Raises `InvalidParameter` if there are more or fewer."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + _LENGTH.itemsize
        at = start + int.from_bytes(data[at:start], "little")
        if start > len(data) or at > len(data):
            raise InvalidParameter(f"{place} ends within its element {len(found)}")
        if len(found) == number:
            raise InvalidParameter(f"{place} has more than the {number} elements of its shape")
        found.append(bytes(data[start:at]))
    _check_count(len(found), number, [number], place, "elements")
    return found


def from_base64(text: Any, place: str) -> bytes:
    """The bytes of a file in JSON. Raises `InvalidParameter` for what is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise InvalidParameter(f"{place} must be a file in base64: {error}") from error


def to_bytes(tensor: Array) -> bytes:
    """The counterpart of `from_bytes` and `elements`."""
    if datatype_of(tensor.dtype) != BYTES:
        return tensor.astype(tensor.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = [str(text).encode() for text in tensor.ravel()]
    return b"".join(len(text).to_bytes(_LENGTH.itemsize, "little") + text for text in texts)


def nesting(data: Any, most: int) -> tuple[int, ...]:
    """The shape of a nested list as its first elements have it, of at most so many axes."""
    shape: list[int] = []
    while isinstance(data, list) and len(shape) < most:
        shape.append(len(data))
        data = data[0] if data else None
    return tuple(shape)


def described(shape: Sequence[int]) -> str:
    """A shape in words."""
    return f"({', '.join(map(str, shape))})"


def _check_count(found: int, wanted: int, shape: Sequence[int], place: str, unit: str = "numbers") -> None:
    if found != wanted:
        raise InvalidParameter(f"{place} has {found:,} {unit}; the shape {described(shape)} needs {wanted:,}")
