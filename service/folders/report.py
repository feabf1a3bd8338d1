"""A report of the results in a folder, to be looked at and passed on: a page that holds all, and a contact sheet."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from service import __version__
from service.attribution import METHODS
from service.errors import ConvlensError
from service.folders.asked import Asked
from service.folders.index import Record
from service.folders.places import Output
from service.folders.sources import Item, Sources, read
from service.folders.survey import Survey
from service.folders.texts import shown
from service.pictures import images
from service.pictures.contact_sheet import Cell, contact_sheet
from service.pictures.decode import Photograph, Pixels, decode

PAGE, SHEET = "report.html", "sheet.png"
MOST_ON_SHEET, MOST_CLASSES = 24, 10
SIDE, SHEET_SIDE = 320, 200  # pixels, the longest of a picture


@dataclass(frozen=True)
class Shown:
    """A photograph with its maps. pictures: the photograph, if it could be read, and its maps by method."""

    name: str
    records: list[Record]
    pictures: dict[str, Pixels]


def write_report(output: Output, found: Survey, asked: Asked, sources: Sources, command: str) -> list[str]:
    """Write the page and, if anything is explained, the sheet; returns their names.

    command: what makes all of it again.
    """
    left_out = sources.left_out
    rows = _shown(output, found, sources)
    title = shown(f"Saliency maps of {sources.title}")
    context = {
        "title": title,
        "found": found,
        "asked": asked,
        "methods": [METHODS[name] for name in found.methods if name in METHODS],
        "rows": [_row(row) for row in rows],
        "classes": found.classes.most_common(MOST_CLASSES),
        "left_out": [shown(name) for name in left_out],
        "command": shown(command),
        "version": __version__,
        "time": datetime.now().astimezone().isoformat(" ", "minutes"),
        "shown": shown,
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(PAGE).render(context).encode("utf-8", "backslashreplace")
    written = [output.write(PAGE, page)]
    cells = [_cell(row) for row in rows[:: max(1, -(-len(rows) // MOST_ON_SHEET))]]
    if cells:
        methods = ", ".join(found.methods)
        subtitle = f"{found.photographs:,} photographs explained, {found.failed:,} failed · {asked.model} · {methods}"
        written.append(output.write(SHEET, images.encode_png(contact_sheet(cells, title, subtitle))))
    return written


def _shown(output: Output, found: Survey, items: Iterable[Item]) -> list[Shown]:
    """What is shown, with its pictures."""
    rows = {}
    for name, records in found.chosen.items():
        maps = {record["method"]: _map(output, record) for record in records}
        pictures = {method: picture for method in found.methods if (picture := maps.get(method)) is not None}
        rows[name] = Shown(name, records, pictures)
    missing = set(rows)
    for item in items:
        if not missing:
            break
        if item.name in missing:
            missing.discard(item.name)
            photograph = _photograph(item)
            if photograph is not None:
                row = rows[item.name]
                rows[item.name] = Shown(row.name, row.records, {"": photograph, **row.pictures})
    return list(rows.values())


def _photograph(item: Item) -> Pixels | None:
    try:
        data = read(item.content, 2**30) if isinstance(item.content, Path) else item.content()
        found = decode(data, 2**31, SIDE)
    except (ConvlensError, OSError):  # it has gone since
        return None
    return images.cut(found, found.box, SIDE)


def _map(output: Output, record: Record) -> Pixels | None:
    """What a map looks like: its overlay, or where there is none the map alone; None if it has gone."""
    try:
        if record.get("overlay"):
            overlay = decode((output.folder / record["overlay"]).read_bytes(), 2**31)
            return images.cut(overlay, overlay.box, SIDE)
        values = np.load(io.BytesIO((output.folder / record["map"]).read_bytes()), allow_pickle=False)
    except (ConvlensError, OSError, ValueError):
        return None
    is_absolute = record["method"] in METHODS and METHODS[record["method"]].sign == "absolute"
    return images.heatmap(images.normalize(np.abs(values) if is_absolute else values.clip(min=0)), "inferno")


def _row(row: Shown) -> dict[str, Any]:
    first = row.records[0]
    return {
        "name": shown(row.name),
        "caption": _caption(first),
        "probability": first.get("probability"),
        "pictures": [
            (method, "data:image/webp;base64," + base64.b64encode(images.encode(picture, "image/webp")).decode())
            for method, picture in row.pictures.items()
        ],
    }


def _caption(record: Record) -> str:
    if record.get("class_name") is not None:
        return str(record["class_name"])
    return f"{record.get('target')} = {record.get('score'):.4g}" if record.get("score") is not None else ""


def _cell(row: Shown) -> Cell:
    first, probability = row.records[0], row.records[0].get("probability")
    sure = "" if probability is None else f"{probability:.0%} "
    pictures = [images.cut(photo, photo.box, SHEET_SIDE) for photo in map(Photograph.of, row.pictures.values())]
    return Cell(pictures, [f"{sure}{_caption(first)}", shown(row.name)])
