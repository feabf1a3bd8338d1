"""The requests of the OpenAPI document, as methods of a client."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tests.tools.typescript.types import Schema

JSON, FORM, EVENTS = "application/json", "multipart/form-data", "text/event-stream"


def camel(name: str) -> str:
    """``list_jobs`` as ``listJobs``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@dataclass(frozen=True)
class Operation:
    """A request of the API.

    Attributes:
        name: Of the method.
        query: What goes into the address although there is a body.
        body: How the rest of the parameters travels; see `transport.js`.
        answers: Schemas of what comes back, by media type; None for nothing.
    """

    name: str
    method: str
    path: str
    description: str
    headers: list[str]
    query: list[str]
    body: str
    parameters: Schema
    answers: Mapping[str | None, Schema | None]

    @property
    def type_name(self) -> str:
        """The name of the interface of its parameters."""
        return f"{self.name[0].upper()}{self.name[1:]}Parameters"

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events."""
        return EVENTS in self.answers

    @property
    def needs_parameters(self) -> bool:
        """Whether there is one that must be given."""
        return "oneOf" in self.parameters or bool(self.parameters["required"])


def operations(openapi: Schema) -> list[Operation]:
    """All operations of the document, each with a name of its own."""
    found: dict[str, Operation] = {}
    for path, item in openapi["paths"].items():
        for method, one in item.items():
            operation = _operation(openapi, path, method, one)
            if operation.name in found:
                operation = replace(operation, name=camel(f"{operation.name}_{re.findall(r'[a-z]+', path)[0]}"))
            if operation.name in found:
                raise ValueError(f"two requests are called {operation.name}: give one function another name")
            found[operation.name] = operation
    return list(found.values())


def _operation(openapi: Schema, path: str, method: str, one: Schema) -> Operation:
    suffix = re.sub(r"\W", "_", path) + f"_{method}"
    told = [parameter | {"name": _as_field(parameter["name"])} for parameter in one.get("parameters", [])]
    body, sent = _body(openapi, one.get("requestBody", {}).get("content", {}))
    in_body = sent.get("properties", {})
    return Operation(
        camel(one["operationId"].removesuffix(suffix)),
        method.upper(),
        path,
        one.get("description", ""),
        [parameter["name"].replace("_", "-") for parameter in told if parameter["in"] == "header"],
        [p["name"] for p in told if p["in"] == "query" and p["name"] not in in_body] if sent else [],
        body,
        _parameters(told, sent),
        _answers(one["responses"]),
    )


def _as_field(name: str) -> str:
    """The name of a parameter; those of headers are written as the others are."""
    return name.lower().replace("-", "_") if "-" in name else name


def _body(openapi: Schema, content: Schema) -> tuple[str, Schema]:
    """How a body travels, and what it holds. What is neither form nor object is one field, ``body``."""
    schemas = {media: _resolved(openapi, told.get("schema", {})) for media, told in content.items()}
    objects = {media: schema for media, schema in schemas.items() if "properties" in schema or "oneOf" in schema}
    if FORM in objects:
        return ("jsonOrForm" if JSON in objects else "form"), objects[FORM]
    if JSON in objects:
        return "json", objects[JSON]
    if objects:
        return "urlencoded", next(iter(objects.values()))
    if not schemas:
        return "query", {}
    whole = {"anyOf": list(schemas.values())} if len(schemas) > 1 else next(iter(schemas.values()))
    return "whole", {"properties": {"body": whole}, "required": ["body"]}


def _resolved(openapi: Schema, schema: Schema) -> Schema:
    """The schema that a reference stands for."""
    if "$ref" not in schema:
        return schema
    found: Schema = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _parameters(told: Iterable[Schema], sent: Schema) -> Schema:
    """One schema for all that is sent: in the path, the query, headers and the body."""
    properties, required = {}, []
    for parameter in told:
        properties[parameter["name"]] = {"description": parameter.get("description", ""), **parameter["schema"]}
        required += [parameter["name"]] if parameter.get("required") else []
    if "oneOf" in sent:
        return {"oneOf": sent["oneOf"], "properties": properties, "required": required}
    return {
        "properties": {**properties, **sent.get("properties", {})},
        "required": [*required, *sent.get("required", [])],
    }


def _answers(responses: Schema) -> dict[str | None, Schema | None]:
    found: dict[str | None, Schema | None] = {}
    for status, response in responses.items():
        if status.startswith("2"):
            content = {media: told.get("schema", {}) for media, told in response.get("content", {}).items()}
            found |= {media: schema for media, schema in content.items() if schema or len(content) == 1}
        if status in ("204", "304"):
            found[None] = None
    return found
