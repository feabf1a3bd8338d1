"""From what is sent to the parts of a batch, and from these to its items."""

import asyncio
import secrets
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Literal

from service.batches import names
from service.batches.archives import Found, members
from service.batches.entries import Entry, check_name
from service.batches.explaining import ProblemOf
from service.batches.listing import write_items, write_list
from service.batches.manifests import listed
from service.batches.sources import Sources
from service.errors import BrokenBody, InvalidParameter, TooLarge, TooManyBytes
from service.jobs.batches import Batches, Part
from service.jobs.record import Batch
from service.jobs.store import ArtifactStore

Kind = Literal["archive", "manifest", "picture"]
GZIP = b"\x1f\x8b"
INFLATED_AT_ONCE = 2**20  # bytes
MOST_OF_MANIFEST = 32 * 2**20  # bytes


@dataclass(frozen=True)
class Upload:
    """Something that is sent as a part.

    Attributes:
        kind: What it is.
        pieces: Its bytes as they arrive.
        source: Of a manifest: the address under which its names are.
    """

    kind: Kind
    pieces: AsyncIterator[bytes]
    source: str | None = None


@dataclass(frozen=True)
class Intake:
    """Takes in parts.

    Attributes:
        store: Where they are kept.
        batches: Their records.
        sources: Where the pictures of manifests may be.
        max_items: Most items of a batch.
        max_bytes: Most bytes of a part.
        problem_of: What an index tells of an error.
    """

    store: ArtifactStore
    batches: Batches
    sources: Sources
    max_items: int
    max_bytes: int
    problem_of: ProblemOf

    async def add(self, batch: Batch, name: str, upload: Upload) -> None:
        """Store a part and list its items; one of the same name is replaced.

        Raises for what cannot be read as a whole, and what `Batches.add` raises; then nothing of it is kept.
        """
        token = secrets.token_urlsafe(12)
        if upload.kind == "manifest":
            self.sources.open(upload.source or "")
        try:
            pieces = _plain(upload.pieces) if upload.kind == "archive" else upload.pieces
            most = MOST_OF_MANIFEST if upload.kind == "manifest" else self.max_bytes
            size = await self.store.write(names.part_name(batch.id, token), _bounded(pieces, most))
            others = batch.steps  # a part that is replaced counts too, until it is
            items, listed_bytes = await asyncio.to_thread(
                write_list,
                self.store,
                batch.id,
                token,
                self._found(batch.id, token, name, upload, size),
                self.max_items - others,
                self.problem_of,
            )
            replaced = await self.batches.add(batch.id, name, Part(token, items, size + listed_bytes))
        except BaseException:
            await asyncio.shield(self._forget(batch.id, token))
            raise
        if replaced:
            await self._forget(batch.id, replaced)

    async def close(self, batch: Batch, items_of_a_chunk: int) -> None:
        """Make one list of the items of all parts, and let workers begin. Raises `InvalidParameter` or `Conflict`."""
        parts = await self.batches.parts(batch.id)
        if not parts:
            raise InvalidParameter("the batch has no parts yet; add some before it is closed")
        if sum(part.items for part in parts.values()) > self.max_items:
            raise TooLarge(f"a batch has at most {self.max_items:,} items (CONVLENS_MAX_BATCH_ITEMS)")
        tokens = [part.object for part in parts.values()]
        items = await asyncio.to_thread(write_items, self.store, batch.id, tokens, items_of_a_chunk, self.problem_of)
        await self.batches.close(batch.id, batch.version, items, items_of_a_chunk)

    def _found(self, batch: str, token: str, name: str, upload: Upload, size: int) -> Iterator[Found]:
        """The items of a part that has been stored."""
        place = names.part_name(batch, token)
        if upload.kind == "archive":
            return members(self.store.open_file(place), place, size)
        if upload.kind == "manifest":
            return listed(self.store.read(place), upload.source or "")
        check_name(name)
        return iter([(name, Entry(item=name, object=place, size=size))])

    async def _forget(self, batch: str, token: str) -> None:
        for name in (names.part_name(batch, token), names.list_name(batch, token)):
            await self.store.delete(name)


async def _plain(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """An archive, without the gzip around a tar."""
    head = b""
    async for piece in pieces:
        head += piece
        if len(head) >= len(GZIP):
            break
    rest = _chained(head, pieces)
    async for piece in _inflated(rest) if head.startswith(GZIP) else rest:
        yield piece


async def _chained(head: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for piece in pieces:
        yield piece


async def _bounded(pieces: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > most:
            raise TooManyBytes(f"a part has at most {most:,} bytes ; send several parts")
        yield piece


async def _inflated(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A gzip as it was before, a bounded piece at a time: the size is judged by what comes out."""
    inflating = zlib.decompressobj(wbits=31)
    try:
        async for piece in pieces:
            while piece.strip(b"\0") if inflating.eof else piece:
                if inflating.eof:  # another gzip follows, as some tools write it
                    inflating = zlib.decompressobj(wbits=31)
                yield inflating.decompress(piece, INFLATED_AT_ONCE)
                piece = inflating.unused_data if inflating.eof else inflating.unconsumed_tail
    except zlib.error as error:
        raise BrokenBody(f"the gzip cannot be read: {error}") from error
    if not inflating.eof:
        raise BrokenBody("the gzip ends before its end: send it again, as a whole")
