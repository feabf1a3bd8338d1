"""A client of the API, for programs: `Client`, and `AsyncClient` with the same methods to be awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse, connect_sse

from service.api.job_schemas import BatchAnswer, JobAnswer, JobList
from service.client import batches, calls
from service.client.calls import EMPTY, T
from service.client.retries import Patience, ServiceError
from service.jobs.record import ACTIVE

__all__ = ["AsyncClient", "Client", "ServiceError"]

Beside = Mapping[str, Sequence[bytes]]  # pictures beside photographs, by the names of their fields


class Client:
    """Submits jobs and fetches what they made. Raises `ServiceError` for what the service refuses."""

    def __init__(self, base_url: str, timeout: float = 60.0, api_key: str | None = None) -> None:
        self._timeout = timeout
        self._http = httpx.Client(base_url=base_url, timeout=timeout, headers=calls.credentials(api_key))
        self.batches = batches.Batches(self._send, self._http)

    def __enter__(self) -> Self:
        """Close with the ``with`` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _once(self, call: calls.Call[T], again: bool = False) -> T:
        return calls.answer(call, self._http.request(call.method, call.path, **call.arguments), again)

    def _send(self, call: calls.Call[T]) -> T:
        """The answer; a request that is refused for now is sent again after `Retry-After`, within the timeout."""
        patience, again = Patience(self._timeout), False
        while True:
            try:
                return self._once(call, again)
            except ServiceError as error:
                time.sleep(patience.after_refusal(error))
                again |= error.status == httpx.codes.SERVICE_UNAVAILABLE

    def classes(self, model: str, query: str) -> list[dict[str, Any]]:
        """The classes whose names contain the query."""
        return self._send(calls.classes(model, query))

    def models(self) -> list[dict[str, Any]]:
        """All models."""
        return self._send(calls.models())

    def explain(self, images: Sequence[bytes], beside: Beside | None = None, **parameters: Any) -> dict[str, Any]:
        """Saliency maps of photographs: the answer of `POST /saliency`. beside: by field, ``mask`` or ``other``."""
        return self._send(calls.ask("/saliency", {"image": images, **(beside or {})}, parameters))

    def predict(self, images: Sequence[bytes], beside: Beside | None = None, **parameters: Any) -> dict[str, Any]:
        """What the network says of photographs: the answer of `POST /predict`."""
        return self._send(calls.ask("/predict", {"image": images, **(beside or {})}, parameters))

    def compare(self, images: Sequence[bytes], masks: Sequence[bytes] = (), **parameters: Any) -> dict[str, Any]:
        """Methods put to the same tests on photographs: the answer of `POST /compare`, ``meta`` and ``data``.

        masks: one for each photograph, white where the object is, or none. ``methods=[...]``, ``metrics=[...]``, …
        are the parameters of the request. It takes seconds for each photograph; ``timeout`` of the client bounds it.
        """
        return self._send(calls.ask("/compare", {"image": images, "mask": masks}, parameters))

    def concepts(self, images: Sequence[bytes], **parameters: Any) -> dict[str, Any]:
        """The factors of a layer in photographs: the answer of `POST /concepts`, ``meta`` and ``data``."""
        return self._send(calls.ask("/concepts", {"image": images}, parameters))

    def conductance(self, image: bytes, **parameters: Any) -> dict[str, Any]:
        """What the channels of a layer carry of a score: the answer of `POST /conductance`."""
        return self._send(calls.ask("/conductance", {"image": [image]}, parameters))

    def tcav(
        self, concept: Sequence[bytes], random: Sequence[bytes], images: Sequence[bytes], **parameters: Any
    ) -> dict[str, Any]:
        """Whether a class depends on a concept: the answer of `POST /tcav`. images: photographs of the class."""
        pictures = {"concept": concept, "random": random, "image": images}
        return self._send(calls.ask("/tcav", pictures, parameters))

    def submit(
        self, class_id: int | Sequence[int], idempotency_key: str | None = None, **parameters: Any
    ) -> JobAnswer | BatchAnswer:
        """Start the picture of a class, or a batch of them for several classes.

        Without an ``idempotency_key`` a new one is made, under which the client itself may send the request again.
        """
        return self._send(calls.submit(class_id, idempotency_key, parameters))

    def start(
        self, kind: str, images: Mapping[str, bytes] = EMPTY, idempotency_key: str | None = None, **parameters: Any
    ) -> JobAnswer:
        """Start a job of any kind. images: files of pictures by their fields, ``image`` and ``style_image``."""
        return self._send(calls.start(kind, images, idempotency_key, parameters))

    def artifact(self, id_: str, name: str) -> bytes:
        """An artifact of the job: anything it made other than its picture."""
        return self._send(calls.artifact(id_, name))

    def get(self, id_: str) -> JobAnswer:
        """The job as it stands."""
        return self._send(calls.job(id_))

    def wait(self, id_: str, timeout: float = 3600.0) -> JobAnswer:
        """The job at its end: long polls, and ever longer pauses while the service cannot be reached.

        Raises `TimeoutError`.
        """
        patience = Patience(timeout)
        while True:
            left = patience.left
            try:
                job = self._once(calls.poll(id_, left))
                if job.state not in ACTIVE:
                    return job
                patience.renew()
            except (httpx.TransportError, ServiceError) as error:
                time.sleep(patience.after_failure(error))
            if left <= calls.SLACK:  # that was the last look
                raise TimeoutError(f"the job {id_} is not done after {timeout:g} seconds")

    def events(self, id_: str, last_event_id: str | None = None) -> Iterator[ServerSentEvent]:
        """The events of the job, up to its end."""
        patience = Patience(self._timeout)
        while True:
            with connect_sse(self._http, **calls.stream(id_, last_event_id)) as source:
                if calls.is_over(source.response):
                    return
                if source.response.is_success:
                    yield from filter(calls.is_event, source.iter_sse())
                    return
                source.response.read()
            time.sleep(patience.after_refusal(calls.refusal(source.response)))

    def image(self, id_: str, latest: bool = False) -> bytes:
        """The PNG that was made; the newest preview while there is none, if ``latest``."""
        return self._send(calls.image(id_, latest))

    def search(self, **filters: Any) -> JobList:
        """Jobs, newest first; filters are state, class_id, kind, batch, limit and cursor."""
        return self._send(calls.search(filters))

    def batch(self, id_: str) -> BatchAnswer:
        """A batch and its jobs."""
        return self._send(calls.batch(id_))

    def cancel(self, id_: str) -> JobAnswer:
        """Stop the job at its next step."""
        return self._send(calls.cancel(id_))

    def delete(self, id_: str) -> None:
        """Forget the job and its pictures."""
        self._send(calls.delete(id_))


class AsyncClient:
    """`Client`, to be awaited."""

    def __init__(self, base_url: str, timeout: float = 60.0, api_key: str | None = None) -> None:
        self._timeout = timeout
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout, headers=calls.credentials(api_key))
        self.batches = batches.AsyncBatches(self._send, self._http)

    async def __aenter__(self) -> Self:
        """Close with the ``async with`` block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def _once(self, call: calls.Call[T], again: bool = False) -> T:
        return calls.answer(call, await self._http.request(call.method, call.path, **call.arguments), again)

    async def _send(self, call: calls.Call[T]) -> T:
        """See `Client`."""
        patience, again = Patience(self._timeout), False
        while True:
            try:
                return await self._once(call, again)
            except ServiceError as error:
                await asyncio.sleep(patience.after_refusal(error))
                again |= error.status == httpx.codes.SERVICE_UNAVAILABLE

    async def classes(self, model: str, query: str) -> list[dict[str, Any]]:
        """The classes whose names contain the query."""
        return await self._send(calls.classes(model, query))

    async def models(self) -> list[dict[str, Any]]:
        """All models."""
        return await self._send(calls.models())

    async def explain(self, images: Sequence[bytes], beside: Beside | None = None, **parameters: Any) -> dict[str, Any]:
        """Saliency maps of photographs; see `Client.explain`."""
        return await self._send(calls.ask("/saliency", {"image": images, **(beside or {})}, parameters))

    async def predict(self, images: Sequence[bytes], beside: Beside | None = None, **parameters: Any) -> dict[str, Any]:
        """What the network says of photographs; see `Client.predict`."""
        return await self._send(calls.ask("/predict", {"image": images, **(beside or {})}, parameters))

    async def compare(self, images: Sequence[bytes], masks: Sequence[bytes] = (), **parameters: Any) -> dict[str, Any]:
        """Methods put to the same tests on photographs; see `Client.compare`."""
        return await self._send(calls.ask("/compare", {"image": images, "mask": masks}, parameters))

    async def concepts(self, images: Sequence[bytes], **parameters: Any) -> dict[str, Any]:
        """The factors of a layer in photographs; see `Client.concepts`."""
        return await self._send(calls.ask("/concepts", {"image": images}, parameters))

    async def conductance(self, image: bytes, **parameters: Any) -> dict[str, Any]:
        """What the channels of a layer carry of a score; see `Client.conductance`."""
        return await self._send(calls.ask("/conductance", {"image": [image]}, parameters))

    async def tcav(
        self, concept: Sequence[bytes], random: Sequence[bytes], images: Sequence[bytes], **parameters: Any
    ) -> dict[str, Any]:
        """Whether a class depends on a concept; see `Client.tcav`."""
        pictures = {"concept": concept, "random": random, "image": images}
        return await self._send(calls.ask("/tcav", pictures, parameters))

    async def submit(
        self, class_id: int | Sequence[int], idempotency_key: str | None = None, **parameters: Any
    ) -> JobAnswer | BatchAnswer:
        """Start the picture of a class, or a batch of them for several classes."""
        return await self._send(calls.submit(class_id, idempotency_key, parameters))

    async def start(
        self, kind: str, images: Mapping[str, bytes] = EMPTY, idempotency_key: str | None = None, **parameters: Any
    ) -> JobAnswer:
        """Start a job of any kind; see `Client.start`."""
        return await self._send(calls.start(kind, images, idempotency_key, parameters))

    async def artifact(self, id_: str, name: str) -> bytes:
        """An artifact of the job: anything it made other than its picture."""
        return await self._send(calls.artifact(id_, name))

    async def get(self, id_: str) -> JobAnswer:
        """The job as it stands."""
        return await self._send(calls.job(id_))

    async def wait(self, id_: str, timeout: float = 3600.0) -> JobAnswer:  # noqa: ASYNC109 - as in Client
        """The job at its end; see `Client.wait`."""
        patience = Patience(timeout)
        while True:
            left = patience.left
            try:
                job = await self._once(calls.poll(id_, left))
                if job.state not in ACTIVE:
                    return job
                patience.renew()
            except (httpx.TransportError, ServiceError) as error:
                await asyncio.sleep(patience.after_failure(error))
            if left <= calls.SLACK:  # that was the last look
                raise TimeoutError(f"the job {id_} is not done after {timeout:g} seconds")

    async def events(self, id_: str, last_event_id: str | None = None) -> AsyncIterator[ServerSentEvent]:
        """The events of the job, up to its end."""
        patience = Patience(self._timeout)
        while True:
            async with aconnect_sse(self._http, **calls.stream(id_, last_event_id)) as source:
                if calls.is_over(source.response):
                    return
                if source.response.is_success:
                    async for event in source.aiter_sse():
                        if calls.is_event(event):
                            yield event
                    return
                await source.response.aread()
            await asyncio.sleep(patience.after_refusal(calls.refusal(source.response)))

    async def image(self, id_: str, latest: bool = False) -> bytes:
        """The PNG that was made; the newest preview while there is none, if ``latest``."""
        return await self._send(calls.image(id_, latest))

    async def search(self, **filters: Any) -> JobList:
        """Jobs, newest first; filters are state, class_id, kind, batch, limit and cursor."""
        return await self._send(calls.search(filters))

    async def batch(self, id_: str) -> BatchAnswer:
        """A batch and its jobs."""
        return await self._send(calls.batch(id_))

    async def cancel(self, id_: str) -> JobAnswer:
        """Stop the job at its next step."""
        return await self._send(calls.cancel(id_))

    async def delete(self, id_: str) -> None:
        """Forget the job and its pictures."""
        await self._send(calls.delete(id_))
