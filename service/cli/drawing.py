"""Drawing a class from the command line: in this process or on a server."""

import argparse
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from service.errors import InvalidParameter
from service.settings import Settings

PARAMETERS = ("preset", "iterations", "learning_rate", "size", "seed", "model")


@dataclass(frozen=True)
class Drawn:
    """A finished picture. result: what the network sees in it."""

    png: bytes
    class_name: str
    seed: int
    result: dict[str, Any]


def visualize(settings: Settings, options: argparse.Namespace) -> None:
    """Draw a class and write the picture. A server is asked without loading anything of the service."""
    given = {name: value for name in PARAMETERS if (value := getattr(options, name)) is not None}
    asks = options.server is not None
    place = "drawing_there" if asks else "drawing_here"
    draw = partial(import_module(f"service.cli.{place}").draw, options.server if asks else settings)
    drawn: Drawn = draw(options.class_name, given)
    output = options.output or Path(f"{drawn.class_name.partition(',')[0].replace(' ', '_')}.png")
    output.write_bytes(drawn.png)
    seen = drawn.result
    probability = seen["predicted_probability"]
    sure = "" if probability is None else f" ({probability:.1%})"
    print(f"{output}: {drawn.class_name}, seed {drawn.seed}; the network sees {seen['predicted_name']}{sure}")


def chosen_class(query: str, classes: list[tuple[int, str]]) -> int:
    """The class with that id, or the only one whose name contains the query; a whole synonym comes first.

    Raises `InvalidParameter`.
    """
    if query.isdigit():
        return int(query)
    matching = [(i, name) for i, name in classes if query.lower() in name.lower()]
    exact = [(i, name) for i, name in matching if query.lower() in (part.strip().lower() for part in name.split(","))]
    candidates = exact or matching
    if len(candidates) == 1:
        return candidates[0][0]
    if not candidates:
        raise InvalidParameter(f"no class has {query!r} in its name")
    some = "; ".join(f"{i} {name}" for i, name in candidates[:10])
    raise InvalidParameter(f"{len(candidates)} classes have {query!r} in their names, say which by its id: {some}")
