"""The events of jobs and batches as server-sent ones."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from service.api.deps import Services
from service.jobs.events import Event

PIECE_BYTES = 2**14  # of a stream that are sent at a time, as far as events are not larger
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
    204: {"description": "All has been told and the job is over: an `EventSource` does not ask again."},
}
LastEventId = Annotated[
    str,
    Header(
        pattern=r"^(\d{1,20}(-\d{1,20})?)?$",
        description="The id of the last event that has arrived. One of the future counts as that of the newest "
        "event; what is no id is a 422.",
    ),
]


async def followed(request: Request, services: Services, id_: str, owner: str | None, last_event_id: str) -> Response:
    """The events of a job after the one with that id, up to its end; the answer 204 if all has been told."""
    events = await services.job_service.events.follow(id_, last_event_id or "0")
    if events is None:
        return Response(status_code=204)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    place = services.streams.take(request.state.caller)
    stream = _stream(events, place, lambda: services.keys.holds(owner))
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


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
