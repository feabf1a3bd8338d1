"""Screenshots of the page for docs/page.md: each view wide and on a phone, light and dark, on one sheet.

Run: make screenshots.
"""

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from service.models.build import build
from service.models.drafting import Choices
from service.models.importing import add
from tests.api.drawings import UNIT, drawn
from tests.conftest import Server
from tests.models.networks import COLOURS, classifier, detector, segmenter, write
from tests.page.browser import caption, find, find_all, start_browser, text, until, upload
from tests.waiting import eventually

FOLDER = Path(__file__).parents[2] / "docs/images"
WIDE, PHONE = (1280, 960), (390, 960)  # of the window, in pixels
HEIGHT = 560  # of a screenshot on a sheet
QUALITY = 60
FIRST, FIRST_QUALITY = (0, 0, 1280, 800), 82  # of the picture in the README
CHINESE = "zh-CN"


@dataclass(frozen=True)
class View:
    """A view of the page. query: what opens it. section: what is shown. act: what is done before."""

    name: str
    query: str
    section: str = "main"
    act: Callable[[Any], None] = lambda _: None
    language: str = "en-US"


def _methods(page: Any) -> None:
    page.execute_script("document.getElementById('all-methods').open = true")


def _layers(page: Any) -> None:
    until(page, lambda: len(find_all(page, "#patches canvas")) > 4)


def _compare(page: Any) -> None:
    find(page, "#compare-start").click()
    until(page, lambda: find_all(page, "#metrics table"))


def _drawn(page: Any) -> None:
    until(page, lambda: find_all(page, "#sheet .picture img.here") and find_all(page, "#sheet .chart"))


def _networks(page: Any) -> None:
    page.execute_script("document.getElementById('networks').scrollIntoView()")
    until(page, lambda: len(find_all(page, "#networks-list dd")) > 8 and find_all(page, "[data-upload] details"))
    page.execute_script(
        "document.querySelectorAll('#networks > details, [data-upload] details').forEach((d) => { d.open = true; })"
    )


def _shapes(folder: Path) -> Callable[[Any], None]:
    def act(page: Any) -> None:
        upload(page, folder / "shapes.png")
        until(page, lambda: find(page, "#photo").get_attribute("alt").endswith("shapes.png"))
        caption(page, "Bright is")

    return act


def _code(page: Any) -> None:
    page.execute_script("document.getElementById('code-box').open = true")


def _views(folder: Path, job: str) -> list[View]:
    return [
        View("first", ""),
        View("contrast", "photo=motorcycle&method=layer_cam&class_id=665&other_class_id=670&colormap=viridis"),
        View("methods", "", "#all-methods", _methods),
        View("code", "", ".share", _code),
        View("layers", "at_layer=fire5&at_channel=17", "#layers", _layers),
        View("compare", "photo=coffee", "#compare", _compare),
        View("make", f"job={job}", "#make", _drawn),
        View("networks", "", "#networks", _networks),
        View("upload", "", "#uploads", _networks),
        View("boxes", "model=boxes", "main", _shapes(folder)),
        View("regions", "model=colours", "main", _shapes(folder)),
        View("chinese", "", language=CHINESE),
    ]


def _screenshot(page: Any, url: str, view: View, size: tuple[int, int], scheme: str) -> Image.Image:
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    agent = page.execute_script("return navigator.userAgent")
    page.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": view.language})
    page.get("about:blank")
    page.get(f"{url}/?{view.query}")
    until(page, lambda: find(page, "#stage").get_attribute("aria-busy") == "false" and text(page, "caption"))
    view.act(page)
    page.execute_script("const e = document.querySelector(arguments[0]); e.scrollIntoView()", view.section)
    if view.section == "main":
        page.execute_script("scrollTo(0, 0)")
    page.execute_async_script("setTimeout(arguments[0], 400)")  # pictures fade in
    with Image.open(io.BytesIO(page.get_screenshot_as_png())) as image:
        return image.convert("RGB")


def _sheet(shots: dict[tuple[str, tuple[int, int]], Image.Image]) -> Image.Image:
    """Light above dark, wide on the left, phone on the right."""
    small = {key: shot.resize((HEIGHT * shot.width // shot.height, HEIGHT)) for key, shot in shots.items()}
    wide, phone = (small["light", size].width for size in (WIDE, PHONE))
    sheet = Image.new("RGB", (wide + phone + 8, 2 * HEIGHT + 8), "#808080")
    for row, scheme in enumerate(("light", "dark")):
        for left, size in ((0, WIDE), (wide + 8, PHONE)):
            sheet.paste(small[scheme, size], (left, row * (HEIGHT + 8)))
    return sheet


def _prepare(server: Server, folder: Path) -> str:
    """Upload a network and draw a picture; returns the id of the job."""
    file = write(classifier(size=32), folder, "shapes-7.onnx")
    server.client.post("/models", files={"model": file.open("rb")}, data={"title": "Shapes"}).raise_for_status()
    eventually(lambda: server.client.get("/uploads/shapes-7").json()["state"], lambda state: state == "added")
    asked = {"kind": "class", "class_id": 76, "preset": "lucid", "iterations": 128, "seed": 1}
    job = server.client.post("/visualize", json=asked).json()["id"]
    server.client.get(f"/visualize/{job}", params={"wait": 60})
    return str(job)


def main() -> None:
    """Write the sheets and the first view."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        models = folder / "models"
        build(models)
        for name, model, labels in (("boxes", detector(), ("red", "green", "blue")), ("colours", segmenter(), COLOURS)):
            add(write(model, folder, f"{name}.onnx"), models, Choices(name=name, labels=labels, **UNIT))  # type: ignore[arg-type]
        (folder / "shapes.png").write_bytes(drawn())
        flags = ("--models-dir", str(models), "--data-dir", str(folder / "data"))
        server = Server(*flags, "--uploaded-models-bytes", str(2**30))
        page = start_browser()
        try:
            eventually(lambda: all(model["served"] for model in server.client.get("/models").json()))
            for view in _views(folder, _prepare(server, folder)):
                shots = {
                    (scheme, size): _screenshot(page, server.url, view, size, scheme)
                    for scheme in ("light", "dark")
                    for size in (WIDE, PHONE)
                }
                (FOLDER / "page").mkdir(exist_ok=True)
                _sheet(shots).save(FOLDER / "page" / f"{view.name}.webp", quality=QUALITY, method=6)
                if view.name == "first":
                    shots["light", WIDE].crop(FIRST).save(FOLDER / "page.jpg", quality=FIRST_QUALITY, optimize=True)
                print(view.name)
        finally:
            page.quit()
            server.stop()


if __name__ == "__main__":
    main()
