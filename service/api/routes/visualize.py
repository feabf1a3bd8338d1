"""`/visualize`: pictures made by gradient ascent, as jobs."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from service.api.access import CallerDep, count_jobs
from service.api.deps import JobServiceDep, ServicesDep
from service.api.job_parameters import request_body
from service.api.job_schemas import BatchAnswer, JobAnswer, JobList
from service.api.negotiation import is_known
from service.api.problems import BINARY, RESPONSES
from service.api.submission import (
    RETRY_AFTER,
    accepted,
    batch_answer,
    brief_answer,
    drafts_of,
    fingerprint,
    full_answer,
    read_job_request,
    submitted,
    visible,
)
from service.errors import Conflict, NotFound
from service.jobs.events import Event
from service.jobs.record import State
from service.jobs.service import JobService
from service.jobs.store import artifact_name, frame_name, image_name
from service.pictures.animation import AnimationFormat, animate, total_pixels
from service.pictures.turns import Turn
from service.runtime.demand import current

ANIMATED_PIXELS_OF_A_RUN = 100_000  # that are made part of an animation in the time of a run
PIECE_BYTES = 2**14  # of a stream that are sent at a time, as far as events are not larger

router = APIRouter(prefix="/visualize", tags=["jobs"], responses=RESPONSES)

POLL_SECONDS = 0.2
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": BINARY}}}
MOVING: dict[int | str, dict[str, Any]] = {200: {"content": {"image/gif": BINARY, "image/webp": BINARY}}}
ARTIFACT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": BINARY, "image/png": BINARY}}
}

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
    204: {"description": "All has been told and the job is over: an `EventSource` does not ask again."},
}


@router.post("", status_code=202, response_model=JobAnswer | BatchAnswer, openapi_extra=request_body())
async def submit(
    request: Request,
    services: ServicesDep,
    job_service: JobServiceDep,
    owner: CallerDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Send the same key again after a lost answer: no second job is made. "
            "The key of a job that was deleted is answered with 410, since a new job would bring back what was "
            "deleted; send another key for a new one. An empty key is a 422.",
        ),
    ] = None,
) -> Response:
    """Start a job. The answer says where to look for the picture.

    From noise: a picture of a class (`kind` `class`, the default), of a channel (`neuron`), small ones of many channels
    (`spritemap`). From a photograph, sent as a form: one that fools the network (`fooling`), what a layer knows of it
    (`inversion`) or finds remarkable (`caricature`), a dream (`deepdream`), the style of another picture (`style`).
    """
    parameters, files = await read_job_request(request)
    network = services.network(parameters.model)
    drafts = await services.work(lambda: drafts_of(parameters, files, network, services.settings), request)
    await count_jobs(request, services, len(drafts))
    body = fingerprint(parameters.model_dump_json(exclude_unset=True), files)
    return accepted(*await submitted(services, job_service, drafts, parameters.is_batch, idempotency_key, body, owner))


@router.get("")
async def list_jobs(
    services: ServicesDep,
    job_service: JobServiceDep,
    owner: CallerDep,
    state: Annotated[State | None, Query(description="Only jobs in this state.")] = None,
    class_id: Annotated[int | None, Query(description="Only jobs of this class.")] = None,
    batch: Annotated[str | None, Query(description="Only jobs of this batch.")] = None,
    kind: Annotated[str | None, Query(description="Only jobs of this kind.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Most jobs in the answer.")] = 50,
    cursor: Annotated[str, Query(pattern=r"^\d{0,18}$", description="From the answer before.")] = "",
) -> JobList:
    """Jobs, newest first."""
    jobs = await job_service.ledger.search(state, class_id, batch, int(cursor) if cursor else None, limit, kind, owner)
    return JobList(
        data=[brief_answer(services, job) for job in jobs], cursor=str(jobs[-1].seq) if len(jobs) == limit else None
    )


@router.get("/batches/{batch}")
async def show_batch(batch: str, services: ServicesDep, job_service: JobServiceDep, owner: CallerDep) -> BatchAnswer:
    """A batch and its jobs."""
    return await batch_answer(services, job_service, batch, owner)


@router.get("/{id}", response_model=JobAnswer, responses={304: {"description": "Nothing has changed since the ETag."}})
async def show_job(
    id: str,  # noqa: A002 - the name in the path
    services: ServicesDep,
    job_service: JobServiceDep,
    owner: CallerDep,
    wait: Annotated[
        float,
        Query(ge=0, le=60, description="Wait up to so many seconds for its end, or with `If-None-Match` for a change."),
    ] = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """A job as it stands."""
    deadline = asyncio.get_running_loop().time() + wait
    while True:
        job = await visible(job_service, id, owner)
        answer = (await full_answer(services, job_service.ledger, job)).model_dump_json().encode()
        etag = f'"{hashlib.sha256(answer).hexdigest()[:24]}"'
        known = is_known(etag, if_none_match)
        changed = if_none_match is not None and not known
        if job.is_finished or changed or asyncio.get_running_loop().time() >= deadline:
            break
        await asyncio.sleep(POLL_SECONDS)
    headers = {"ETag": etag, "Cache-Control": "no-cache"} | ({} if job.is_finished else RETRY_AFTER)
    if known:
        return Response(status_code=304, headers=headers)
    return Response(answer, media_type="application/json", headers=headers)


@router.get("/{id}/image", response_class=Response, responses=PNG)
async def show_image(
    id: str,  # noqa: A002
    job_service: JobServiceDep,
    owner: CallerDep,
    latest: Annotated[bool, Query(description="The newest preview while there is no finished picture.")] = False,
) -> Response:
    """The finished picture; of a cancelled job the last one it had."""
    job = await visible(job_service, id, owner)
    image = await job_service.store.find(image_name(id)) if job.is_finished else None
    if image is None and latest and job.preview is not None:
        image = await job_service.store.find(frame_name(id, job.preview))
    if image is None:
        hint = "" if latest or job.preview is None else "; latest=1 gives the newest preview"
        raise Conflict(f"the job is {job.state} and has no picture{' yet' if not job.is_finished else ''}{hint}")
    return Response(image, media_type="image/png")


@router.get("/{id}/artifacts/{name}", response_class=Response, responses=ARTIFACT)
async def show_artifact(id: str, name: str, job_service: JobServiceDep, owner: CallerDep) -> Response:  # noqa: A002
    """An artifact of the job: anything it made other than its picture."""
    job = await visible(job_service, id, owner)
    if name not in job.artifacts:
        raise NotFound(f"the job has no artifact {name!r}; it has: {', '.join(job.artifacts) or 'none'}")
    media = "image/png" if name.endswith(".png") else "application/octet-stream"
    return Response(await job_service.store.get(artifact_name(id, name)), media_type=media)


@router.get("/{id}/frames/{step}", response_class=Response, responses=PNG)
async def show_frame(id: str, step: int, job_service: JobServiceDep, owner: CallerDep) -> Response:  # noqa: A002
    """The preview after a step."""
    steps = await _frames(job_service, id, owner)
    if step not in steps:
        raise NotFound(f"there is no preview of step {step}; there are: {', '.join(map(str, steps)) or 'none'}")
    return Response(await job_service.store.get(frame_name(id, step)), media_type="image/png")


@router.get("/{id}/animation", response_class=Response, responses=MOVING)
async def show_animation(
    id: str,  # noqa: A002
    request: Request,
    services: ServicesDep,
    job_service: JobServiceDep,
    owner: CallerDep,
    format: Annotated[AnimationFormat, Query(description="`webp` is smaller and has all colours.")] = "gif",  # noqa: A002
    milliseconds: Annotated[int, Query(ge=20, le=5000, description="Duration of a preview.")] = 200,
) -> Response:
    """The previews so far, one after the other."""
    steps = await _frames(job_service, id, owner)
    if not steps:
        raise Conflict("the job has no previews to animate")
    found = [await job_service.store.find(frame_name(id, step)) for step in steps]
    frames = [frame for frame in found if frame is not None]  # one that was lost is left out
    if not frames:
        raise Conflict("the previews of the job have been lost")

    def draw() -> bytes:
        with Turn(current().check) as turn:
            return animate(frames, format, milliseconds, turn)

    moving = await services.work(draw, request, effort=total_pixels(frames) / ANIMATED_PIXELS_OF_A_RUN)
    return Response(moving, media_type=f"image/{format}")


@router.get("/{id}/events", response_class=Response, responses=EVENTS)
async def stream_events(
    id: str,  # noqa: A002
    request: Request,
    services: ServicesDep,
    job_service: JobServiceDep,
    owner: CallerDep,
    last_event_id: Annotated[
        str,
        Header(
            pattern=r"^(\d{1,20}(-\d{1,20})?)?$",
            description="The id of the last event that has arrived. One of the future counts as that of the newest "
            "event; what is no id is a 422.",
        ),
    ] = "",
) -> Response:
    """Server-sent events: `state`, `progress`, `preview`, and `end` as the last one, also of a job that is deleted.

    All that happened is told from the beginning, or from `Last-Event-ID` on. If that was the `end`, the answer is 204.
    A stream ends early when its key is withdrawn.
    """
    await visible(job_service, id, owner)
    events = await job_service.events.follow(id, last_event_id or "0")
    if events is None:
        return Response(status_code=204)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    place = services.streams.take(request.state.caller)
    stream = _stream(events, place, lambda: services.keys.holds(owner))
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.post("/{id}/cancel")
async def cancel(id: str, services: ServicesDep, job_service: JobServiceDep, owner: CallerDep) -> JobAnswer:  # noqa: A002
    """Stop a job at its next step; its latest picture is kept. A job that is over stays as it is."""
    await visible(job_service, id, owner)
    return await full_answer(services, job_service.ledger, await job_service.cancel(id))


@router.delete("/{id}", status_code=204)
async def delete(id: str, job_service: JobServiceDep, owner: CallerDep) -> None:  # noqa: A002
    """Forget a job and its pictures, whatever its state."""
    await visible(job_service, id, owner)
    await job_service.delete(id)


async def _frames(job_service: JobService, id_: str, owner: str | None) -> list[int]:
    await visible(job_service, id_, owner)
    return await job_service.ledger.frames(id_)


async def _stream(
    events: AsyncGenerator[list[Event]], place: AbstractContextManager[None], may_listen: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """The events as server-sent ones, for as long as the caller may listen."""
    with place:
        async with aclosing(events):
            async for happened in events:
                if not may_listen():
                    return
                told = b"" if happened else b": still here\n\n"
                for event in happened:
                    told += _encoded(event)
                    if len(told) > PIECE_BYTES:
                        yield told
                        told = b""
                if told:
                    yield told


@lru_cache(maxsize=4096)  # many may listen to the same job
def _encoded(event: Event) -> bytes:
    return format_sse_event(data_str=event.data, event=event.name, id=event.id)
