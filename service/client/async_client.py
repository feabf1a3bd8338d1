"""`AsyncClient`: the methods of `Client`, to be awaited."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse

from . import calls
from .answers import Batch, Job, JobList
from .calls import EMPTY, T
from .explanations import Explanations, Predictions
from .made import Map, Picture
from .photographs import Beside, Photograph, Photographs
from .retries import Patience, ServiceError


class AsyncClient:
    """`Client`, to be awaited."""

    def __init__(self, base_url: str, timeout: float = 60.0, api_key: str | None = None) -> None:
        self._timeout = timeout
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout, headers=calls.credentials(api_key))

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

    async def methods(self) -> list[dict[str, Any]]:
        """All saliency methods, with their parameters and when to use which."""
        return await self._send(calls.methods())

    async def explain(self, images: Photographs, beside: Beside | None = None, **parameters: Any) -> Explanations:
        """Saliency maps of photographs; see `Client.explain`."""
        return await self._send(calls.explain(images, beside, parameters))

    async def overlay(self, image: Photograph, beside: Beside | None = None, **parameters: Any) -> Picture:
        """The map of a photograph in colours; see `Client.overlay`."""
        return await self._send(calls.overlay(image, beside, parameters))

    async def map(self, image: Photograph, beside: Beside | None = None, **parameters: Any) -> Map:
        """The raw map of a photograph; see `Client.map`."""
        return await self._send(calls.raw_map(image, beside, parameters))

    async def predict(self, images: Photographs, beside: Beside | None = None, **parameters: Any) -> Predictions:
        """What the network says of photographs; see `Client.predict`."""
        return await self._send(calls.predict(images, beside, parameters))

    async def compare(self, images: Photographs, masks: Photographs = (), **parameters: Any) -> dict[str, Any]:
        """Methods put to the same tests on photographs; see `Client.compare`."""
        return await self._send(calls.question("/compare", {"image": images, "mask": masks}, parameters))

    async def concepts(self, images: Photographs, **parameters: Any) -> dict[str, Any]:
        """The factors of a layer in photographs; see `Client.concepts`."""
        return await self._send(calls.question("/concepts", {"image": images}, parameters))

    async def conductance(self, image: Photograph, **parameters: Any) -> dict[str, Any]:
        """What the channels of a layer carry of a score; see `Client.conductance`."""
        return await self._send(calls.question("/conductance", {"image": image}, parameters))

    async def tcav(
        self, concept: Photographs, random: Photographs, images: Photographs, **parameters: Any
    ) -> dict[str, Any]:
        """Whether a class depends on a concept; see `Client.tcav`."""
        pictures = {"concept": concept, "random": random, "image": images}
        return await self._send(calls.question("/tcav", pictures, parameters))

    async def submit(
        self, class_id: int | Sequence[int], idempotency_key: str | None = None, **parameters: Any
    ) -> Job | Batch:
        """Start the picture of a class, or a batch of them for several classes."""
        return await self._send(calls.submit(class_id, idempotency_key, parameters))

    async def start(
        self, kind: str, images: Mapping[str, Photograph] = EMPTY, idempotency_key: str | None = None, **parameters: Any
    ) -> Job:
        """Start a job of any kind; see `Client.start`."""
        return await self._send(calls.start(kind, images, idempotency_key, parameters))

    async def artifact(self, id_: str, name: str) -> Picture | Map | bytes:
        """An artifact of the job: anything it made other than its picture."""
        return await self._send(calls.artifact(id_, name))

    async def get(self, id_: str) -> Job:
        """The job as it stands."""
        return await self._send(calls.job(id_))

    async def wait(self, id_: str, timeout: float = 3600.0) -> Job:  # noqa: ASYNC109 - as in Client
        """The job at its end; see `Client.wait`."""
        patience = Patience(timeout)
        while True:
            left = patience.left
            try:
                job = await self._once(calls.poll(id_, left))
                if job.is_finished:
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
            try:
                async with aconnect_sse(self._http, **calls.stream(id_, last_event_id)) as source:
                    if calls.is_over(source.response):
                        return
                    if not source.response.is_success:
                        await source.response.aread()
                        raise calls.refusal(source.response)
                    async for event in source.aiter_sse():
                        patience, last_event_id = Patience(self._timeout), event.id or last_event_id
                        if calls.is_event(event):
                            yield event
                        if calls.is_last(event):
                            return
                raise httpx.ReadError("the stream was cut")
            except ServiceError as error:
                await asyncio.sleep(patience.after_refusal(error))
            except httpx.TransportError as error:
                if not patience.left:
                    raise
                await asyncio.sleep(patience.after_failure(error))

    async def image(self, id_: str, latest: bool = False) -> Picture:
        """The PNG that was made; the newest preview while there is none, if ``latest``."""
        return await self._send(calls.image(id_, latest))

    async def animation(self, id_: str, **parameters: Any) -> Picture:
        """How the picture came to be; ``format="webp"`` is smaller than the GIF."""
        return await self._send(calls.animation(id_, parameters))

    async def search(self, **filters: Any) -> JobList:
        """Jobs, newest first; filters are state, class_id, kind, batch, limit and cursor."""
        return await self._send(calls.search(filters))

    async def batch(self, id_: str) -> Batch:
        """A batch and its jobs."""
        return await self._send(calls.batch(id_))

    async def cancel(self, id_: str) -> Job:
        """Stop the job at its next step."""
        return await self._send(calls.cancel(id_))

    async def delete(self, id_: str) -> None:
        """Forget the job and its pictures."""
        await self._send(calls.delete(id_))
