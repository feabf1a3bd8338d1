"""`Client`: each method is a request, or as many as it takes."""

import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
from httpx_sse import ServerSentEvent, connect_sse

from . import calls
from .answers import Batch, Job, JobList
from .calls import EMPTY, T
from .explanations import Explanations, Predictions
from .made import Map, Picture
from .photographs import Beside, Photograph, Photographs
from .retries import Patience, ServiceError


class Client:
    """Submits jobs and fetches what they made. Raises `ServiceError` for what the service refuses."""

    def __init__(self, base_url: str, timeout: float = 60.0, api_key: str | None = None) -> None:
        self._timeout = timeout
        self._http = httpx.Client(base_url=base_url, timeout=timeout, headers=calls.credentials(api_key))

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

    def methods(self) -> list[dict[str, Any]]:
        """All saliency methods, with their parameters and when to use which."""
        return self._send(calls.methods())

    def explain(self, images: Photographs, beside: Beside | None = None, **parameters: Any) -> Explanations:
        """Saliency maps of photographs: the answer of `POST /saliency`, which shows itself in a notebook.

        images: one or a list, each as bytes, the path of a file, a Pillow image or an array of bytes (H, W, 3).
        beside: more of them by field, ``mask`` or ``other``. parameters: of the request, ``method="grad_cam"``, …
        """
        return self._send(calls.explain(images, beside, parameters))

    def overlay(self, image: Photograph, beside: Beside | None = None, **parameters: Any) -> Picture:
        """The map of a photograph in colours, laid over it, or alone with ``output='heatmap'``: a PNG."""
        return self._send(calls.overlay(image, beside, parameters))

    def map(self, image: Photograph, beside: Beside | None = None, **parameters: Any) -> Map:
        """The raw map of a photograph: ``.array()`` is float32 (H, W), of what the network saw, not normalized."""
        return self._send(calls.raw_map(image, beside, parameters))

    def predict(self, images: Photographs, beside: Beside | None = None, **parameters: Any) -> Predictions:
        """What the network says of photographs: the answer of `POST /predict`, by the task of the network."""
        return self._send(calls.predict(images, beside, parameters))

    def compare(self, images: Photographs, masks: Photographs = (), **parameters: Any) -> dict[str, Any]:
        """Methods put to the same tests on photographs: the answer of `POST /compare`, ``meta`` and ``data``.

        masks: one for each photograph, white where the object is, or none. ``methods=[...]``, ``metrics=[...]``, …
        are the parameters of the request. It takes seconds for each photograph; ``timeout`` of the client bounds it.
        """
        return self._send(calls.question("/compare", {"image": images, "mask": masks}, parameters))

    def concepts(self, images: Photographs, **parameters: Any) -> dict[str, Any]:
        """The factors of a layer in photographs: the answer of `POST /concepts`, ``meta`` and ``data``."""
        return self._send(calls.question("/concepts", {"image": images}, parameters))

    def conductance(self, image: Photograph, **parameters: Any) -> dict[str, Any]:
        """What the channels of a layer carry of a score: the answer of `POST /conductance`."""
        return self._send(calls.question("/conductance", {"image": image}, parameters))

    def tcav(self, concept: Photographs, random: Photographs, images: Photographs, **parameters: Any) -> dict[str, Any]:
        """Whether a class depends on a concept: the answer of `POST /tcav`. images: photographs of the class."""
        pictures = {"concept": concept, "random": random, "image": images}
        return self._send(calls.question("/tcav", pictures, parameters))

    def submit(
        self, class_id: int | Sequence[int], idempotency_key: str | None = None, **parameters: Any
    ) -> Job | Batch:
        """Start the picture of a class, or a batch of them for several classes.

        Without an ``idempotency_key`` a new one is made, under which the client itself may send the request again.
        """
        return self._send(calls.submit(class_id, idempotency_key, parameters))

    def start(
        self, kind: str, images: Mapping[str, Photograph] = EMPTY, idempotency_key: str | None = None, **parameters: Any
    ) -> Job:
        """Start a job of any kind. images: files of pictures by their fields, ``image`` and ``style_image``."""
        return self._send(calls.start(kind, images, idempotency_key, parameters))

    def artifact(self, id_: str, name: str) -> Picture | Map | bytes:
        """An artifact of the job: anything it made other than its picture."""
        return self._send(calls.artifact(id_, name))

    def get(self, id_: str) -> Job:
        """The job as it stands."""
        return self._send(calls.job(id_))

    def wait(self, id_: str, timeout: float = 3600.0) -> Job:
        """The job at its end: long polls, and ever longer pauses while the service cannot be reached.

        Raises `TimeoutError`.
        """
        patience = Patience(timeout)
        while True:
            left = patience.left
            try:
                job = self._once(calls.poll(id_, left))
                if job.is_finished:
                    return job
                patience.renew()
            except (httpx.TransportError, ServiceError) as error:
                time.sleep(patience.after_failure(error))
            if left <= calls.SLACK:  # that was the last look
                raise TimeoutError(f"the job {id_} is not done after {timeout:g} seconds")

    def events(self, id_: str, last_event_id: str | None = None) -> Iterator[ServerSentEvent]:
        """The events of the job, up to its end; a stream that was cut is taken up where it was.

        Raises `ServiceError`, or `httpx.TransportError` when the service is away for longer than the timeout.
        """
        patience = Patience(self._timeout)
        while True:
            try:
                with connect_sse(self._http, **calls.stream(id_, last_event_id)) as source:
                    if calls.is_over(source.response):
                        return
                    if not source.response.is_success:
                        source.response.read()
                        raise calls.refusal(source.response)
                    for event in source.iter_sse():
                        patience, last_event_id = Patience(self._timeout), event.id or last_event_id
                        if calls.is_event(event):
                            yield event
                        if calls.is_last(event):
                            return
                raise httpx.ReadError("the stream was cut")
            except ServiceError as error:
                time.sleep(patience.after_refusal(error))
            except httpx.TransportError as error:
                if not patience.left:
                    raise
                time.sleep(patience.after_failure(error))

    def image(self, id_: str, latest: bool = False) -> Picture:
        """The PNG that was made; the newest preview while there is none, if ``latest``."""
        return self._send(calls.image(id_, latest))

    def animation(self, id_: str, **parameters: Any) -> Picture:
        """How the picture came to be; ``format="webp"`` is smaller than the GIF."""
        return self._send(calls.animation(id_, parameters))

    def search(self, **filters: Any) -> JobList:
        """Jobs, newest first; filters are state, class_id, kind, batch, limit and cursor."""
        return self._send(calls.search(filters))

    def batch(self, id_: str) -> Batch:
        """A batch and its jobs."""
        return self._send(calls.batch(id_))

    def cancel(self, id_: str) -> Job:
        """Stop the job at its next step."""
        return self._send(calls.cancel(id_))

    def delete(self, id_: str) -> None:
        """Forget the job and its pictures."""
        self._send(calls.delete(id_))
