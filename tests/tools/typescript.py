"""The requests of the TypeScript client, made of the OpenAPI document: `python -m tests.tools.typescript` writes them.

`operations.js` has a method for each request, and `operations.d.ts` the types of all that is sent and answered. What
carries the requests (`transport.js`) and what takes several (`convlens.js`) is written by hand.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.main import document

FOLDER = Path(__file__).parents[2] / "service/static/client"
HEAD = "// Made of the OpenAPI document by `make client`; changes are lost."
WIDTH = 120
JSON, EVENTS, NPY = "application/json", "text/event-stream", "application/x-npy"
BODIES = {  # how a body travels, by the media types that a request takes
    (): "query",
    ("multipart/form-data",): "form",
    ("image/*", "multipart/form-data"): "form",
    ("application/json",): "json",
    ("application/json", "multipart/form-data"): "jsonOrForm",
    ("application/x-www-form-urlencoded",): "urlencoded",
}

Schema = Mapping[str, Any]


def camel(name: str) -> str:
    """``list_jobs`` as ``listJobs``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def comment(text: str, indent: str = "  ") -> list[str]:
    """The lines of a comment for a declaration."""
    said = [line.rstrip() for line in text.replace("*/", "*\u200b/").strip().splitlines()]
    lines = [part for line in said for part in ([line] if len(line) <= WIDTH else textwrap.wrap(line, WIDTH))]
    if len(lines) <= 1:
        return [f"{indent}/** {line} */" for line in lines]
    return [f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */"]


@dataclass
class Types:
    """Types of TypeScript for schemas; objects with a title become interfaces, which are collected."""

    interfaces: dict[str, list[str]] = field(default_factory=dict)

    def of(self, schema: Schema) -> str:
        """The type of a value."""
        if "$ref" in schema:
            return str(schema["$ref"]).rpartition("/")[2]
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            return " | ".join(json.dumps(value) for value in schema["enum"])
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return " | ".join(dict.fromkeys(self.of(one) for one in schema[several]))
        if schema.get("type") == "array":
            return self._of_array(schema)
        if schema.get("type") == "object":
            return self._of_object(schema)
        if schema.get("format") == "binary":
            return "Picture"
        simple = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
        return simple[schema["type"]] if "type" in schema else "unknown"

    def _of_array(self, schema: Schema) -> str:
        if "prefixItems" in schema:
            return f"[{', '.join(self.of(one) for one in schema['prefixItems'])}]"
        item = self.of(schema.get("items", {}))
        return f"({item})[]" if " " in item else f"{item}[]"

    def _of_object(self, schema: Schema) -> str:
        if schema.get("properties"):
            name = str(schema["title"])
            self.declare(name, schema)
            return name
        values = schema.get("additionalProperties", True)
        return f"Record<string, {self.of(values) if isinstance(values, Mapping) else 'unknown'}>"

    def declare(self, name: str, schema: Schema, one_or_several: bool = False) -> None:
        """An interface of the name. one_or_several: lists may be sent as one value, as forms and queries take them."""
        required = schema.get("required", ())
        lines = []
        for key, value in schema["properties"].items():
            lines += comment(value.get("description", ""))
            kind = self.of(value)
            if one_or_several:
                kind = " | ".join(dict.fromkeys(_with_one(kind)))
            lines.append(f"  {_key(key)}{'' if key in required else '?'}: {kind};")
        self._add(name, [*comment(schema.get("description", ""), ""), f"export interface {name} {{", *lines, "}"])

    def add_schema(self, name: str, schema: Schema) -> None:
        """A schema of the document under its name."""
        if schema.get("properties"):
            self.declare(name, schema)
        else:
            kind = self._of_object(schema) if schema.get("type") == "object" else self.of(schema)
            self._add(name, [*comment(schema.get("description", ""), ""), f"export type {name} = {kind};"])

    def _add(self, name: str, lines: list[str]) -> None:
        if self.interfaces.setdefault(name, lines) != lines:
            raise ValueError(f"two schemas have the name {name}")


def _with_one(kind: str) -> Iterator[str]:
    """The alternatives of a type, each list preceded by its item."""
    for one in kind.split(" | "):
        if one.endswith("[]"):
            yield one.removesuffix("[]")
        yield one


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


@dataclass(frozen=True)
class Operation:
    """A request of the API. answers: the types of what comes back, by media type; None for nothing."""

    name: str
    method: str
    path: str
    description: str
    headers: list[str]
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


def operations(openapi: Schema) -> Iterator[Operation]:
    """All operations of the document."""
    for path, item in openapi["paths"].items():
        for method, one in item.items():
            suffix = re.sub(r"\W", "_", path) + f"_{method}"
            sent = one.get("requestBody", {}).get("content", {})
            told = one.get("parameters", [])
            yield Operation(
                camel(one["operationId"].removesuffix(suffix)),
                method.upper(),
                path,
                one.get("description", ""),
                [parameter["name"] for parameter in told if parameter["in"] == "header"],
                BODIES[tuple(sorted(sent))],
                _parameters(openapi, told, sent),
                _answers(one["responses"]),
            )


def _parameters(openapi: Schema, told: Iterable[Schema], sent: Schema) -> Schema:
    """One schema for all that is sent: in the path, the query, headers and the body."""
    properties, required = {}, []
    for parameter in told:
        name = parameter["name"].replace("-", "_")
        properties[name] = {"description": parameter.get("description", ""), **parameter["schema"]}
        required += [name] if parameter.get("required") else []
    media = next((media for media in ("multipart/form-data", *sent) if media in sent), None)
    body = sent[media]["schema"] if media else {}
    if "$ref" in body:
        body = openapi["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    if "oneOf" in body:
        return {"oneOf": body["oneOf"], "properties": properties}
    return {
        "properties": {**properties, **body.get("properties", {})},
        "required": [*required, *body.get("required", [])],
    }


def _answers(responses: Schema) -> dict[str | None, Schema | None]:
    found: dict[str | None, Schema | None] = {}
    for status, response in responses.items():
        if status.startswith("2"):
            found |= {media: told.get("schema", {}) for media, told in response.get("content", {}).items()}
        if status in ("204", "304"):
            found[None] = None
    return found


def javascript(openapi: Schema) -> str:
    """The text of `operations.js`."""
    lines = [HEAD, 'import { Transport } from "./transport.js";', ""]
    lines += ["/** A method for each request of the API. */", "export class Operations extends Transport {"]
    for one in operations(openapi):
        how: dict[str, Any] = {"headers": one.headers} if one.headers else {}
        how |= {"body": one.body} if one.body != "query" else {}
        media = [media for media in one.answers if media]
        how |= {"accept": media[0]} if media and media[0] != JSON and not one.is_stream else {}
        told = ", ".join(f"{key}: {json.dumps(value)}" for key, value in how.items())
        told = f"{{ {told} }}" if told else "{}"
        what = f"{json.dumps(one.path)}, {told}, parameters, options"
        call = f"this.stream({what})" if one.is_stream else f"this.request({json.dumps(one.method)}, {what})"
        lines += [*comment(one.description), f"  {one.name}(parameters, options) {{", f"    return {call};", "  }", ""]
    return "\n".join([*lines[:-1], "}", ""])


def declarations(openapi: Schema) -> str:
    """The text of `operations.d.ts`."""
    types, methods = Types(), []
    for name, schema in openapi["components"]["schemas"].items():
        types.add_schema(name, schema)
    for one in operations(openapi):
        methods += [*comment(one.description), *_signatures(one, types), ""]
    lines = [
        HEAD,
        'import type { Numbers, Options, Picture, ServerEvent, Transport } from "./transport.js";',
        "",
        *(line for interface in types.interfaces.values() for line in (*interface, "")),
        "/** A method for each request of the API. */",
        "export class Operations extends Transport {",
        *methods[:-1],
        "}",
        "",
    ]
    return "\n".join(lines)


def _signatures(one: Operation, types: Types) -> Iterator[str]:
    """A method: one signature for each kind of answer that can be asked for."""
    kind = _parameters_type(one, types)
    mark = "" if one.needs_parameters else "?"
    if one.is_stream:
        yield f"  {one.name}(parameters{mark}: {kind}, options?: Options): AsyncGenerator<ServerEvent, void, void>;"
        return
    by_type: dict[str, list[str]] = {}
    for media, schema in one.answers.items():
        if media is not None and schema is not None:
            by_type.setdefault(_answer_type(media, schema, types), []).append(media)
    nothing = " | undefined" if None in one.answers and by_type else ""
    first, *others = by_type or {"undefined": []}
    for answer in others:
        accept = " | ".join(map(json.dumps, by_type[answer]))
        yield (
            f"  {one.name}(parameters: {kind}{'' if one.needs_parameters else ' | undefined'}, "
            f"options: Options & {{ accept: {accept} }}): Promise<{answer}{nothing}>;"
        )
    accept = " | ".join(map(json.dumps, by_type.get(first, [JSON])))
    options = f"Options & {{ accept?: {accept} }}"
    yield f"  {one.name}(parameters{mark}: {kind}, options?: {options}): Promise<{first}{nothing}>;"


def _parameters_type(one: Operation, types: Types) -> str:
    properties = one.parameters["properties"]
    if "oneOf" in one.parameters:
        kinds = f"({types.of(one.parameters)})"
        beside = "".join(f" & {{ {_key(name)}?: {types.of(schema)} }}" for name, schema in properties.items())
        return kinds + beside
    if not properties:
        return "Record<string, never>"
    types.declare(one.type_name, one.parameters, one_or_several=True)
    return one.type_name


def _answer_type(media: str, schema: Schema, types: Types) -> str:
    if media == JSON:
        return types.of(schema)
    if media == NPY:
        return "Numbers"
    return "string" if media.startswith("text/") else "Blob"


def files(openapi: Schema) -> dict[Path, str]:
    """What is written where."""
    return {FOLDER / "operations.js": javascript(openapi), FOLDER / "operations.d.ts": declarations(openapi)}


if __name__ == "__main__":
    for path, text in files(document()).items():
        path.write_text(text)
        print(f"wrote {path}")
