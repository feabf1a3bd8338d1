"""Lists of items: of what was uploaded as a part, and of a batch as a whole once it is closed."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from service.batches import names
from service.batches.archives import Found
from service.batches.directory import encode, hash_of
from service.batches.entries import Entry, shown
from service.batches.explaining import ProblemOf
from service.errors import InvalidParameter, TooLarge
from service.jobs.store import ArtifactStore

OFFSET_BYTES = 8
READERS = 16  # lists of parts that are read at the same time


def write_list(
    store: ArtifactStore, batch: str, token: str, found: Iterable[Found], most: int, problem_of: ProblemOf
) -> tuple[int, int]:
    """Write the list of a part; its number of items, and its bytes.

    Raises `TooLarge` for more items than ``most``, `InvalidParameter` if there are none, and what the archive raises.
    """
    number, text = 0, bytearray()
    for name, one in found:
        entry = one if isinstance(one, Entry) else Entry(item=shown(name), error=problem_of(one))
        text += entry.model_dump_json(exclude_defaults=True).encode() + b"\n"
        number += 1
        if number > most:
            raise TooLarge(f"a batch has at most {most:,} items; send several batches")
    if not number:
        raise InvalidParameter("there are no files in it")
    store.put_now(names.list_name(batch, token), bytes(text))
    return number, len(text)


def write_items(store: ArtifactStore, batch: str, tokens: Sequence[str], size: int, problem_of: ProblemOf) -> int:
    """Write the items of all parts as one list, in chunks of ``size``; their number."""
    offsets, hashes = array("Q", [0]), array("Q")

    def lines() -> Iterator[bytes]:
        seen: set[int] = set()
        end = 0
        for line in _lines(store, batch, tokens):
            entry = Entry.model_validate_json(line)
            mark = hash_of(entry.item)
            if mark in seen:
                reason = InvalidParameter("an item before this one has the same name; only that one is explained")
                line = Entry(item=entry.item, error=problem_of(reason)).model_dump_json(exclude_defaults=True).encode()
            seen.add(mark)
            hashes.append(mark)
            end += len(line) + 1
            if len(hashes) % size == 0:
                offsets.append(end)
            yield line + b"\n"
        if len(hashes) % size:
            offsets.append(end)

    store.put_now(names.items_name(batch), b"".join(lines()))
    store.put_now(names.offsets_name(batch), offsets.tobytes())
    store.put_now(names.directory_name(batch), encode(np.array(hashes, np.uint64)))
    return len(hashes)


def read_items(store: ArtifactStore, batch: str, chunk: int) -> list[Entry]:
    """The items of a chunk."""
    at = OFFSET_BYTES * chunk
    first, end = array("Q", store.read(names.offsets_name(batch), at, at + 2 * OFFSET_BYTES))
    lines = store.read(names.items_name(batch), first, end).splitlines()
    return [Entry.model_validate_json(line) for line in lines]


def _lines(store: ArtifactStore, batch: str, tokens: Sequence[str]) -> Iterator[bytes]:
    with ThreadPoolExecutor(READERS) as pool:
        for found in pool.map(lambda token: store.read(names.list_name(batch, token)), tokens):
            yield from found.splitlines()
