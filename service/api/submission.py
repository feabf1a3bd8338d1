"""Reading job requests and submitting jobs."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from service.api.deps import Services
from service.api.job_parameters import PICTURES, parse
from service.api.job_schemas import BatchAnswer, JobAnswer, job_answer
from service.api.prefix import PREFIX
from service.api.uploads import is_form, media_type, read_named
from service.errors import Gone, InvalidParameter, NotFound, TooManyBytes, UnsupportedMedia
from service.jobs.ledger import Draft, Ledger, Submission
from service.jobs.record import Batch, Chunk, Job
from service.jobs.service import JobService
from service.kinds import JobParameters
from service.kinds.feature import check_size
from service.kinds.parameters import FromPhotograph
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import decode
from service.pictures.turns import Turn
from service.runtime.demand import current
from service.saliency.explain import check_class
from service.settings import Settings

MAX_JSON_BYTES = 64 * 2**10
RETRY_AFTER = {"Retry-After": "1"}


async def read_job_request(request: Request) -> tuple[JobParameters, dict[str, bytes]]:
    """The parameters of a job and the pictures that came with it, from JSON or from a form."""
    values: Any
    files: dict[str, bytes] = {}
    if is_form(request):
        files, fields = await read_named(request, PICTURES)
        values = dict(fields)
    else:
        values = await _json(request)
    if not isinstance(values, dict):
        raise RequestValidationError([{"loc": ("body",), "msg": "must be a JSON object", "type": "model_type"}])
    try:
        parameters = parse(values)
    except ValidationError as error:
        # The first part of each location is the kind, which is no parameter of the request.
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"][1:])} for e in error.errors()]) from error
    _check_files(parameters, files)
    return parameters, files


async def _json(request: Request) -> Any:
    """The JSON of a body. Raises `UnsupportedMedia`, `TooManyBytes` or `RequestValidationError`."""
    media = media_type(request)
    if media != "application/json":  # what browsers send from other sites without asking is something else
        raise UnsupportedMedia(
            f"the body is {media or 'of no declared type'}; send JSON (-H 'Content-Type: application/json') or a form"
        )
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise TooManyBytes(f"a JSON body has at most {MAX_JSON_BYTES:,} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestValidationError(
            [{"loc": ("body",), "msg": f"not JSON: {str(error) or 'too deep'}", "type": "json_invalid"}]
        ) from error


def _check_files(parameters: JobParameters, files: dict[str, bytes]) -> None:
    for name in parameters.images:
        if name not in files:
            raise InvalidParameter(
                f"a job of the kind {parameters.kind} needs a picture in the form field {name!r} "
                f"(curl -F {name}=@cat.png)"
            )
    for name in files:
        if name not in parameters.images:
            raise InvalidParameter(f"a job of the kind {parameters.kind} takes no picture in the form field {name!r}")


def drafts_of(parameters: JobParameters, files: dict[str, bytes], network: Network, settings: Settings) -> list[Draft]:
    """The jobs that a request asks for. Raises for every fault that can be seen before a job runs."""
    _check_network(parameters, network)
    complete = parameters.completed(network)
    inputs = {}
    if isinstance(complete, FromPhotograph):
        inputs = {name: _prepared(data, complete, network, settings) for name, data in files.items()}
    stored = complete.to_record()
    return [Draft(complete.kind, class_id, stored, complete.steps, inputs) for class_id in complete.class_ids]


def _check_network(parameters: JobParameters, network: Network) -> None:
    """Raise an `InvalidParameter` for classes, layers, channels or sizes that the network does not have."""
    for class_id in parameters.class_ids:
        check_class(network, class_id)
    for name in parameters.layers:
        network.layer(name)
    check_size(parameters.size, network)
    for layer, channel in parameters.channels:
        if channel >= (channels := network.layer(layer).channels):
            raise InvalidParameter(f"channel must be from 0 to {channels - 1} for {layer}; it is {channel}")


def _prepared(data: bytes, parameters: FromPhotograph, network: Network, settings: Settings) -> bytes:
    """The picture at the size of the job, as a PNG to be stored."""
    size = network.size_of(parameters.size)
    border = network.model.manifest.resize / min(network.size)
    with Turn(current().check) as turn:
        photograph = decode(data, settings.max_pixels, turn=turn)
        fitted = images.fit(photograph, size, border, parameters.resize or "native").pixels
        del photograph
    network.check_size(*fitted.shape[1:])
    return images.encode_png(images.to_pixels(fitted))


def fingerprint(body: str, files: dict[str, bytes]) -> str:
    """The digest that an idempotency key is bound to: parameters and pictures."""
    return body + "".join(f"|{name}:{hashlib.sha256(data).hexdigest()}" for name, data in sorted(files.items()))


async def submitted(
    services: Services,
    job_service: JobService,
    drafts: Sequence[Draft],
    as_batch: bool,
    key: str | None,
    body: str,
    owner: str | None,
) -> tuple[str, JobAnswer | BatchAnswer]:
    """Submit jobs; returns the path of the job or batch, and the answer."""
    submission = await job_service.submit(drafts, as_batch, key, body, owner)
    try:
        return await _answered(services, job_service, submission, owner)
    except NotFound as error:
        if not submission.again:
            raise
        raise Gone(
            f"the job that the Idempotency-Key {key!r} stands for has been deleted; send another key for a new one"
        ) from error


async def _answered(
    services: Services, job_service: JobService, submission: Submission, owner: str | None
) -> tuple[str, JobAnswer | BatchAnswer]:
    """Where the jobs of a submission are, and the answer."""
    if submission.batch:
        return f"{PREFIX.get()}/visualize/batches/{submission.batch}", await batch_answer(
            services, job_service, submission.batch, owner
        )
    place = f"{PREFIX.get()}/visualize/{submission.ids[0]}"
    job = await job_service.ledger.get(submission.ids[0])
    if submission.again:
        return place, await full_answer(services, job_service.ledger, job)
    position = await job_service.ledger.position(job)
    return place, job_answer(job, class_name(services, job), [], [], position)  # it has no steps yet


def accepted(place: str, answer: JobAnswer | BatchAnswer) -> Response:
    """The answer 202."""
    headers = {"Location": place, **RETRY_AFTER}
    return Response(answer.model_dump_json(), 202, headers, media_type="application/json")


async def visible(job_service: JobService, id_: str, owner: str | None) -> Job:
    """The record of a job that the caller may see. Those of others are answered like missing ones."""
    job = await job_service.ledger.get(id_)
    if job.owner != owner or isinstance(job, Batch | Chunk):
        raise NotFound(f"there is no job {id_!r}")
    return job


async def batch_answer(services: Services, job_service: JobService, batch: str, owner: str | None) -> BatchAnswer:
    """A batch and its jobs."""
    jobs = await job_service.ledger.batch(batch)
    if any(job.owner != owner for job in jobs):
        raise NotFound(f"there is no batch {batch!r}")
    states = Counter(job.state for job in jobs)
    return BatchAnswer(
        id=batch, total=len(jobs), states=dict(states), data=[brief_answer(services, job) for job in jobs]
    )


async def full_answer(services: Services, ledger: Ledger, job: Job) -> JobAnswer:
    """A job with its history."""
    trace, frames, position = await ledger.trace(job.id), await ledger.frames(job.id), await ledger.position(job)
    return job_answer(job, class_name(services, job), trace, frames, position)


def brief_answer(services: Services, job: Job) -> JobAnswer:
    """A job as lists show it."""
    return job_answer(job, class_name(services, job), [], [], None)


def class_name(services: Services, job: Job) -> str | None:
    """The name of the class of a job, if it has one and the model is still there."""
    if job.class_id is not None:
        with suppress(NotFound, IndexError):
            return services.network(job.model).model.manifest.labels[job.class_id]
    return None
