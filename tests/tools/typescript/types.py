"""Types of TypeScript for the schemas of the OpenAPI document."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

WIDTH = 120

Schema = Mapping[str, Any]


def comment(text: str, indent: str = "  ") -> list[str]:
    """The lines of a comment for a declaration."""
    said = [line.rstrip() for line in text.replace("*/", "*\u200b/").strip().splitlines()]
    lines = [part for line in said for part in ([line] if len(line) <= WIDTH else textwrap.wrap(line, WIDTH))]
    if len(lines) <= 1:
        return [f"{indent}/** {line} */" for line in lines]
    return [f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */"]


@dataclass
class Types:
    """Types of TypeScript for schemas; objects with a title become interfaces, which are collected.

    declared: the lines of each, by name.
    """

    declared: dict[str, list[str]] = field(default_factory=dict)

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
            return self.declare(str(schema["title"]), schema)
        values = schema.get("additionalProperties", True)
        return f"Record<string, {self.of(values) if isinstance(values, Mapping) else 'unknown'}>"

    def declare(self, name: str, schema: Schema, one_or_several: bool = False) -> str:
        """The name of an interface for the schema: this one, or a numbered one if another schema has it.

        one_or_several: lists may be sent as one value, as forms and queries take them.
        """
        required = schema.get("required", ())
        lines = []
        for key, value in schema["properties"].items():
            lines += comment(value.get("description", ""))
            kind = self.of(value)
            if one_or_several:
                kind = " | ".join(dict.fromkeys(_with_one(kind)))
            lines.append(f"  {key_of(key)}{'' if key in required else '?'}: {kind};")
        return self._add(name, schema, "export interface @ {", *lines, "}")

    def add_schema(self, name: str, schema: Schema) -> None:
        """A schema of the document under its name."""
        if schema.get("properties"):
            self.declare(name, schema)
        else:
            kind = self._of_object(schema) if schema.get("type") == "object" else self.of(schema)
            self._add(name, schema, f"export type @ = {kind};")

    def _add(self, name: str, schema: Schema, head: str, *lines: str) -> str:
        """The name under which the declaration was added, which stands in its head for ``@``."""
        for candidate in (name, *(f"{name}{number}" for number in range(2, 100))):
            text = [*comment(schema.get("description", ""), ""), head.replace("@", candidate), *lines]
            if self.declared.setdefault(candidate, text) == text:
                return candidate
        raise ValueError(f"too many schemas have the name {name}")


def _with_one(kind: str) -> Iterator[str]:
    """The alternatives of a type, each list preceded by its item."""
    for one in kind.split(" | "):
        if one.endswith("[]"):
            yield one.removesuffix("[]")
        yield one


def key_of(name: str) -> str:
    """A name as a key of an interface."""
    return name if name.isidentifier() else json.dumps(name)
