"""Which item of a batch has which name: an array of hashes, since there may be very many."""

import hashlib

import numpy as np
import numpy.typing as npt

ROW = np.dtype([("hash", "<u8"), ("number", "<u4")])


def hash_of(name: str) -> int:
    """64 bits that stand for a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def encode(hashes: "npt.NDArray[np.uint64]") -> bytes:
    """The directory of names by their hashes, in the order of the items."""
    rows = np.empty(len(hashes), ROW)
    rows["hash"], rows["number"] = hashes, np.arange(len(hashes))
    return np.sort(rows).tobytes()


def numbers_of(directory: bytes, name: str) -> list[int]:
    """The numbers of the items that may have this name, the first one first."""
    rows = np.frombuffer(directory, ROW)
    wanted = np.uint64(hash_of(name))
    first, end = (np.searchsorted(rows["hash"], wanted, side) for side in ("left", "right"))
    return [int(number) for number in rows["number"][first:end]]
