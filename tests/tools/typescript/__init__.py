"""The requests of the TypeScript client, made of the OpenAPI document: `python -m tests.tools.typescript` writes them.

`operations.js` has a method for each request, and `operations.d.ts` the types of all that is sent and answered. What
carries the requests (`transport.js`) and what takes several (`convlens.js`) is written by hand.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.tools.typescript.operations import JSON, Operation, operations
from tests.tools.typescript.types import Schema, Types, comment, key_of

FOLDER = Path(__file__).parents[3] / "service/static/client"
HEAD = "// Made of the OpenAPI document by `make client`; changes are lost."
NPY, NDJSON = "application/x-npy", "application/x-ndjson"


def files(openapi: Schema) -> dict[Path, str]:
    """What is written where."""
    return {FOLDER / "operations.js": javascript(openapi), FOLDER / "operations.d.ts": declarations(openapi)}


def javascript(openapi: Schema) -> str:
    """The text of `operations.js`."""
    lines = [HEAD, 'import { Transport } from "./transport.js";', ""]
    lines += ["/** A method for each request of the API. */", "export class Operations extends Transport {"]
    for one in operations(openapi):
        how: dict[str, Any] = {"headers": one.headers} if one.headers else {}
        how |= {"query": one.query} if one.query else {}
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
        *(line for declaration in types.declared.values() for line in (*declaration, "")),
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
        marks = {name: "" if name in one.parameters["required"] else "?" for name in properties}
        beside = "".join(f" & {{ {key_of(name)}{marks[name]}: {types.of(properties[name])} }}" for name in properties)
        return kinds + beside
    if not properties:
        return "Record<string, never>"
    return types.declare(one.type_name, one.parameters, one_or_several=one.body in ("query", "form", "urlencoded"))


def _answer_type(media: str, schema: Schema, types: Types) -> str:
    if media == JSON:
        return types.of(schema)
    if media == NPY:
        return "Numbers"
    return "string" if media.startswith("text/") or media == NDJSON else "Blob"
