"""`POST /models`: networks that are uploaded, tried out, and then served; and removed again."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service.api.access import admin
from service.api.deps import Services, ServicesDep
from service.api.model_form import form_described, model_form
from service.api.prefix import PREFIX
from service.api.problems import FORBIDDEN, RESPONSES
from service.api.upload_schemas import UploadAnswer, UploadsAnswer
from service.errors import Conflict, Forbidden

router = APIRouter(tags=["models"], responses=RESPONSES)
NOT_ALLOWED = (
    "networks are not uploaded here; the operator allows it with CONVLENS_UPLOADED_MODELS_BYTES, the bytes that they "
    "may take together, such as 2147483648"
)


async def allowed(services: ServicesDep, _: Annotated[None, Depends(admin)]) -> None:
    """Let only those pass who may upload and remove networks. Raises `Forbidden`."""
    if services.settings.uploaded_models_bytes == 0:
        raise Forbidden(NOT_ALLOWED)


@router.post(
    "/models",
    status_code=202,
    response_model=UploadAnswer,
    responses=FORBIDDEN,
    dependencies=[Depends(allowed)],
    openapi_extra=form_described(),
)
async def upload_model(request: Request, services: ServicesDep) -> Response:
    """Upload a network: an ONNX file, files with its weights, and what is to be known of it.

    The answer comes at once; `Location` tells where the state of the trial is. The trial runs in a process of its own,
    with bounds on time and memory; a network that passes is served by all processes that share the models folder.
    Where the service asks for keys, for keys with the role `admin`. Off unless `CONVLENS_UPLOADED_MODELS_BYTES` is set.
    """
    with services.uploads.receiving():
        async with model_form(request) as form:
            record = await asyncio.to_thread(services.uploads.take, form.name, form.files, form.choices)
    place = f"{PREFIX.get()}/uploads/{record.name}"
    headers = {"Location": place, "Retry-After": "1"}
    return Response(UploadAnswer.of(record).model_dump_json(), 202, headers, media_type="application/json")


@router.delete("/models/{name}", status_code=204, responses=FORBIDDEN, dependencies=[Depends(allowed)])
async def remove_model(name: str, services: ServicesDep) -> Response:
    """Remove a network that was uploaded, or forget one that was refused.

    Others belong to the operator, who removes their files.
    """
    if name == services.settings.default_model:
        raise Conflict(f"{name} is the default model; choose another one with CONVLENS_DEFAULT_MODEL first")
    await asyncio.to_thread(services.uploads.remove, name)
    return Response(status_code=204)


@router.get("/uploads")
async def list_uploads(request: Request, services: ServicesDep) -> UploadsAnswer:
    """Whether networks may be uploaded by who asks, how much room there is, and what was uploaded."""
    reason = await _reason(request, services)
    records = await asyncio.to_thread(services.uploads.records.all)
    return UploadsAnswer(
        allowed=reason is None,
        reason=reason,
        most_bytes=services.settings.uploaded_models_bytes,
        used_bytes=sum(record.bytes for record in records),
        data=[UploadAnswer.of(record) for record in records] if reason is None else [],
    )


async def _reason(request: Request, services: Services) -> str | None:
    """Why the caller may not upload networks, None if it may."""
    try:
        await admin(request, None)
        await allowed(services, None)
    except Forbidden as error:
        return str(error)
    return None


@router.get("/uploads/{name}", responses=FORBIDDEN, dependencies=[Depends(allowed)])
async def show_upload(name: str, services: ServicesDep) -> UploadAnswer:
    """The state of an uploaded network, and what its trial has shown.

    Once it is `added`, this process serves it.
    """
    record = await asyncio.to_thread(lambda: services.uploads.records[name])
    if record.state == "added":
        await asyncio.to_thread(services.networks.refresh)
    return UploadAnswer.of(record)
