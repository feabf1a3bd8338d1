"""Batches of pictures: `Client.batches`, and `AsyncClient.batches` with the same methods to be awaited."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from .calls import SLACK, WAIT_SECONDS, Call, refusal
from .retries import LONGEST_PAUSE, Patience, ServiceError

UNFINISHED = ("open", "queued", "running", "paused", "cancelling")
BINARY = {"Content-Type": "application/octet-stream"}
PIECE_BYTES = 2**20  # of a file that are read at a time

Batch = dict[str, Any]  # the answer of `GET /batches/{id}`
Line = dict[str, Any]  # of the index
Archive = bytes | Path  # a zip, a tar or a tar.gz


@dataclass(frozen=True)
class Batches:
    """Batches of a service. Raises `ServiceError` for what it refuses."""

    _send: Callable[[Call[Any]], Any]
    _http: httpx.Client

    def begin(self, archive: Archive | None = None, idempotency_key: str | None = None, **parameters: Any) -> Batch:
        """Have all pictures of an archive explained. Without an archive the batch is open, and takes parts.

        parameters: ``methods="gradient,grad_cam"`` and the others of `POST /batches`.
        """
        content = _Pieces(archive) if isinstance(archive, Path) else archive
        answer: Batch = self._send(_begin(content, idempotency_key, parameters))
        return answer

    def begin_manifest(
        self, names: Sequence[str], source: str, idempotency_key: str | None = None, **parameters: Any
    ) -> Batch:
        """Have pictures explained that are where the service may read them, at one of its sources."""
        answer: Batch = self._send(_begin_manifest(names, source, idempotency_key, parameters))
        return answer

    def add(self, id_: str, name: str, archive: Archive) -> Batch:
        """Add an archive to an open batch, in place of a part of the same name."""
        content = _Pieces(archive) if isinstance(archive, Path) else archive
        answer: Batch = self._send(_add(id_, name, content))
        return answer

    def act(self, id_: str, verb: str) -> Batch:
        """Do something to a batch: ``close``, ``pause``, ``resume``, ``retry`` or ``cancel``."""
        answer: Batch = self._send(_act(id_, verb))
        return answer

    def get(self, id_: str) -> Batch:
        """The batch as it stands."""
        answer: Batch = self._send(_get(id_))
        return answer

    def wait(self, id_: str, timeout: float = 86400.0) -> Batch:
        """The batch at its end. Raises `TimeoutError`."""
        patience = Patience(timeout)
        while patience.left > SLACK:
            try:
                batch: Batch = self._send(_get(id_, patience.left))
                if batch["state"] not in UNFINISHED:
                    return batch
                patience.renew()
            except (httpx.TransportError, ServiceError) as error:
                time.sleep(patience.after_failure(error))
        raise TimeoutError(f"the batch {id_} is not done after {timeout:g} seconds")

    def index(self, id_: str, errors: bool | None = None) -> Iterator[Line]:
        """The lines of the index, as far as it is done. errors: whether only those of what failed, or of what did not.

        Each names its ``item`` and ``method``, and holds either what was found or an ``error``.
        """
        with self._http.stream(**_index(id_, errors)) as response:
            if not response.is_success:
                response.read()
                raise refusal(response)
            yield from map(json.loads, response.iter_lines())

    def map(self, id_: str, item: str | int, method: str | None = None) -> bytes:
        """The map of an item, in NumPy's file format."""
        data: bytes = self._send(_file(id_, item, method, "application/x-npy"))
        return data

    def overlay(self, id_: str, item: str | int, method: str | None = None) -> bytes:
        """The overlay of an item, a PNG."""
        data: bytes = self._send(_file(id_, item, method, "image/png"))
        return data

    def download(self, id_: str, file: Path) -> None:
        """Write the index, all maps and all overlays into a zip."""
        with self._http.stream("GET", f"/batches/{id_}/results") as response, file.open("wb") as opened:
            if not response.is_success:
                response.read()
                raise refusal(response)
            for piece in response.iter_bytes():
                opened.write(piece)

    def delete(self, id_: str) -> None:
        """Forget the batch, its pictures and its results."""
        self._send(_delete(id_))


@dataclass(frozen=True)
class AsyncBatches:
    """`Batches`, to be awaited."""

    _send: Callable[[Call[Any]], Awaitable[Any]]
    _http: httpx.AsyncClient

    async def begin(
        self, archive: Archive | None = None, idempotency_key: str | None = None, **parameters: Any
    ) -> Batch:
        """Have all pictures of an archive explained; see `Batches.begin`."""
        content = _AsyncPieces(archive) if isinstance(archive, Path) else archive
        answer: Batch = await self._send(_begin(content, idempotency_key, parameters))
        return answer

    async def begin_manifest(
        self, names: Sequence[str], source: str, idempotency_key: str | None = None, **parameters: Any
    ) -> Batch:
        """Have pictures explained that are where the service may read them, at one of its sources."""
        answer: Batch = await self._send(_begin_manifest(names, source, idempotency_key, parameters))
        return answer

    async def add(self, id_: str, name: str, archive: Archive) -> Batch:
        """Add an archive to an open batch, in place of a part of the same name."""
        content = _AsyncPieces(archive) if isinstance(archive, Path) else archive
        answer: Batch = await self._send(_add(id_, name, content))
        return answer

    async def act(self, id_: str, verb: str) -> Batch:
        """Do something to a batch: ``close``, ``pause``, ``resume``, ``retry`` or ``cancel``."""
        answer: Batch = await self._send(_act(id_, verb))
        return answer

    async def get(self, id_: str) -> Batch:
        """The batch as it stands."""
        answer: Batch = await self._send(_get(id_))
        return answer

    async def wait(self, id_: str, timeout: float = 86400.0) -> Batch:  # noqa: ASYNC109 - as in Batches
        """The batch at its end. Raises `TimeoutError`."""
        patience = Patience(timeout)
        while patience.left > SLACK:
            try:
                batch: Batch = await self._send(_get(id_, patience.left))
                if batch["state"] not in UNFINISHED:
                    return batch
                patience.renew()
            except (httpx.TransportError, ServiceError) as error:
                await asyncio.sleep(patience.after_failure(error))
        raise TimeoutError(f"the batch {id_} is not done after {timeout:g} seconds")

    async def index(self, id_: str, errors: bool | None = None) -> AsyncIterator[Line]:
        """The lines of the index; see `Batches.index`."""
        async with self._http.stream(**_index(id_, errors)) as response:
            if not response.is_success:
                await response.aread()
                raise refusal(response)
            async for line in response.aiter_lines():
                yield json.loads(line)

    async def map(self, id_: str, item: str | int, method: str | None = None) -> bytes:
        """The map of an item, in NumPy's file format."""
        data: bytes = await self._send(_file(id_, item, method, "application/x-npy"))
        return data

    async def overlay(self, id_: str, item: str | int, method: str | None = None) -> bytes:
        """The overlay of an item, a PNG."""
        data: bytes = await self._send(_file(id_, item, method, "image/png"))
        return data

    async def download(self, id_: str, file: Path) -> None:
        """Write the index, all maps and all overlays into a zip."""
        with file.open("wb") as opened:
            async with self._http.stream("GET", f"/batches/{id_}/results") as response:
                if not response.is_success:
                    await response.aread()
                    raise refusal(response)
                async for piece in response.aiter_bytes():
                    opened.write(piece)

    async def delete(self, id_: str) -> None:
        """Forget the batch, its pictures and its results."""
        await self._send(_delete(id_))


@dataclass(frozen=True)
class _Pieces:
    """A file a piece at a time, from its beginning whenever it is sent."""

    file: Path

    def __iter__(self) -> Iterator[bytes]:
        with self.file.open("rb") as opened:
            while piece := opened.read(PIECE_BYTES):
                yield piece


@dataclass(frozen=True)
class _AsyncPieces:
    """The same for an asynchronous client."""

    file: Path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in _Pieces(self.file):
            yield piece


def _begin(content: Any, idempotency_key: str | None, parameters: dict[str, Any]) -> Call[Batch]:
    headers = {
        "Idempotency-Key": idempotency_key or secrets.token_urlsafe(),
        "Content-Type": "application/octet-stream",
    }
    sent = {"content": content} if content is not None else {}
    given = parameters if sent else {**parameters, "open": True}
    return Call("POST", "/batches", _json, {**sent, "params": given, "headers": headers})


def _begin_manifest(
    names: Sequence[str], source: str, idempotency_key: str | None, parameters: dict[str, Any]
) -> Call[Batch]:
    headers = {"Idempotency-Key": idempotency_key or secrets.token_urlsafe()}
    given = {**parameters, "source": source}
    return Call("POST", "/batches", _json, {"json": list(names), "params": given, "headers": headers})


def _add(id_: str, name: str, content: Any) -> Call[Batch]:
    return Call("PUT", f"/batches/{id_}/parts/{name}", _json, {"content": content, "headers": BINARY})


def _act(id_: str, verb: str) -> Call[Batch]:
    return Call("POST", f"/batches/{id_}/{verb}", _json)


def _get(id_: str, left: float = 0) -> Call[Batch]:
    wait = max(min(WAIT_SECONDS, left - SLACK), 0)
    bound = {"timeout": WAIT_SECONDS + LONGEST_PAUSE} if left else {}
    return Call("GET", f"/batches/{id_}", _json, {"params": {"wait": wait}, **bound})


def _index(id_: str, errors: bool | None) -> dict[str, Any]:
    params = {} if errors is None else {"errors": errors}
    return {"method": "GET", "url": f"/batches/{id_}/index", "params": params}


def _file(id_: str, item: str | int, method: str | None, media: str) -> Call[bytes]:
    params = {} if method is None else {"method": method}
    place = f"/batches/{id_}/items/{quote(str(item))}"
    return Call("GET", place, lambda response: response.content, {"params": params, "headers": {"Accept": media}})


def _delete(id_: str) -> Call[None]:
    return Call("DELETE", f"/batches/{id_}", lambda _: None, done=frozenset([404]))


def _json(response: httpx.Response) -> Any:
    return response.json()
