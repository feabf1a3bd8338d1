"""What is asked of all photographs, and whether results in a folder answer the same."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from service.errors import Conflict
from service.folders.places import SETTINGS

Format = Literal["npy", "png"]


@dataclass(frozen=True)
class Asked:
    """The question, and the form of the results.

    Attributes:
        model: Name of the network.
        model_sha256: Hash of its file.
        methods: The parameters that are given, by method.
        class_id: The class to explain; the predicted one if None.
        target: What is explained instead of a class.
        resize: How photographs are scaled for the network.
        decode: Whether large JPEGs are decoded at a reduced scale.
        formats: Which files are written.
        side: The longest side of an overlay, in pixels.
    """

    model: str
    model_sha256: str
    methods: Mapping[str, Mapping[str, Any]]
    class_id: int | None
    target: str | None
    resize: Literal["squash", "crop", "native"]
    decode: Literal["exact", "fast"]
    formats: tuple[Format, ...]
    side: int

    @property
    def common(self) -> dict[str, Any]:
        """What all results of a folder have in common: all but the methods."""
        return {**vars(self), "methods": None, "formats": list(self.formats)}


def remember(folder: Path, asked: Asked, version: str) -> bytes:
    """The file that says what the results of a folder answer. Methods may be added to it.

    Raises `Conflict` if there are results that answer something else.
    """
    known = _known(folder / SETTINGS)
    methods = {name: dict(values) for name, values in asked.methods.items()}
    if known is not None:
        before = known.get("methods", {})
        others = [name for name in asked.common if name != "methods" and known.get(name) != asked.common[name]]
        others += [f"the parameters of {name}" for name in methods if before.get(name, methods[name]) != methods[name]]
        if others:
            raise Conflict(
                f"{folder} holds results that differ in {', '.join(others)}; name another folder, "
                "or begin anew in this one with --force"
            )
        methods = {**before, **methods}
    return json.dumps({"convlens": version, **asked.common, "methods": methods}, indent=1).encode() + b"\n"


def _known(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Conflict(f"{path} is damaged; name another folder, or begin anew in this one with --force")
    return found
