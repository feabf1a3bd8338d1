"""What is sent to `/batches`: parameters, and an archive, a manifest or a picture, stored while they arrive."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request

from service.api.batch_parameters import BatchRequest
from service.api.deps import Services
from service.api.problems import brief
from service.api.streamed_forms import StreamedForm
from service.api.uploads import is_form, media_type, of_query, request_described, validated
from service.batches.sources import Sources
from service.batches.uploads import Intake, Kind, Upload
from service.errors import InvalidParameter, NotFound, UnsupportedMedia
from service.jobs.record import Batch

ARCHIVES = (
    "application/zip",
    "application/x-zip-compressed",
    "application/x-tar",
    "application/gzip",
    "application/x-gzip",
    "application/x-compressed-tar",
    "application/octet-stream",
)
MANIFESTS = ("application/json", "application/x-ndjson", "application/jsonl", "application/x-jsonlines")
FIELDS: dict[str, Kind] = {"archive": "archive", "manifest": "manifest", "image": "picture"}
HOW = (
    "send an archive (curl -F archive=@photos.zip, or --data-binary @photos.zip -H 'Content-Type: application/zip'), "
    "or a manifest (-F source=… -F manifest=@names.jsonl)"
)

_FILE = {"type": "string", "format": "binary"}
_FILES = {
    "archive": {**_FILE, "description": "A zip, a tar or a tar.gz of pictures."},
    "manifest": {**_FILE, "description": "Names of pictures in the source: JSON lines, or a JSON list of strings."},
}


def _described(form: dict[str, Any], *more: str) -> dict[str, Any]:
    """The OpenAPI description of a body: a form, or one of the files by itself."""
    names = {"type": "array", "items": {"type": "string"}}
    content: dict[str, Any] = {"multipart/form-data": {"schema": {"type": "object", "properties": form}}}
    content |= {
        media: {"schema": _FILE} for media in ("application/zip", "application/x-tar", "application/gzip", *more)
    }
    return {"content": content | {"application/json": {"schema": names}, "application/x-ndjson": {"schema": _FILE}}}


_PARAMETERS = request_described(BatchRequest, {}, ())
_FORM = _PARAMETERS["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
WHOLE_DESCRIBED = {**_PARAMETERS, "requestBody": _described({**_FORM, **_FILES})}
PART_DESCRIBED = {"requestBody": {"required": True, **_described({**_FILES, "image": _FILE}, "image/*")}}


async def read_request(request: Request) -> tuple[BatchRequest, Upload | None]:
    """The parameters of a batch, and what is sent with them. Raises for parameters that are wrong."""
    parameters = of_query(request, BatchRequest)
    if is_form(request):
        form = StreamedForm(request)
        fields = await form.fields()
        if fields:
            given = {**parameters.model_dump(exclude_unset=True), **fields}
            parameters = validated(BatchRequest, given, "form")
        upload = _of_form(form, parameters.source)
    else:
        upload = await _of_body(request, parameters.source)
    if parameters.open and upload is not None:
        raise InvalidParameter("a batch that is open begins with nothing; add parts to it, or leave out open=true")
    if not parameters.open and upload is None:
        raise InvalidParameter(f"nothing is sent: {HOW}")
    if upload is not None and upload.kind == "picture":
        raise InvalidParameter(f"POST /saliency is for a single picture; {HOW}")
    if upload is not None and (upload.kind == "manifest") != (parameters.source is not None):
        raise InvalidParameter("a manifest needs a source, and a source a manifest: it says where the pictures are")
    return parameters, upload


async def read_part(request: Request, source: str | None) -> Upload:
    """What is sent as a part of an open batch."""
    if is_form(request):
        form = StreamedForm(request)
        if await form.fields():
            raise InvalidParameter("a part has no parameters but source, in the query")
        upload = _of_form(form, source)
    else:
        upload = await _of_body(request, source)
    if upload is None:
        raise InvalidParameter(f"nothing is sent: {HOW}, or a picture with its Content-Type")
    return upload


def intake_of(services: Services) -> Intake:
    """What takes in parts."""
    settings, jobs = services.settings, services.job_service
    sources = Sources(settings.batch_sources)
    return Intake(jobs.store, jobs.batches, sources, settings.max_batch_items, settings.max_archive_bytes, brief)


async def visible_batch(services: Services, id_: str, owner: str | None) -> Batch:
    """The record of a batch that the caller may see. Those of others are answered like missing ones."""
    batch = await services.job_service.batches.get(id_)
    if batch.owner != owner:
        raise NotFound(f"there is no batch {id_!r}")
    return batch


def _of_form(form: StreamedForm, source: str | None) -> Upload | None:
    if form.name is None:
        return None
    if form.name not in FIELDS:
        raise InvalidParameter(f"the form has a file in the field {form.name!r}; {HOW}")
    return Upload(FIELDS[form.name], form.pieces(), source)


async def _of_body(request: Request, source: str | None) -> Upload | None:
    """What the body is by its media type; None if there is none."""
    pieces = request.stream()
    first = await anext(pieces, b"")
    if not first:
        return None
    return Upload(_kind(request), _from(first, pieces), source)


def _kind(request: Request) -> Kind:
    media = media_type(request)
    if media in ARCHIVES:
        return "archive"
    if media in MANIFESTS:
        return "manifest"
    if media.startswith("image/"):
        return "picture"
    raise UnsupportedMedia(f"the body is {media or 'of no declared type'}; {HOW}")


async def _from(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece
