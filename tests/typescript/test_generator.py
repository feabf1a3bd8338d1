"""Documents with requests of every kind, and what becomes of them."""

from typing import Any

import pytest

from tests.tools.typescript import declarations, javascript

TEXT, NUMBERS = {"type": "string"}, {"type": "array", "items": {"type": "number"}}
FILE = {"type": "string", "format": "binary"}


def operation(id_: str, answer: dict[str, Any], body: dict[str, Any] | None = None, *parameters: Any) -> dict[str, Any]:
    """A request: its id, schemas by media type, and (place, name, schema) of parameters."""
    told = [
        {"in": place, "name": name, "schema": schema, "required": place == "path"} for place, name, schema in parameters
    ]
    content = {media: {"schema": schema} for media, schema in (body or {}).items()}
    responses = {"200": {"content": {media: {"schema": schema} for media, schema in answer.items()}}}
    sent = {"requestBody": {"content": content}} if content else {}
    return {"operationId": id_, "parameters": told, "responses": responses, **sent}


def made(**paths: Any) -> tuple[str, str]:
    """The code and the types for one POST request at each path."""
    openapi = {"paths": {f"/{path}": {"post": one} for path, one in paths.items()}, "components": {"schemas": SCHEMAS}}
    return javascript(openapi), declarations(openapi)


SCHEMAS = {
    "Thing": {
        "type": "object",
        "properties": {"a": TEXT, "b-c": {"anyOf": [NUMBERS, {"type": "null"}]}},
        "required": ["a"],
    }
}
THING = {"$ref": "#/components/schemas/Thing"}


def form(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": [next(iter(fields))]}


@pytest.mark.parametrize(
    ("body", "how", "sent"),
    [
        (None, "{}", "q?: string;"),
        ({"multipart/form-data": form(image=FILE, q=TEXT)}, '{ body: "form" }', "image: Picture;"),
        (
            {"multipart/form-data": form(image=FILE), "image/*": FILE},
            '{ query: ["q"], body: "form" }',
            "image: Picture;",
        ),
        (
            {"multipart/form-data": form(archive=FILE), "application/json": NUMBERS},
            '{ query: ["q"], body: "form" }',
            "archive",
        ),
        ({"application/json": THING}, '{ query: ["q"], body: "json" }', '"b-c"?: number[] | null;'),
        ({"application/json": THING, "application/octet-stream": FILE}, '{ query: ["q"], body: "json" }', "a: string;"),
        ({"application/json": NUMBERS}, '{ query: ["q"], body: "whole" }', "body: number[];"),
        ({"application/zip": FILE, "application/gzip": FILE}, '{ query: ["q"], body: "whole" }', "body: Picture;"),
        ({"application/x-www-form-urlencoded": THING}, '{ query: ["q"], body: "urlencoded" }', "a: string;"),
    ],
)
def test_bodies_travel_as_they_are_declared(body: Any, how: str, sent: str) -> None:
    code, types = made(ask=operation("ask_ask_post", {"application/json": THING}, body, ("query", "q", TEXT)))
    assert f'this.request("POST", "/ask", {how}, parameters, options)' in code
    (parameters,) = [part for part in types.split("\n\n") if "interface AskParameters" in part]
    assert sent in parameters


@pytest.mark.parametrize(
    ("answer", "signature"),
    [
        ({"application/json": THING}, 'accept?: "application/json" }): Promise<Thing>'),
        ({"application/json": {}, "application/zip": FILE}, 'accept?: "application/zip" }): Promise<Blob>'),
        ({"application/x-ndjson": TEXT}, 'accept?: "application/x-ndjson" }): Promise<string>'),
        (
            {"application/json": THING, "image/png": FILE, "image/webp": FILE},
            '{ accept: "image/png" | "image/webp" }): Promise<Blob>',
        ),
        ({"application/x-npy": FILE}, "Promise<Numbers>"),
        ({"text/event-stream": TEXT}, "AsyncGenerator<ServerEvent, void, void>"),
    ],
)
def test_answers_have_the_types_of_their_media(answer: Any, signature: str) -> None:
    assert signature in made(ask=operation("ask_ask_post", answer))[1]


def test_names_that_are_taken_are_told_apart() -> None:
    again = form(x={"title": "AskParameters", **form(y=TEXT)})
    code, types = made(
        ask=operation("ask_ask_post", {"application/json": THING}, {"application/json": again}),
        other=operation("ask_other_post", {"application/json": THING}, None, ("header", "If-Match", TEXT)),
    )
    assert "  ask(parameters, options) {" in code
    assert "  askOther(parameters, options) {" in code
    assert '"/other", { headers: ["if-match"] }' in code
    assert "ask(parameters: AskParameters2, " in types
    assert "interface AskParameters {\n  y: string;\n}" in types
    assert "interface AskOtherParameters {\n  if_match?: string;\n}" in types


def test_comments_cannot_be_left() -> None:
    one = operation("ask_ask_post", {"application/json": THING}) | {"description": "ends */ here"}
    assert "ends */ here" not in "".join(made(ask=one))
