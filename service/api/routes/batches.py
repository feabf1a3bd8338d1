"""`/batches`: very many pictures as one job."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from service.api.access import CallerDep
from service.api.batch_requests import (
    PART_DESCRIBED,
    WHOLE_DESCRIBED,
    intake_of,
    read_part,
    read_request,
    visible_batch,
)
from service.api.batch_schemas import ItemAnswer, PictureBatch, PictureBatchList, batch_view
from service.api.deps import Services, ServicesDep
from service.api.event_streams import EVENTS, LastEventId, followed
from service.api.negotiation import JSON, NPY, PNG, negotiate
from service.api.problems import BINARY, RESPONSES
from service.batches.parameters import BatchParameters
from service.batches.reading import Reading
from service.batches.uploads import Upload
from service.errors import ConvlensError, Gone, NotFound
from service.jobs.ledger import Draft, Submission
from service.jobs.record import BATCH, Batch, State

router = APIRouter(prefix="/batches", tags=["batches"], responses=RESPONSES)

POLL_SECONDS = 0.2
WHOLE = "archive"  # the name of the part that comes with the request
JSON_LINES = "application/x-ndjson"
Key = Annotated[
    str | None, Header(min_length=1, max_length=255, description="As for `POST /visualize`.", alias="Idempotency-Key")
]
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$", description="A name of one's choice.")]


@router.post("", status_code=202, response_model=PictureBatch, openapi_extra=WHOLE_DESCRIBED)
async def begin_batch(
    request: Request, services: ServicesDep, owner: CallerDep, idempotency_key: Key = None
) -> Response:
    """Explain all pictures of an archive, or of a manifest, in the background.

    The archive is the body, or a file of a form after all its other fields. It is read member by member where it is
    stored; what cannot be read gets an error in the index and stops nothing. With `open=true` nothing is sent yet, and
    parts are added one by one. A request that is sent again with the same `Idempotency-Key` begins no second batch.
    """
    parameters, upload = await read_request(request)
    network = services.network(parameters.model)
    await services.job_service.compute.check(request.state.caller)
    stored = parameters.stored(network)
    draft = Draft(BATCH, None, stored.model_dump(mode="json"), 0, state=State.OPEN)
    body = parameters.model_dump_json(exclude_unset=True)
    submission = await services.job_service.submit([draft], False, idempotency_key, f"/batches {body}", owner)
    (id_,) = submission.ids
    batch = await _begun(services, submission, owner)
    if upload is not None and batch.state is State.OPEN:  # else it is a repetition of a request that was answered
        try:
            await _add(request, services, batch, WHOLE, upload)
            await _close(services, await visible_batch(services, id_, owner))
        except BaseException as error:
            may_come_again = idempotency_key is not None and not isinstance(error, ConvlensError)
            if not submission.again and not may_come_again:
                await asyncio.shield(services.job_service.withdraw(id_, idempotency_key, owner))
            raise
    batch = await visible_batch(services, id_, owner)
    headers = {"Location": batch_view(batch).links.self, "Retry-After": "1"}
    return Response(batch_view(batch).model_dump_json(), 202, headers, media_type=JSON)


@router.get("")
async def list_batches(
    services: ServicesDep,
    owner: CallerDep,
    state: Annotated[State | None, Query(description="Only batches in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Most batches in the answer.")] = 50,
    cursor: Annotated[str, Query(pattern=r"^\d{0,18}$", description="From the answer before.")] = "",
) -> PictureBatchList:
    """Batches, newest first."""
    before = int(cursor) if cursor else None
    jobs = await services.job_service.ledger.search(state, None, None, before, limit, BATCH, owner)
    data = [batch_view(job) for job in jobs if isinstance(job, Batch)]
    return PictureBatchList(data=data, cursor=str(jobs[-1].seq) if len(jobs) == limit else None)


@router.get("/{id}")
async def show_picture_batch(
    id: str,  # noqa: A002 - the name in the path
    services: ServicesDep,
    owner: CallerDep,
    wait: Annotated[float, Query(ge=0, le=60, description="Wait up to so many seconds for its end.")] = 0,
) -> PictureBatch:
    """A batch as it stands."""
    deadline = asyncio.get_running_loop().time() + wait
    while True:
        batch = await visible_batch(services, id, owner)
        if batch.is_finished or asyncio.get_running_loop().time() >= deadline:
            return batch_view(batch)
        await asyncio.sleep(POLL_SECONDS)


@router.get("/{id}/events", responses=EVENTS)
async def stream_batch_events(
    id: str,  # noqa: A002
    request: Request,
    services: ServicesDep,
    owner: CallerDep,
    last_event_id: LastEventId = "",
) -> Response:
    """Server-sent events: `state`, `progress` with the items that are done, and `end`; see `/visualize/{id}/events`.

    When items are tried again, it is told anew.
    """
    await visible_batch(services, id, owner)
    return await followed(request, services, id, owner, last_event_id)


@router.get("/{id}/index", responses={200: {"content": {JSON_LINES: {"schema": {"type": "string"}}}}})
async def show_batch_index(
    id: str,  # noqa: A002
    services: ServicesDep,
    owner: CallerDep,
    errors: Annotated[
        bool | None, Query(description="Only lines of what has failed, or with `false` of what has not.")
    ] = None,
) -> Response:
    """The index: a JSON line for each picture and method, as far as they are done.

    `item`, `number` and `method` say which; then either `model`, `class_id`, `class_name`, `score`, `probability`,
    `target`, `notes`, the names of `map` and `overlay` among the results, `metrics` and `seconds`, or an `error` with
    `status`, `title` and `detail`.
    """
    reading = await _reading(services, id, owner)
    return StreamingResponse(reading.index(errors), media_type=JSON_LINES)


@router.get("/{id}/results", responses={200: {"content": {"application/zip": BINARY}}})
async def show_batch_results(id: str, services: ServicesDep, owner: CallerDep) -> Response:  # noqa: A002
    """A zip of the index (`index.jsonl`), of all maps (`.npy`) and of the overlays, as far as they are done."""
    reading = await _reading(services, id, owner)
    headers = {"Content-Disposition": f'attachment; filename="batch-{id}.zip"'}
    return StreamingResponse(reading.archive(), media_type="application/zip", headers=headers)


@router.get(
    "/{id}/items/{item:path}",
    response_model=ItemAnswer,
    responses={200: {"content": {NPY: BINARY, PNG: BINARY}}},
)
async def show_batch_item(
    id: str,  # noqa: A002
    item: Annotated[str, Path(max_length=4096, description="The number of an item, or its name.")],
    request: Request,
    services: ServicesDep,
    owner: CallerDep,
    method: Annotated[str | None, Query(description="Whose map or overlay; the first method if absent.")] = None,
) -> Response:
    """What came of an item: JSON, or with `Accept: application/x-npy` its map, with `image/png` its overlay."""
    media = negotiate(request, JSON, NPY, PNG)
    reading = await _reading(services, id, owner)
    number = await reading.number_of(item)
    if media != JSON:
        data = await reading.file_of(number, method, "map" if media == NPY else "overlay")
        return Response(data, media_type=media, headers={"Vary": "Accept"})
    lines = await reading.lines_of(number)
    answer = ItemAnswer(number=number, item=lines[0]["item"], results=lines)
    return Response(answer.model_dump_json(), media_type=JSON, headers={"Vary": "Accept"})


@router.put("/{id}/parts/{name}", openapi_extra=PART_DESCRIBED)
async def add_batch_part(
    id: str,  # noqa: A002
    name: Name,
    request: Request,
    services: ServicesDep,
    owner: CallerDep,
    source: Annotated[str | None, Query(max_length=1000, description="Of a manifest: where its pictures are.")] = None,
) -> PictureBatch:
    """Add a part to an open batch: an archive, a manifest, or a picture, whose name is that of the part.

    A part of the same name is replaced, so it may be sent again after a lost answer. The items of a batch are in the
    order of the names of its parts.
    """
    batch = await visible_batch(services, id, owner)
    upload = await read_part(request, source)
    await _add(request, services, batch, name, upload)
    return batch_view(await visible_batch(services, id, owner))


@router.post("/{id}/close", status_code=202)
async def close_batch(id: str, services: ServicesDep, owner: CallerDep) -> PictureBatch:  # noqa: A002
    """Begin with an open batch: it takes no more parts."""
    batch = await visible_batch(services, id, owner)
    await _close(services, batch)
    return batch_view(await visible_batch(services, id, owner))


@router.post("/{id}/pause")
async def pause_batch(id: str, services: ServicesDep, owner: CallerDep) -> PictureBatch:  # noqa: A002
    """Begin with no more pictures. The few dozen with which workers have begun are done to the end."""
    await visible_batch(services, id, owner)
    await services.job_service.batches.pause(id)
    return batch_view(await visible_batch(services, id, owner))


@router.post("/{id}/resume", status_code=202)
async def resume_batch(id: str, services: ServicesDep, owner: CallerDep) -> PictureBatch:  # noqa: A002
    """Go on with a paused batch."""
    await visible_batch(services, id, owner)
    await services.job_service.batches.resume(id)
    await services.job_service.queue.add(1)
    return batch_view(await visible_batch(services, id, owner))


@router.post("/{id}/retry", status_code=202)
async def retry_batch(id: str, services: ServicesDep, owner: CallerDep) -> PictureBatch:  # noqa: A002
    """Try all items again that have failed so far. Results that there are stay."""
    await visible_batch(services, id, owner)
    await services.job_service.batches.retry(id)
    await services.job_service.queue.add(1)
    return batch_view(await visible_batch(services, id, owner))


@router.post("/{id}/cancel")
async def cancel_batch(id: str, services: ServicesDep, owner: CallerDep) -> PictureBatch:  # noqa: A002
    """Stop a batch for good. What is done stays. A batch that is over stays as it is."""
    await visible_batch(services, id, owner)
    await services.job_service.cancel(id)
    return batch_view(await visible_batch(services, id, owner))


@router.delete("/{id}", status_code=204)
async def delete_batch(id: str, services: ServicesDep, owner: CallerDep) -> None:  # noqa: A002
    """Forget a batch, its pictures and its results, whatever its state."""
    await visible_batch(services, id, owner)
    await services.job_service.delete(id)


async def _begun(services: Services, submission: Submission, owner: str | None) -> Batch:
    """The batch of a submission, which may be that of an earlier request with the same key."""
    try:
        return await visible_batch(services, submission.ids[0], owner)
    except NotFound as error:
        if not submission.again:
            raise
        raise Gone("the batch that this Idempotency-Key stands for has been deleted; send another key") from error


async def _add(request: Request, services: Services, batch: Batch, name: str, upload: Upload) -> None:
    """Take in a part, a few at the same time."""
    async with services.archives.take(request.state.caller):
        await intake_of(services).add(batch, name, upload)


async def _close(services: Services, batch: Batch) -> None:
    """Have workers begin."""
    parameters = BatchParameters.model_validate(batch.parameters)
    size = parameters.items_of_a_chunk(services.network(parameters.model))
    await intake_of(services).close(batch, size)
    await services.job_service.queue.add(1)


async def _reading(services: Services, id_: str, owner: str | None) -> Reading:
    batch = await visible_batch(services, id_, owner)
    return Reading(services.job_service.store, services.job_service.batches, batch)
