"""Libraries that only those need who ask for arrays and pictures."""

from importlib import import_module
from typing import Any

_DISTRIBUTIONS = {"PIL": "pillow"}


def needed(module: str) -> Any:
    """The module. Raises `ModuleNotFoundError`, which says what to install."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        name = _DISTRIBUTIONS.get(top, top)
        raise ModuleNotFoundError(f"this needs {name}: pip install {name}", name=error.name) from error
