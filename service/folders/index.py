"""The index of the results: a line of JSON for each item and method, written once its files are there."""

import json
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from service.folders.places import Unwritable

Record = dict[str, Any]
State = Literal["new", "done", "failed"]
INDEX = "index.jsonl"


class Index:
    """What has been done, in a file to which lines are added.

    A line that was not finished is taken off when the index is opened, and of several for the same item and method the
    last one counts. In memory it takes 16 bytes for each line that was there.

    Args:
        folder: Where the file is.
        again: Whether what has failed is to be done again.
    """

    def __init__(self, folder: Path, again: bool = False) -> None:
        self._path = folder / INDEX
        self._again = again
        self._path.touch()
        self._outdated = False
        self._read()
        self._file = self._path.open("ab", buffering=0)

    def _read(self) -> None:
        """Learn what is done, and leave only lines that count."""
        keys, done, failed = array("Q"), array("Q"), array("Q")
        for record in self.records():
            keys.append(_digest(record["item"], record["method"]))
            states = failed if "error" in record else done
            states.append(_digest(record["item"], record["method"], record.get("stamp")))
        if len(set(keys)) < len(keys) or len(keys) < _lines(self._path):
            self._tidy(keys)
            self._read()
            return
        self._keys, self._done, self._failed = (array("Q", sorted(found)) for found in (keys, done, failed))

    def _tidy(self, keys: "array[int]") -> None:
        """Write the file anew with the last line of each key."""
        last = {key: number for number, key in enumerate(keys)}
        draft = self._path.with_suffix(".draft")
        with draft.open("wb") as file:
            for number, record in enumerate(self.records()):
                if last[keys[number]] == number:
                    file.write(_line(record))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self._path)

    def state(self, item: str, method: str, stamp: str) -> State:
        """What was known, when the index was opened, of the item as it is now."""
        key = _digest(item, method, stamp)
        if _holds(self._done, key):
            return "done"
        return "failed" if not self._again and _holds(self._failed, key) else "new"

    def add(self, records: Sequence[Record], stamp: str) -> None:
        """Write down what became of an item. Raises `Unwritable`."""
        lines = b"".join(_line({**record, "stamp": stamp}) for record in records)
        try:
            written = self._file.write(lines)
        except OSError as error:
            raise Unwritable(f"{self._path} cannot be written: {error.strerror}") from error
        if written != len(lines):
            raise Unwritable(f"{self._path} cannot be written: the disk is full")
        self._outdated |= any(_holds(self._keys, _digest(record["item"], record["method"])) for record in records)

    def records(self) -> Iterator[Record]:
        """All lines, as they stand in the file; what is no record is passed over."""
        with self._path.open("rb") as file:
            for line in file:
                record = _parsed(line)
                if record is not None:
                    yield record

    def close(self) -> None:
        """Make the index lasting."""
        os.fsync(self._file.fileno())
        self._file.close()
        if self._outdated:
            self._read()


def _digest(*texts: str | None) -> int:
    return int.from_bytes(blake2b(json.dumps(texts).encode(), digest_size=8).digest(), "big")


def _holds(ordered: "array[int]", value: int) -> bool:
    place = bisect_left(ordered, value)
    return place < len(ordered) and ordered[place] == value


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def _parsed(line: bytes) -> Record | None:
    """The record of a line; None for one that was cut or damaged."""
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    if isinstance(record, dict) and isinstance(record.get("item"), str) and isinstance(record.get("method"), str):
        return record
    return None


def _lines(path: Path) -> int:
    """The number of lines of a file, one that was cut included."""
    with path.open("rb") as file:
        return sum(1 for _ in file)
