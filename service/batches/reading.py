"""The results of a batch as they are asked for: its index, its files, single items. Nothing is held as a whole."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from service.batches.directory import numbers_of
from service.batches.explaining import failed
from service.batches.listing import read_items
from service.batches.names import directory_name, files_name, lines_name
from service.batches.parameters import BatchParameters
from service.batches.results import EPOCH, Line, encoded, is_error
from service.errors import Conflict, NotFound
from service.jobs.batches import Batches
from service.jobs.chunks import NO_RESULTS
from service.jobs.record import Batch
from service.jobs.store import ArtifactStore, artifact_name

INDEX = "index.jsonl"


@dataclass(frozen=True)
class Reading:
    """Reads what came of a batch so far."""

    store: ArtifactStore
    batches: Batches
    batch: Batch

    async def index(self, errors: bool | None = None) -> AsyncIterator[bytes]:
        """The lines of the index, a chunk at a time. errors: whether only those of what failed, or of what did not."""
        faults = await self.batches.faults(self.batch.id) if errors else {}
        for chunk, attempt in await self._done():
            if errors and chunk not in faults:
                continue
            lines = await asyncio.to_thread(self._lines, chunk, attempt)
            if errors is not None:
                lines = b"".join(line + b"\n" for line in lines.splitlines() if ("error" in json.loads(line)) == errors)
            if lines:
                yield lines

    async def archive(self) -> AsyncIterator[bytes]:
        """A zip of the index and of all files, the results of a chunk at a time."""
        done, sink = await self._done(), _Sink()
        with zipfile.ZipFile(sink, "w") as archive:
            with archive.open(zipfile.ZipInfo(INDEX, EPOCH), "w", force_zip64=True) as index:
                for chunk, attempt in done:
                    index.write(await asyncio.to_thread(self._lines, chunk, attempt))
                    yield sink.taken()
            for chunk, attempt in done:
                if attempt != NO_RESULTS:
                    await asyncio.to_thread(self._copy, archive, chunk, attempt)
                    yield sink.taken()
        yield sink.taken()

    async def number_of(self, item: str) -> int:
        """The number of an item that is given by its number or its name. Raises `NotFound` or `Conflict`."""
        if not self.batch.chunks:
            raise Conflict("the batch has no items yet; close it, so that workers begin")
        if item.isascii() and item.isdigit() and len(item) < 10 and int(item) < self.batch.steps:
            return int(item)
        directory = await self.store.find(directory_name(self.batch.id)) or b""
        for number in numbers_of(directory, item):
            if (await asyncio.to_thread(self._entry, number)).item == item:
                return number
        raise NotFound(f"the batch has no item {item[:100]!r}; items have names, and numbers below {self.batch.steps}")

    async def lines_of(self, number: int) -> list[Line]:
        """The lines of an item. Raises `Conflict` if it is not done yet."""
        chunk = number // self.batch.size
        attempt = dict(await self._done()).get(chunk)
        if attempt is None:
            raise Conflict(f"item {number} is not done yet")
        lines = await asyncio.to_thread(self._lines, chunk, attempt)
        return [line for line in map(json.loads, lines.splitlines()) if line["number"] == number]

    async def file_of(self, number: int, method: str | None, kind: str) -> bytes:
        """The map or the overlay of an item, by the first method if none is named. Raises `NotFound` or `Conflict`."""
        lines = await self.lines_of(number)
        line = next((line for line in lines if method in (None, line["method"])), None)
        if line is None:
            raise NotFound(f"the batch has no method {method!r}; it has: {', '.join(self._parameters.methods)}")
        if is_error([line]):
            raise NotFound(f"the item has no {kind}: {line['error']['detail']}")
        if line[kind] is None:
            raise NotFound(f"the batch has no {kind}s; ask for them with {kind}s=true")
        chunk = number // self.batch.size
        attempt = dict(await self._done())[chunk]
        return await asyncio.to_thread(self._file, chunk, attempt, line[kind])

    @property
    def _parameters(self) -> BatchParameters:
        return BatchParameters.model_validate(self.batch.parameters)

    async def _done(self) -> list[tuple[int, str]]:
        """The chunks that are done, and the attempts whose results count."""
        attempts = await self.batches.attempts(self.batch.id)
        return [(chunk, attempt) for chunk, attempt in enumerate(attempts) if attempt is not None]

    def _lines(self, chunk: int, attempt: str) -> bytes:
        if attempt != NO_RESULTS:
            return self.store.read(self._place(chunk, lines_name(attempt)))
        methods, problem = list(self._parameters.methods), self.batch.problem or {}
        problem = {name: problem[name] for name in ("status", "title", "detail") if name in problem}
        first = chunk * self.batch.size
        entries = read_items(self.store, self.batch.id, chunk)
        return b"".join(
            encoded(line) for i, entry in enumerate(entries) for line in failed(first + i, entry.item, methods, problem)
        )

    def _entry(self, number: int) -> Any:
        return read_items(self.store, self.batch.id, number // self.batch.size)[number % self.batch.size]

    def _copy(self, archive: zipfile.ZipFile, chunk: int, attempt: str) -> None:
        for name, data in _files(self.store.read(self._place(chunk, files_name(attempt)))):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data)

    def _file(self, chunk: int, attempt: str, name: str) -> bytes:
        with zipfile.ZipFile(self.store.open_file(self._place(chunk, files_name(attempt)))) as archive:
            return archive.read(name)

    def _place(self, chunk: int, name: str) -> str:
        return artifact_name(f"{self.batch.id}/{chunk}", name)


class _Sink(io.RawIOBase):
    """A file that is written to its end, and read meanwhile."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _files(archive: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for name in opened.namelist():
            yield name, opened.read(name)
