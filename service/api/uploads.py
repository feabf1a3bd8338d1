"""Reading images and parameters from a request: multipart, or the raw image as the body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from service.errors import InvalidParameter, TooLarge, UnsupportedMedia

P = TypeVar("P", bound=BaseModel)
FIELD = "image"
MAX_FIELDS = 32


@dataclass(frozen=True)
class Upload:
    """The images of a request as they were sent, and the form fields beside them."""

    files: list[bytes]
    fields: dict[str, str | list[str]]


@dataclass(frozen=True)
class Named:
    """Pictures by the names of their form fields, and the fields beside them."""

    files: dict[str, bytes]
    fields: dict[str, str | list[str]]


def is_form(request: Request) -> bool:
    """Whether the body is a form with files."""
    return _media_type(request) == "multipart/form-data"


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_named(request: Request, names: Sequence[str]) -> Named:
    """The pictures in the form fields of these names, one each, and the other fields. Raises `InvalidParameter`."""
    async with request.form(max_files=len(names) + 1, max_fields=2 * MAX_FIELDS) as form:
        files: dict[str, bytes] = {}
        texts: dict[str, list[str]] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) != (name in names):
                kind = "a file" if name in names else "text"
                raise InvalidParameter(f"the form field {name!r} must be {kind}; files belong in {' or '.join(map(repr, names))}")
            if not isinstance(value, UploadFile):
                texts.setdefault(name, []).append(value)
            elif name in files:
                raise InvalidParameter(f"the form has several files in the field {name!r}; send one")
            else:
                files[name] = await value.read()
        return Named(files, _joined(texts))


def _joined(texts: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """A field that was sent once as its text, one that was sent several times as a list."""
    return {name: values if len(values) > 1 else values[0] for name, values in texts.items()}


async def read_upload(request: Request, max_images: int) -> Upload:
    """The images and form fields of the request.

    Raises `UnsupportedMedia`, `TooLarge` (too many images) or `InvalidParameter` (no image).
    """
    media = _media_type(request)
    if media == "multipart/form-data":
        return await _from_form(request, max_images)
    if media.startswith("image/") or media == "application/octet-stream":
        return Upload([await request.body()], {})
    raise UnsupportedMedia(
        f"the body is {media or 'of no declared type'}; send multipart/form-data with a field {FIELD!r} (curl -F image=@cat.png), "
        "or the image itself with its Content-Type (curl --data-binary @cat.png -H 'Content-Type: image/png')"
    )


async def _from_form(request: Request, max_images: int) -> Upload:
    try:
        async with request.form(max_files=max_images + 1, max_fields=MAX_FIELDS) as form:
            return await _from_fields(form, max_images)
    except HTTPException as error:
        if "Too many files" in str(error.detail):
            raise _too_many(max_images) from error
        raise


async def _from_fields(form: FormData, max_images: int) -> Upload:
    files: list[bytes] = []
    texts: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) != (name == FIELD):
            kind = "a file" if name == FIELD else "text"
            raise InvalidParameter(f"the form field {name!r} must be {kind}; files belong in the field {FIELD!r} (curl -F image=@cat.png)")
        if isinstance(value, UploadFile):
            files.append(await value.read())
        else:
            texts.setdefault(name, []).append(value)
    if not files:
        raise InvalidParameter(f"the form has no file in a field {FIELD!r} (curl -F image=@cat.png)")
    if len(files) > max_images:
        raise _too_many(max_images)
    return Upload(files, _joined(texts))


def _too_many(max_images: int) -> TooLarge:
    return TooLarge(f"a request holds at most {max_images} images; send several requests")


def merged(parameters: P, fields: Mapping[str, str | list[str]]) -> P:
    """The query parameters with the form fields laid over them, validated the same way."""
    if not fields:
        return parameters
    values: dict[str, Any] = {**parameters.model_dump(exclude_unset=True), **fields}
    try:
        return type(parameters).model_validate(values)
    except ValidationError as error:
        located = [{**e, "loc": ("form", *e["loc"])} for e in error.errors()]
        raise RequestValidationError(located) from error


def request_body(parameters: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of what `read_upload` reads, with the parameters as form fields."""
    schema = parameters.model_json_schema()
    image = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": [FIELD],
        "properties": {
            FIELD: {"type": "array", "items": image, "description": "One or several image files."},
            **schema["properties"],
        },
    }
    content = {"multipart/form-data": {"schema": form}, "image/*": {"schema": image}}
    return {"requestBody": {"required": True, "content": content}}
