"""Reading images and parameters from a request: multipart, or the raw image as the body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams, UploadFile

from service.api.forms import parsed
from service.errors import BrokenBody, InvalidParameter, TooLarge, UnsupportedMedia

P = TypeVar("P", bound=BaseModel)
FIELD = "image"
MASK = "mask"
OTHER = "other"
FILES: Mapping[str, str] = {FIELD: "One or several image files."}
FILES_BESIDE = {
    **FILES,
    MASK: "Masks of the same sizes, white where the object is.",
    OTHER: "Pictures to compare with, for the target `similarity`.",
}
MAX_FIELDS = 32
MAX_KEPT_QUERY = 512  # bytes of a query whose parameters are kept


@dataclass(frozen=True)
class Form:
    """What a form holds: the files with the names of their fields, in the order sent, and the other fields."""

    files: list[tuple[str, bytes]]
    fields: dict[str, str | list[str]]


@dataclass(frozen=True)
class Photographs:
    """Photographs, and for each of them, or for none, a mask that says where the object is, and another picture."""

    images: list[bytes]
    masks: list[bytes]
    others: list[bytes] = field(default_factory=list)

    def only(self, i: int) -> "Photographs":
        """One of them, with what belongs to it."""
        return Photographs(self.images[i : i + 1], self.masks[i : i + 1], self.others[i : i + 1])

    def named(self) -> dict[str, bytes]:
        """All files by names of their own."""
        fields = {"": self.images, MASK: self.masks, OTHER: self.others}
        return {f"{name}{i}": data for name, files in fields.items() for i, data in enumerate(files)}


def is_form(request: Request) -> bool:
    """Whether the body is a form with files."""
    return media_type(request) == "multipart/form-data"


def media_type(request: Request) -> str:
    """The media type of the body, in small letters and without parameters; empty if none is declared."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read_form(request: Request, names: Sequence[str], place: str, max_files: int, max_fields: int) -> Form:
    """The files in the fields of these names, and the other fields. place: where files belong, in words.

    Raises `InvalidParameter` for a file in another field, or for text in one of these.
    """
    form = await parsed(request, max_files, max_fields)
    try:
        files: list[tuple[str, bytes]] = []
        texts: dict[str, list[str]] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) != (name in names):
                kind = "a file" if name in names else "text"
                raise InvalidParameter(f"the form field {name!r} must be {kind}; files belong in {place}")
            if isinstance(value, UploadFile):
                files.append((name, await value.read()))
            elif value.strip():  # browsers send fields that were left blank
                texts.setdefault(name, []).append(value)
        return Form(files, _joined(texts))
    finally:
        await form.close()


async def read_named(request: Request, names: Sequence[str]) -> tuple[dict[str, bytes], dict[str, str | list[str]]]:
    """The pictures in the form fields of these names, one each, and the other fields. Raises `InvalidParameter`."""
    form = await _read_form(request, names, " or ".join(map(repr, names)), len(names) + 1, 2 * MAX_FIELDS)
    files: dict[str, bytes] = {}
    for name, data in form.files:
        if name in files:
            raise InvalidParameter(f"the form has several files in the field {name!r}; send one")
        files[name] = data
    return files, form.fields


def _joined(texts: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """A field that was sent once as its text, one that was sent several times as a list."""
    return {name: values if len(values) > 1 else values[0] for name, values in texts.items()}


async def _read_images(request: Request, max_images: int, names: Sequence[str]) -> Form:
    """The images, what else is in the fields of these names, and the other form fields of the request.

    Raises `UnsupportedMedia`, `TooLarge` (too many images) or `InvalidParameter` (no image).
    """
    media = media_type(request)
    if media == "multipart/form-data":
        return await _from_form(request, names, [FIELD], max_images)
    if media.startswith("image/") or media == "application/octet-stream":
        return Form([(FIELD, await request.body())], {})
    raise UnsupportedMedia(
        f"the body is {media or 'of no declared type'}; "
        f"send multipart/form-data with a field {FIELD!r} (curl -F image=@cat.png), "
        "or the image itself with its Content-Type (curl --data-binary @cat.png -H 'Content-Type: image/png')"
    )


async def _from_form(request: Request, names: Sequence[str], needed: Sequence[str], max_images: int) -> Form:
    """A form with files in the fields of these names, in those needed one each and ``max_images`` together at most."""
    place = f"the field {' or '.join(map(repr, names))} (curl -F {names[0]}=@cat.png)"
    try:
        form = await _read_form(request, names, place, len(names) * max_images + 1, MAX_FIELDS)
    except BrokenBody as error:
        if "Too many files" in str(error):
            raise _too_many(max_images) from error
        raise
    sent = [name for name, _ in form.files if name in needed]
    for name in needed:
        if name not in sent:
            raise InvalidParameter(f"the form has no file in a field {name!r} (curl -F {name}=@cat.png)")
    if len(sent) > max_images:
        raise _too_many(max_images)
    return form


def _too_many(max_images: int) -> TooLarge:
    return TooLarge(f"a request holds at most {max_images} images; send several requests")


async def read_photographs(request: Request, parameters: type[P], max_images: int) -> tuple[list[bytes], P]:
    """The images of the request, and its parameters: those of the query with the form fields laid over them.

    Raises `UnsupportedMedia`, `TooLarge` (too many images), `InvalidParameter` (no image) or `RequestValidationError`.
    """
    form, found = await _read(request, parameters, max_images, [FIELD])
    return [data for _, data in form.files], found


async def read_photographs_and(
    request: Request, parameters: type[P], max_images: int, beside: Sequence[str] = (MASK,)
) -> tuple[Photographs, P]:
    """`read_photographs`, and what is sent beside them: masks in the field `mask`, other pictures in `other`.

    beside: the fields. Raises `InvalidParameter` if there is not one for each image, in the same order, or none.
    """
    form, found = await _read(request, parameters, max_images, [FIELD, *beside])
    sent = {name: [data for place, data in form.files if place == name] for name in (FIELD, MASK, OTHER)}
    for name in beside:
        if sent[name] and len(sent[name]) != len(sent[FIELD]):
            raise InvalidParameter(
                f"the form has {len(sent[name])} files in the field {name!r} and {len(sent[FIELD])} in {FIELD!r}; "
                f"send one in {name!r} for each image, in the same order, or none"
            )
    return Photographs(sent[FIELD], sent[MASK], sent[OTHER]), found


async def read_sets(
    request: Request, parameters: type[P], names: Sequence[str], max_images: int
) -> tuple[dict[str, list[bytes]], P]:
    """The images in the form fields of these names, one or several each, and the parameters; see `read_photographs`."""
    found = of_query(request, parameters)
    if not is_form(request):
        fields = " ".join(f"-F {name}=@…" for name in names)
        raise UnsupportedMedia(
            f"send multipart/form-data with pictures in the fields {', '.join(names)} (curl {fields})"
        )
    form = await _from_form(request, names, names, max_images)
    return {name: [data for field, data in form.files if field == name] for name in names}, _laid_over(found, form)


async def _read(request: Request, parameters: type[P], max_images: int, names: Sequence[str]) -> tuple[Form, P]:
    """The form, and the parameters: those of the query with the form fields laid over them."""
    found = of_query(request, parameters)
    form = await _read_images(request, max_images, names)
    return form, _laid_over(found, form)


def of_query(request: Request, parameters: type[P]) -> P:
    """The parameters of the query. Raises `RequestValidationError`."""
    query = request.scope["query_string"]
    found: P = _from_query(parameters, query) if len(query) > MAX_KEPT_QUERY else _kept(parameters, query)
    return found


def _laid_over(found: P, form: Form) -> P:
    """The parameters of the query with those of the form laid over them."""
    if not form.fields:
        return found
    return validated(type(found), {**found.model_dump(exclude_unset=True), **form.fields}, "form")


def _from_query(parameters: type[P], query: bytes) -> P:
    texts = QueryParams(query)
    return validated(parameters, _joined({name: texts.getlist(name) for name in texts}), "query")


@lru_cache(maxsize=256)
def _kept(parameters: type[BaseModel], query: bytes) -> Any:
    """`_from_query`, remembered: clients send the same query with every photograph, and parameters do not change."""
    return _from_query(parameters, query)


def validated(parameters: type[P], values: Mapping[str, Any], place: str) -> P:
    """The parameters with these values. place: where they stand. Raises `RequestValidationError`."""
    try:
        return parameters.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": (place, *e["loc"])} for e in error.errors()]) from error


def request_described(
    parameters: type[BaseModel], files: Mapping[str, str] = FILES, needed: Sequence[str] = (FIELD,)
) -> dict[str, Any]:
    """The OpenAPI description of a request: parameters in the query or as fields of the form, and files.

    files: what belongs into which field. needed: those that may not be empty; photographs alone may be the body too.
    """
    properties = parameters.model_json_schema()["properties"]
    image = {"type": "string", "format": "binary"}
    fields = {
        name: {"type": "array", "items": image, "description": text, **({"minItems": 1} if name in needed else {})}
        for name, text in files.items()
    }
    form = {"type": "object", "required": [*needed], "properties": {**fields, **properties}}
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
    if [*needed] == [FIELD]:
        content["image/*"] = {"schema": image}
    query = [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": schema.get("description", "")}
        for name, schema in properties.items()
    ]
    return {"requestBody": {"required": True, "content": content}, "parameters": query}
