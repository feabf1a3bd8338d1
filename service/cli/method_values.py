"""Parameters of methods as they are given on the command line."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from service.errors import InvalidParameter

Values = dict[str, dict[str, Any]]  # by method and name


def values_of(given: Sequence[str], methods: Sequence[str], known: Mapping[str, Collection[str]]) -> Values:
    """Each method with those of its parameters that are given, as ``steps=32`` for all or ``rise.masks=500`` for one.

    known: the parameters that each method takes. Raises `InvalidParameter`.
    """
    for method in methods:
        if method not in known:
            raise InvalidParameter(f"there is no method {method!r}; there are: {', '.join(known)}")
    values: Values = {method: {} for method in methods}
    for text in given:
        place, equals, value = text.partition("=")
        of, _, name = place.rpartition(".")
        if not equals or not name:
            raise InvalidParameter(f"--set takes NAME=VALUE, as in --set steps=32; this is none: {text[:100]}")
        users = [method for method in methods if of in ("", method) and name in known[method]]
        if not users:
            takes = "; ".join(f"{method} takes {', '.join(known[method]) or 'none'}" for method in methods)
            raise InvalidParameter(f"no method that is asked for takes the parameter {place!r}: {takes}")
        for method in users:
            values[method][name] = _value(value)
    return values


def _value(text: str) -> Any:
    """A number or another value of JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
