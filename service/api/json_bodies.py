"""Bodies of JSON that may be large: reading them, and describing them for OpenAPI."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from service.api.negotiation import JSON
from service.errors import TooLarge

MAX_VALUES = 2**20  # of JSON, each of which takes dozens of bytes once it is read
WEIGHTS = {b",": 1, b"[": 2, b"{": 8}  # how many values take as much as the one that begins or ends there

M = TypeVar("M", bound=BaseModel)


def parsed(model: type[M], body: bytes) -> M:
    """The JSON as a model. Raises `TooLarge` or `RequestValidationError`."""
    if sum(weight * body.count(mark) for mark, weight in WEIGHTS.items()) > MAX_VALUES:
        raise TooLarge(
            f"the JSON has more than {MAX_VALUES:,} values; send fewer pictures, or send them as files in base64 or as "
            "bytes behind the JSON (the binary tensor data extension)"
        )
    try:
        with _no_search_for_garbage():
            found = from_json(body)
        return model.model_validate(found)
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
    except ValueError as error:
        raise RequestValidationError(
            [{"loc": ("body",), "msg": f"not JSON: {error}", "type": "json_invalid"}]
        ) from error


@contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    """JSON has no cycles; to look for some in its lists takes ten times as long as to read it, and stops threads."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def json_described(model: type[BaseModel], **others: Any) -> dict[str, Any]:
    """The OpenAPI description of a body. others: what it may be instead, by media type."""
    schema = model.model_json_schema()
    content = {JSON: {"schema": _inlined(schema, schema.pop("$defs", {}))}, **others}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema without references: those of pydantic are not where OpenAPI looks."""
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _inlined(one, definitions) for name, one in schema.items()}
    reference = found.pop("$ref", None)
    if reference is None:
        return found
    return {**_inlined(definitions[reference.rpartition("/")[2]], definitions), **found}
