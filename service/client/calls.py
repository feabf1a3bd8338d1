"""The requests of the client, and how their answers are read: one definition for both clients."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from httpx_sse import ServerSentEvent

from .answers import Batch, Job, JobList
from .explanations import Explanations, Predictions
from .made import Map, Picture, made
from .photographs import Beside, Photograph, Photographs, encoded, listed
from .retries import LONGEST_PAUSE, ServiceError, retry_after

WAIT_SECONDS = 20.0  # of one long poll
NPY = "application/x-npy"
SLACK = 0.2  # seconds that an answer takes to arrive

T = TypeVar("T")


EMPTY: Mapping[str, Photographs] = {}


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and how its answer is read.

    done: refusals that mean, when the request is sent again after a failure, that it was done the first time.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    done: frozenset[int] = frozenset()


def at(path: str, *parts: str) -> str:
    """A path with its parts filled in. Raises `ValueError` for dots alone, which would lead to another path."""
    for part in parts:
        if part in ("", ".", ".."):
            raise ValueError(f"{part!r} is no name")
    return path.format(*(quote(part, safe="") for part in parts))


def submit(
    class_id: int | Sequence[int], idempotency_key: str | None, parameters: Mapping[str, Any]
) -> Call[Job | Batch]:
    """Start pictures of classes."""
    body = {"class_id": class_id if isinstance(class_id, int) else list(class_id), **parameters}
    as_job = start("class", {}, idempotency_key, body)
    return Call(as_job.method, as_job.path, _submitted, as_job.arguments)


def start(
    kind: str, images: Mapping[str, Photograph], idempotency_key: str | None, parameters: Mapping[str, Any]
) -> Call[Job]:
    """Start a job of any kind. Without a key it gets one of its own, so that sending it again makes no second job."""
    headers = {"Idempotency-Key": secrets.token_urlsafe() if idempotency_key is None else idempotency_key}
    body = {"kind": kind, **parameters}
    files = {field: encoded(image) for field, image in images.items()}
    in_form = {name: _in_form(value) for name, value in body.items() if value is not None}
    sent = {"data": in_form, "files": files} if files else {"json": body}
    return Call("POST", "/visualize", _as_job, {**sent, "headers": headers})


def ask(
    path: str,
    photographs: Mapping[str, Photographs],
    parameters: Mapping[str, Any],
    read: Callable[[httpx.Response], T],
    accept: str = "application/json",
) -> Call[T]:
    """A question about photographs, answered at once. photographs: by the names of their fields."""
    named = [(field, encoded(one)) for field, several in photographs.items() for one in listed(several)]
    files = [(field, (f"{field}{i}", data)) for i, (field, data) in enumerate(named)]
    given = {name: _in_form(value) for name, value in parameters.items() if value is not None}
    return Call("POST", path, read, {"data": given, "files": files, "headers": {"Accept": accept}})


def _in_form(value: Any) -> Any:
    """Objects travel in forms as JSON, targets for instance."""
    has_objects = isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value)
    return json.dumps(value) if has_objects or isinstance(value, Mapping) else value


def question(path: str, photographs: Mapping[str, Photographs], parameters: Mapping[str, Any]) -> Call[dict[str, Any]]:
    """A question about photographs whose answer is read as it is."""
    return ask(path, photographs, parameters, _as_dict)


def explain(images: Photographs, beside: Beside | None, parameters: Mapping[str, Any]) -> Call[Explanations]:
    """Saliency maps, with all that is said of them."""
    return ask("/saliency", {"image": images, **(beside or {})}, parameters, lambda r: Explanations(r.json()))


def overlay(image: Photograph, beside: Beside | None, parameters: Mapping[str, Any]) -> Call[Picture]:
    """The picture of a map."""
    return ask("/saliency", {"image": image, **(beside or {})}, parameters, _picture, "image/png")


def raw_map(image: Photograph, beside: Beside | None, parameters: Mapping[str, Any]) -> Call[Map]:
    """The numbers of a map."""
    return ask("/saliency", {"image": image, **(beside or {})}, parameters, lambda r: Map(r.content), NPY)


def predict(images: Photographs, beside: Beside | None, parameters: Mapping[str, Any]) -> Call[Predictions]:
    """What the network says."""
    return ask("/predict", {"image": images, **(beside or {})}, parameters, lambda r: Predictions(r.json()))


def methods() -> Call[list[dict[str, Any]]]:
    """All methods."""
    return Call("GET", "/methods", _as_list)


def classes(model: str, query: str) -> Call[list[dict[str, Any]]]:
    """Classes by a part of their names."""
    return Call("GET", at("/models/{}/classes", model), _as_list, {"params": {"query": query}})


def models() -> Call[list[dict[str, Any]]]:
    """All models."""
    return Call("GET", "/models", _as_list)


def artifact(id_: str, name: str) -> Call[Picture | Map | bytes]:
    """An artifact of a job."""
    return Call("GET", at("/visualize/{}/artifacts/{}", id_, name), lambda r: made(r.content))


def job(id_: str, wait: float = 0, timeout: float | None = None) -> Call[Job]:
    """A job as it stands, after up to ``wait`` seconds."""
    bound = {} if timeout is None else {"timeout": timeout}
    return Call("GET", at("/visualize/{}", id_), _as_job, {"params": {"wait": wait}, **bound})


def image(id_: str, latest: bool) -> Call[Picture]:
    """The picture of a job."""
    return Call("GET", at("/visualize/{}/image", id_), _picture, {"params": {"latest": latest}})


def animation(id_: str, parameters: Mapping[str, Any]) -> Call[Picture]:
    """How the picture of a job came to be."""
    return Call("GET", at("/visualize/{}/animation", id_), _picture, {"params": dict(parameters)})


def search(filters: Mapping[str, Any]) -> Call[JobList]:
    """Jobs that fit the filters."""
    given = {name: value for name, value in filters.items() if value is not None}
    return Call("GET", "/visualize", lambda r: JobList.model_validate_json(r.content), {"params": given})


def batch(id_: str) -> Call[Batch]:
    """A batch and its jobs."""
    return Call("GET", at("/visualize/batches/{}", id_), lambda r: Batch.model_validate_json(r.content))


def cancel(id_: str) -> Call[Job]:
    """Stop a job."""
    return Call("POST", at("/visualize/{}/cancel", id_), _as_job)


def delete(id_: str) -> Call[None]:
    """Forget a job."""
    return Call("DELETE", at("/visualize/{}", id_), lambda _: None, done=frozenset([404]))


def answer(call: Call[T], response: httpx.Response, again: bool) -> T:
    """What the answer says. again: whether the request had been sent before. Raises `ServiceError` for a refusal."""
    if response.is_success or (again and response.status_code in call.done):
        return call.read(response)
    raise refusal(response)


def refusal(response: httpx.Response) -> ServiceError:
    """What an answer that is no success says."""
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.text or response.reason_phrase
    return ServiceError(response.status_code, detail, retry_after(response))


def _submitted(response: httpx.Response) -> Job | Batch:
    data = response.json()
    return Job.model_validate(data) if "state" in data else Batch.model_validate(data)


def _as_job(response: httpx.Response) -> Job:
    return Job.model_validate_json(response.content)


def _as_dict(response: httpx.Response) -> dict[str, Any]:
    return dict(response.json())


def _as_list(response: httpx.Response) -> list[dict[str, Any]]:
    return list(response.json())


def _picture(response: httpx.Response) -> Picture:
    return Picture(response.content)


def poll(id_: str, left: float) -> Call[Job]:
    """A long poll that ends within the seconds that are left."""
    wait = max(min(WAIT_SECONDS, left - SLACK), 0)
    return job(id_, wait, timeout=max(min(WAIT_SECONDS + LONGEST_PAUSE, left), SLACK))


def stream(id_: str, last_event_id: str | None) -> dict[str, Any]:
    """The arguments of a stream of events."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    return {"method": "GET", "url": at("/visualize/{}/events", id_), "headers": headers}


def credentials(api_key: str | None) -> dict[str, str]:
    """The headers for a key."""
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def is_over(response: httpx.Response) -> bool:
    """Whether the stream has told all of a job that is over."""
    return response.status_code == httpx.codes.NO_CONTENT


def is_event(event: ServerSentEvent) -> bool:
    """Whether it is one of the service; signs of life come as empty messages."""
    return event.event != "message"


def is_last(event: ServerSentEvent) -> bool:
    """Whether nothing comes after it."""
    return event.event == "end"
