"""The results of a chunk: lines of the index, and files in a zip."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Line = dict[str, Any]
EPOCH = (1980, 1, 1, 0, 0, 0)  # the date of all files, so that the same results are the same bytes


@dataclass
class Results:
    """The lines of each item that is done, and the files that they name.

    lines: by the number of the item. is_careful: whether workers have died, so that it is done item by item.
    """

    lines: dict[int, list[Line]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    is_careful: bool = False

    @property
    def errors(self) -> int:
        """The number of items that have failed."""
        return sum(is_error(lines) for lines in self.lines.values())

    def add(self, number: int, lines: list[Line], files: Mapping[str, bytes]) -> None:
        """Take in what came of an item."""
        self.lines[number] = lines
        self.files.update(files)

    def index(self) -> bytes:
        """The lines in the order of the items."""
        return b"".join(encoded(line) for _, lines in sorted(self.lines.items()) for line in lines)

    def archive(self) -> bytes:
        """The files as a zip, in the order of the index."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names_of(line for _, lines in sorted(self.lines.items()) for line in lines):
                archive.writestr(zipfile.ZipInfo(name, EPOCH), self.files[name])
        return buffer.getvalue()

    @classmethod
    def load(cls, index: bytes, archive: bytes) -> "Results":
        """What `index` and `archive` have written."""
        found = cls()
        for line in map(json.loads, index.splitlines()):
            found.lines.setdefault(line["number"], []).append(line)
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            found.files = {name: opened.read(name) for name in opened.namelist()}
        return found

    def checkpoint(self) -> bytes:
        """All of it, for `restore`."""
        index = self.index()
        return b"%d %d\n" % (self.is_careful, len(index)) + index + self.archive()

    @classmethod
    def restore(cls, checkpoint: bytes) -> "Results":
        """What `checkpoint` has written."""
        head, _, data = checkpoint.partition(b"\n")
        is_careful, size = map(int, head.split())
        found = cls.load(data[:size], data[size:])
        found.is_careful = bool(is_careful)
        return found

    def without_errors(self) -> "Results":
        """The same without the items that have failed."""
        kept = {number: lines for number, lines in self.lines.items() if not is_error(lines)}
        names = names_of(line for lines in kept.values() for line in lines)
        return Results(kept, {name: self.files[name] for name in names})


def names_of(lines: Iterable[Line]) -> list[str]:
    """The files that lines name."""
    return [line[kind] for line in lines for kind in ("map", "overlay") if line.get(kind)]


def is_error(lines: Iterable[Line]) -> bool:
    """Whether an item with these lines has failed."""
    return any("error" in line for line in lines)


def encoded(line: Line) -> bytes:
    """A line of an index."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
