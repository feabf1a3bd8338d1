"""Reading images and parameters from a request: multipart, or the raw image as the body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, QueryParams, UploadFile
from starlette.exceptions import HTTPException

from service.errors import InvalidParameter, TooLarge, UnsupportedMedia

P = TypeVar("P", bound=BaseModel)
FIELD = "image"
MAX_FIELDS = 32
MAX_KEPT_QUERY = 512  # bytes of a query whose parameters are kept


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
                raise InvalidParameter(
                    f"the form field {name!r} must be {kind}; files belong in {' or '.join(map(repr, names))}"
                )
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
            raise InvalidParameter(
                f"the form field {name!r} must be {kind}; files belong in the field {FIELD!r} (curl -F image=@cat.png)"
            )
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


async def read_request(request: Request, parameters: type[P], max_images: int) -> tuple[list[bytes], P]:
    """The images of the request, and its parameters: those of the query with the form fields laid over them.

    Raises what `read_upload` does, and `RequestValidationError`.
    """
    query = request.scope["query_string"]
    found = _from_query(parameters, query) if len(query) > MAX_KEPT_QUERY else _kept(parameters, query)
    upload = await read_upload(request, max_images)
    if upload.fields:
        found = _validated(parameters, {**found.model_dump(exclude_unset=True), **upload.fields}, "form")
    return upload.files, found


def _from_query(parameters: type[P], query: bytes) -> P:
    texts = QueryParams(query)
    return _validated(parameters, _joined({name: texts.getlist(name) for name in texts}), "query")


@lru_cache(maxsize=256)
def _kept(parameters: type[BaseModel], query: bytes) -> Any:
    """The same, remembered: clients send the same query with every photograph, and parameters do not change."""
    return _from_query(parameters, query)


def _validated(parameters: type[P], values: Mapping[str, Any], place: str) -> P:
    try:
        return parameters.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": (place, *e["loc"])} for e in error.errors()]) from error


def request_described(parameters: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of what `read_request` reads: the parameters in the query or as form fields beside the image."""
    properties = parameters.model_json_schema()["properties"]
    image = {"type": "string", "format": "binary"}
    files = {"type": "array", "items": image, "description": "One or several image files."}
    form = {"type": "object", "required": [FIELD], "properties": {FIELD: files, **properties}}
    content = {"multipart/form-data": {"schema": form}, "image/*": {"schema": image}}
    query = [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": schema.get("description", "")}
        for name, schema in properties.items()
    ]
    return {"requestBody": {"required": True, "content": content}, "parameters": query}
