"""The body of `POST /visualize`: the parameters of one of the kinds of jobs, which ``kind`` tells apart."""

from collections.abc import Mapping
from typing import Annotated, Any, Union

from pydantic import Field, TypeAdapter

from service.kinds import KINDS, JobParameters

_MODELS = tuple(kind.parameters for kind in KINDS.values())
_ANY_KIND: Any = Annotated[Union[_MODELS], Field(discriminator="kind")]  # noqa: UP007 - the members are only known here
# The form fields of the pictures that one kind or another needs.
PICTURES = tuple(dict.fromkeys(name for model in _MODELS for name in model.images))
_ADAPTER: TypeAdapter[JobParameters] = TypeAdapter(_ANY_KIND)


def parse(values: Mapping[str, object]) -> JobParameters:
    """The parameters of the kind that ``kind`` names, by default of a class visualization.

    Raises pydantic's `ValidationError`; the first part of each location in it is the kind.
    """
    return _ADAPTER.validate_python({"kind": "class", **values})


def request_body() -> dict[str, Any]:
    """The OpenAPI description of the body: JSON, or a form for the kinds that need pictures."""
    binary = {"type": "string", "format": "binary"}
    schemas = {model: model.model_json_schema() for model in _MODELS}
    forms = [
        {
            **schema,
            "properties": {**schema["properties"], **dict.fromkeys(model.images, binary)},
            "required": ["kind", *model.images],
        }
        for model, schema in schemas.items()
    ]
    discriminator = {"propertyName": "kind"}
    as_json = {
        "schema": {
            "oneOf": [schema for model, schema in schemas.items() if not model.images],
            "discriminator": discriminator,
        }
    }
    as_form = {"schema": {"oneOf": forms, "discriminator": discriminator}}
    return {"requestBody": {"required": True, "content": {"application/json": as_json, "multipart/form-data": as_form}}}
