"""Answers about photographs: dictionaries as the service sent them, that show themselves in a notebook."""

import base64
from html import escape
from typing import Any

from .made import Picture

_FIGURE = "display:inline-block;margin:0 1em 1em 0;vertical-align:top;max-width:320px"
_BAR = "display:inline-block;height:.7em;background:currentColor;opacity:.5"


class Explanations(dict[str, Any]):
    """Answer of `POST /saliency`: ``meta`` and ``data``, one entry for each photograph and class."""

    @property
    def pictures(self) -> list[Picture]:
        """The maps in colours, as the parameter ``output`` asked for."""
        return [Picture(base64.b64decode(one["heatmap"]["png"])) for one in self["data"]]

    def _repr_html_(self) -> str:
        shown = zip(self["data"], self.pictures, strict=True)
        return "".join(_figure(picture, *_said_of(one["explained"])) for one, picture in shown)


class Predictions(dict[str, Any]):
    """Answer of `POST /predict`: ``meta`` and ``data``, one entry for each photograph, by the task of the network."""

    def _repr_html_(self) -> str:
        return "".join(f"<div>{_of_task(one)}</div>" for one in self["data"])


def _said_of(explained: dict[str, Any]) -> list[str]:
    """What is told under a map."""
    said = explained["target"] or explained["name"] or ""
    said += "" if explained["probability"] is None else f", {explained['probability']:.1%}"
    empty = "the map is zero everywhere, so it says nothing" if explained["zero_gradient"] else None
    return [text for text in (said, empty, explained["warning"]) if text]


def _figure(picture: Picture, *said: str) -> str:
    lines = "<br>".join(map(escape, said))
    return (
        f'<figure style="{_FIGURE}"><img src="{picture.data_url}" alt="{escape(said[0]) if said else ""}" '
        f'style="max-width:100%"><figcaption>{lines}</figcaption></figure>'
    )


def _of_task(result: dict[str, Any]) -> str:
    """What the network says of one photograph."""
    parts = []
    if named := result.get("objects") or result.get("predictions"):
        parts.append(_table([(one["name"], _share(one), one.get("box")) for one in named]))
    if values := result.get("values"):
        parts.append(_table([(name, f"{value:g}", None) for name, value in values.items()]))
    if mask := result.get("mask"):
        parts.append(_figure(Picture(base64.b64decode(mask["png"])), "class ids as grey levels"))
        parts.append(_table([(one["name"], _bar(one["share"]), None) for one in mask["classes"]]))
    if (vector := result.get("vector")) is not None:
        parts.append(f"<p>a vector of {len(vector)} numbers</p>")
    if (similarity := result.get("similarity")) is not None:
        parts.append(f"<p>similarity {similarity:.3f}</p>")
    return "".join(parts) or "<p>nothing</p>"


def _share(one: dict[str, Any]) -> str:
    """The probability as a bar, or the score."""
    return _bar(one["probability"]) if one["probability"] is not None else f"{one['score']:.2f}"


def _bar(share: float) -> str:
    return f'<span style="{_BAR};width:{100 * share:.0f}px"></span> {share:.1%}'


def _table(rows: list[tuple[str, str, list[float] | None]]) -> str:
    """Names, what is said of them in HTML, and their boxes."""
    cells = (
        f"<tr><td>{escape(name)}</td><td>{said}</td>"
        f"<td>{', '.join(f'{edge:.0f}' for edge in box) if box else ''}</td></tr>"
        for name, said, box in rows
    )
    return f"<table>{''.join(cells)}</table>"
