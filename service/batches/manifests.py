"""Manifests: names of pictures in a source, as JSON lines or as a JSON list."""

import json
from collections.abc import Iterator

from service.batches.archives import Found
from service.batches.entries import Entry, check_name, is_ignored, plain
from service.errors import BrokenBody, InvalidParameter, TooLarge

MOST_MARKS = 2_000_000  # commas, brackets and lines


def listed(data: bytes, source: str) -> Iterator[Found]:
    """The items of a manifest. source: the address under which they are.

    Raises `BrokenBody` or `InvalidParameter` for what is no manifest.
    """
    for name in _names(data):
        member = plain(name)
        if is_ignored(member):
            continue
        try:
            check_name(member)
        except InvalidParameter as error:
            yield member, error
        else:
            yield member, Entry(item=member, object=member, source=source)


def _names(data: bytes) -> Iterator[str]:
    """The names: strings, or the field ``item`` of objects."""
    if sum(map(data.count, (b",", b"[", b"{", b"\n"))) > MOST_MARKS:  # before they become as many objects
        raise TooLarge("the manifest is too long; send several, or several parts")
    try:
        text = data.decode()
        values = (
            json.loads(text) if text.lstrip().startswith("[") else map(json.loads, filter(str.strip, text.splitlines()))
        )
        for value in values:
            name = value.get("item") if isinstance(value, dict) else value
            if not isinstance(name, str):
                raise InvalidParameter(
                    f'a manifest lists names, as "cat.jpg" or {{"item": "cat.jpg"}}; this is none: {str(value)[:50]}'
                )
            yield name
    except (ValueError, RecursionError) as error:
        raise BrokenBody(f"the manifest is neither JSON lines nor a JSON list: {error or 'too deep'}") from error
