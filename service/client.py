"""A client of the job API, for programs: `Client`, and `AsyncClient` with the same methods to be awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse, connect_sse

from service.api.job_schemas import BatchAnswer, JobAnswer, JobList
from service.errors import ConvlensError
from service.jobs.record import ACTIVE

WAIT_SECONDS = 20.0  # of one long poll
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0  # between tries when the service cannot be reached


class ServiceError(ConvlensError):
    """The service refused; the message is the detail of its problem document. status: of the answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


EMPTY: Mapping[str, bytes] = {}


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def _submit(class_id: int | Sequence[int], idempotency_key: str | None, parameters: Mapping[str, Any]) -> _Call:
    body = {"class_id": class_id if isinstance(class_id, int) else list(class_id), **parameters}
    return _start("class", {}, idempotency_key, body)


def _start(kind: str, images: Mapping[str, bytes], idempotency_key: str | None, parameters: Mapping[str, Any]) -> _Call:
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    body = {"kind": kind, **parameters}
    sent = {"data": body, "files": dict(images)} if images else {"json": body}
    return _Call("POST", "/visualize", {**sent, "headers": headers})


def _job(id_: str, wait: float = 0) -> _Call:
    return _Call("GET", f"/visualize/{id_}", {"params": {"wait": wait}})


def _image(id_: str, latest: bool) -> _Call:
    return _Call("GET", f"/visualize/{id_}/image", {"params": {"latest": latest}})


def _search(filters: Mapping[str, Any]) -> _Call:
    return _Call("GET", "/visualize", {"params": {k: v for k, v in filters.items() if v is not None}})


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.text or response.reason_phrase
    raise ServiceError(response.status_code, detail)


def _submitted(response: httpx.Response) -> JobAnswer | BatchAnswer:
    data = response.json()
    return JobAnswer.model_validate(data) if "state" in data else BatchAnswer.model_validate(data)


def _as_job(response: httpx.Response) -> JobAnswer:
    return JobAnswer.model_validate_json(response.content)


def _stream(id_: str, last_event_id: str | None) -> dict[str, Any]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    return {"method": "GET", "url": f"/visualize/{id_}/events", "headers": headers}


def _credentials(api_key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def _may_pass(error: Exception) -> bool:
    """Whether the same request may succeed later, because the service failed or could not be reached."""
    return not isinstance(error, ServiceError) or error.status >= 500


def _pauses() -> Iterator[float]:
    """Pauses between retries, in seconds, each longer than the last."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


class Client:
    """Submits jobs and fetches what they made. Raises `ServiceError` for what the service refuses."""

    def __init__(self, base_url: str, timeout: float = 60.0, api_key: str | None = None) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=timeout, headers=_credentials(api_key))

    def __enter__(self) -> Self:
        """Close with the ``with`` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _send(self, call: _Call) -> httpx.Response:
        return _checked(self._http.request(call.method, call.path, **call.arguments))

    def classes(self, model: str, query: str) -> list[dict[str, Any]]:
        """The classes whose names contain the query."""
        return list(self._send(_Call("GET", f"/models/{model}/classes", {"params": {"query": query}})).json())

    def models(self) -> list[dict[str, Any]]:
        """All models."""
        return list(self._send(_Call("GET", "/models")).json())

    def submit(
        self, class_id: int | Sequence[int], idempotency_key: str | None = None, **parameters: Any
    ) -> JobAnswer | BatchAnswer:
        """Start the picture of a class, or a batch of them for several classes."""
        return _submitted(self._send(_submit(class_id, idempotency_key, parameters)))

    def start(
        self, kind: str, images: Mapping[str, bytes] = EMPTY, idempotency_key: str | None = None, **parameters: Any
    ) -> JobAnswer:
        """Start a job of any kind. images: files of pictures by their fields, ``image`` and ``style_image``."""
        return _as_job(self._send(_start(kind, images, idempotency_key, parameters)))

    def artifact(self, id_: str, name: str) -> bytes:
        """An artifact of the job: anything it made other than its picture."""
        return self._send(_Call("GET", f"/visualize/{id_}/artifacts/{name}")).content

    def get(self, id_: str) -> JobAnswer:
        """The job as it stands."""
        return _as_job(self._send(_job(id_)))

    def wait(self, id_: str, timeout: float = 3600.0) -> JobAnswer:
        """The job at its end: long polls, and ever longer pauses while the service cannot be reached.

        Raises `TimeoutError`.
        """
        deadline, pauses = time.monotonic() + timeout, _pauses()
        while time.monotonic() < deadline:
            try:
                job = _as_job(self._send(_job(id_, min(WAIT_SECONDS, timeout))))
                if job.state not in ACTIVE:
                    return job
                pauses = _pauses()
            except (httpx.TransportError, ServiceError) as error:
                if not _may_pass(error):
                    raise
                time.sleep(next(pauses))
        raise TimeoutError(f"the job {id_} is not done after {timeout:g} seconds")

    def events(self, id_: str, last_event_id: str | None = None) -> Iterator[ServerSentEvent]:
        """The events of the job, up to its end."""
        with connect_sse(self._http, **_stream(id_, last_event_id)) as source:
            if source.response.is_error:
                source.response.read()
                _checked(source.response)
            yield from source.iter_sse()

    def image(self, id_: str, latest: bool = False) -> bytes:
        """The PNG that was made; the newest preview while there is none, if ``latest``."""
        return self._send(_image(id_, latest)).content

    def search(self, **filters: Any) -> JobList:
        """Jobs, newest first; filters are state, class_id, batch, limit and cursor."""
        return JobList.model_validate_json(self._send(_search(filters)).content)

    def batch(self, id_: str) -> BatchAnswer:
        """A batch and its jobs."""
        return BatchAnswer.model_validate_json(self._send(_Call("GET", f"/visualize/batches/{id_}")).content)

    def cancel(self, id_: str) -> JobAnswer:
        """Stop the job at its next step."""
        return _as_job(self._send(_Call("POST", f"/visualize/{id_}/cancel")))

    def delete(self, id_: str) -> None:
        """Forget the job and its pictures."""
        self._send(_Call("DELETE", f"/visualize/{id_}"))


class AsyncClient:
    """`Client`, to be awaited."""

    def __init__(self, base_url: str, timeout: float = 60.0, api_key: str | None = None) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout, headers=_credentials(api_key))

    async def __aenter__(self) -> Self:
        """Close with the ``async with`` block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def _send(self, call: _Call) -> httpx.Response:
        return _checked(await self._http.request(call.method, call.path, **call.arguments))

    async def submit(
        self, class_id: int | Sequence[int], idempotency_key: str | None = None, **parameters: Any
    ) -> JobAnswer | BatchAnswer:
        """Start the picture of a class, or a batch of them for several classes."""
        return _submitted(await self._send(_submit(class_id, idempotency_key, parameters)))

    async def start(
        self, kind: str, images: Mapping[str, bytes] = EMPTY, idempotency_key: str | None = None, **parameters: Any
    ) -> JobAnswer:
        """Start a job of any kind; see `Client.start`."""
        return _as_job(await self._send(_start(kind, images, idempotency_key, parameters)))

    async def artifact(self, id_: str, name: str) -> bytes:
        """An artifact of the job: anything it made other than its picture."""
        return (await self._send(_Call("GET", f"/visualize/{id_}/artifacts/{name}"))).content

    async def get(self, id_: str) -> JobAnswer:
        """The job as it stands."""
        return _as_job(await self._send(_job(id_)))

    async def wait(self, id_: str, timeout: float = 3600.0) -> JobAnswer:  # noqa: ASYNC109 - as in Client
        """The job at its end; see `Client.wait`."""
        pauses = _pauses()
        async with asyncio.timeout(timeout):
            while True:
                try:
                    job = _as_job(await self._send(_job(id_, WAIT_SECONDS)))
                    if job.state not in ACTIVE:
                        return job
                    pauses = _pauses()
                except (httpx.TransportError, ServiceError) as error:
                    if not _may_pass(error):
                        raise
                    await asyncio.sleep(next(pauses))

    async def events(self, id_: str, last_event_id: str | None = None) -> AsyncIterator[ServerSentEvent]:
        """The events of the job, up to its end."""
        async with aconnect_sse(self._http, **_stream(id_, last_event_id)) as source:
            if source.response.is_error:
                await source.response.aread()
                _checked(source.response)
            async for event in source.aiter_sse():
                yield event

    async def image(self, id_: str, latest: bool = False) -> bytes:
        """The PNG that was made; the newest preview while there is none, if ``latest``."""
        return (await self._send(_image(id_, latest))).content

    async def search(self, **filters: Any) -> JobList:
        """Jobs, newest first; filters are state, class_id, batch, limit and cursor."""
        return JobList.model_validate_json((await self._send(_search(filters))).content)

    async def batch(self, id_: str) -> BatchAnswer:
        """A batch and its jobs."""
        return BatchAnswer.model_validate_json((await self._send(_Call("GET", f"/visualize/batches/{id_}"))).content)

    async def cancel(self, id_: str) -> JobAnswer:
        """Stop the job at its next step."""
        return _as_job(await self._send(_Call("POST", f"/visualize/{id_}/cancel")))

    async def delete(self, id_: str) -> None:
        """Forget the job and its pictures."""
        await self._send(_Call("DELETE", f"/visualize/{id_}"))
