"""Every state of the page has an address, and a line of code that gives the same."""

import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from tests.conftest import Server
from tests.page.browser import (
    ARTIFACTS,
    caption,
    drawn,
    errors,
    find,
    find_all,
    open_details,
    open_page,
    text,
    until,
    upload,
)
from tests.page.test_first_view import CAT, raw_map
from tests.page.test_jobs import CARD, SMALL, choose_kind, progress, start

CLIENT_FOLDER = Path(__file__).parents[2] / "service/static/client"
NODE = shutil.which("node")
LANGUAGES = ("curl", "python", *(["typescript"] if NODE else []))
RAW, CLIENT = 3, -1  # which of the blocks of code gives the raw map, and the client of TypeScript


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the commands are run."""
    (tmp_path / "cat.jpg").write_bytes(CAT)
    return tmp_path


def codes(page: Any, inside: str) -> list[str]:
    return [str(block.get_attribute("textContent")) for block in find_all(page, f"{inside} pre code")]


def run_shell(command: str, folder: Path) -> str:
    return subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True, text=True).stdout


def run_python(code: str, folder: Path) -> str:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def run(language: str, shown: list[str], folder: Path) -> None:
    """Run the lines of a language."""
    lines = shown[("curl", "python", "typescript").index(language)]
    if language == "typescript":
        run_shell(shown[CLIENT], folder)
        (folder / "lines.mjs").write_text(lines)  # they need no types
        subprocess.run([str(NODE), "lines.mjs"], cwd=folder, check=True, capture_output=True)
    else:
        (run_shell if language == "curl" else run_python)(lines, folder)


def test_a_link_opens_what_was_seen(page: Any) -> None:
    find(page, "[data-sample=motorcycle]").click()
    caption(page, "moped")
    Select(find(page, "#method")).select_by_visible_text("layer_cam")
    caption(page, "Bright is")
    open_details(page, "parameters")
    Select(find(page, "#parameters [name=layer]")).select_by_value("fire5")
    caption(page, "Bright is")
    find_all(page, ".versus")[1].click()
    caption(page, "What speaks for moped")
    open_details(page, "colormap")
    Select(find(page, "#colormap")).select_by_visible_text("viridis")
    seen, said, address = drawn(page), text(page, "caption"), page.current_url
    open_page(page, address)
    assert text(page, "caption") == said
    assert (drawn(page) == seen).all()
    assert page.current_url == address
    assert find(page, "#colormap").get_attribute("value") == "viridis"
    until(page, lambda: find(page, "#parameters [name=layer]").get_attribute("value") == "fire5")
    assert errors(page) == []


def test_back_goes_to_what_was_seen_before(page: Any) -> None:
    find(page, "[data-sample=coffee]").click()
    caption(page, "espresso")
    find_all(page, ".class")[1].click()
    caption(page, "says cup")
    page.back()
    caption(page, "says espresso")
    page.back()
    caption(page, "says Egyptian cat")
    page.forward()
    caption(page, "says espresso")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("method=guess", "the method guess"),
        ("model=brain", "the network brain"),
        ("photo=dog", "the sample dog"),
        ("class_id=1000", "class_id must be from 0 to 999"),
        ("class_id=cat", "class_id"),
        ("method=smoothgrad&samples=0", "samples"),
        ("job=none", "none"),
    ],
)
def test_a_wrong_link_is_told_in_words_and_something_is_shown(
    browser: Any, page_server: Server, query: str, told: str
) -> None:
    page = browser
    page.get("about:blank")  # not on the way through the usual first view
    page.get(f"{page_server.url}/?{query}")
    until(page, lambda: told in text(page, "error"))
    caption(page, "Egyptian cat")
    assert find(page, "#heat").is_displayed()


def test_a_picture_of_ones_own_is_not_in_the_link(page: Any, folder: Path) -> None:
    upload(page, folder / "cat.jpg")
    until(page, lambda: "own picture" in text(page, "own-not-linked"))
    assert "photo=" not in page.current_url


def test_the_code_gives_what_is_seen(page: Any, page_server: Server, folder: Path) -> None:
    Select(find(page, "#method")).select_by_visible_text("smoothgrad")
    caption(page, "Bright is")
    open_details(page, "parameters")
    find(page, "#parameters [name=samples]").send_keys("4\t")
    caption(page, "Bright is")
    open_details(page, "output")
    Select(find(page, "#output")).select_by_value("heatmap")
    Select(find(page, "#colormap")).select_by_visible_text("gray")
    shown, seen = codes(page, "#code"), drawn(page)[..., 0].astype(int)
    for language in LANGUAGES:
        run(language, shown, folder)
        with Image.open(folder / "heatmap.png") as image:
            difference = np.abs(seen - np.asarray(image.convert("L")).astype(int))
        assert difference.max() <= 1  # sums in another order may round to the next level
        assert (difference == 0).mean() > 0.99
        (folder / "heatmap.png").unlink()


def test_the_client_of_the_code_is_all_of_the_package(page: Any, folder: Path) -> None:
    run_shell(codes(page, "#code")[CLIENT], folder)
    package = {path.name for path in CLIENT_FOLDER.iterdir() if not path.name.startswith("convlens-saliency")}
    assert {path.name for path in (folder / "client").iterdir()} == package
    assert all(path.read_bytes() == (CLIENT_FOLDER / path.name).read_bytes() for path in (folder / "client").iterdir())


def test_the_code_gives_the_raw_map(page: Any, page_server: Server, folder: Path) -> None:
    find_all(page, ".versus")[1].click()
    caption(page, "What speaks for")
    run_shell(codes(page, "#code")[RAW], folder)
    expected = raw_map(page_server, class_id=285, other_class_id=282)
    assert np.array_equal(np.load(folder / "map.npy"), expected)


@pytest.mark.usefixtures("no_jobs")
@pytest.mark.parametrize("kind", ["class", "style"])
def test_a_job_has_an_address_and_code(page: Any, page_server: Server, folder: Path, kind: str) -> None:
    choose_kind(page, kind, **SMALL[kind])
    start(page)
    progress(page, "Done.")
    until(page, lambda: "job=" in page.current_url)
    title, address = find(page, f"{CARD} h3").text, page.current_url
    page.save_screenshot(str(ARTIFACTS / f"shared-{kind}.png"))
    until(page, lambda: len(codes(page, CARD)) == 4)
    shown = codes(page, CARD)
    (job,) = page_server.client.get("/visualize").json()["data"]
    for name, link in job["links"]["artifacts"].items():
        (folder / name).write_bytes(page_server.client.get(link).content)
    image = page_server.client.get(job["links"]["image"]).content
    for language in LANGUAGES:
        run(language, shown, folder)
        if language != "curl":  # which gives the record
            assert (folder / "picture.png").read_bytes() == image
            (folder / "picture.png").unlink()
    jobs = page_server.client.get("/visualize").json()["data"]
    assert len(jobs) == 1 + len(LANGUAGES)
    for again in jobs:
        page_server.client.get(again["links"]["self"], params={"wait": 60})
        made = page_server.client.get(again["links"]["image"]).content
        assert np.array_equal(Image.open(io.BytesIO(made)), Image.open(io.BytesIO(image)))
    open_page(page, address)
    until(page, lambda: find(page, f"{CARD} h3").text == title)
    progress(page, "Done.")


def test_the_link_is_copied(page: Any) -> None:
    grant = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.execute_cdp_cmd("Browser.grantPermissions", grant)
    page.find_element(By.ID, "copy-link").click()
    until(page, lambda: text(page, "copied") == "Copied.")
    copied = page.execute_async_script("navigator.clipboard.readText().then(arguments[0], arguments[0])")
    assert copied == page.current_url


def test_back_to_a_picture_of_ones_own(page: Any, folder: Path) -> None:
    upload(page, folder / "cat.jpg")
    until(page, lambda: "photo=" not in page.current_url)
    find(page, "[data-sample=coffee]").click()
    caption(page, "espresso")
    page.back()
    caption(page, "Egyptian cat")
    assert find(page, "#photo").get_attribute("src").startswith("blob:")
    assert page.execute_script("return document.getElementById('photo').naturalWidth") == 451


def test_a_report_is_one_file_that_holds_all(page: Any, tmp_path: Path) -> None:
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    Select(find(page, "#method")).select_by_visible_text("integrated_gradients")
    caption(page, "Bright is")
    find(page, "#report").click()
    report = tmp_path / "report.html"
    until(page, report.exists)
    assert errors(page) == []
    page.get(report.as_uri())
    assert page.title == "What speaks for Egyptian cat"
    said = find(page, "body").text
    for part in (
        "Egyptian cat 65.7 %",
        "tiger cat 23.8 %",
        "Sundararajan et al. 2017",
        "completeness",
        "-F method=integrated",
    ):
        assert part in said
    size = page.execute_script("const i = document.querySelector('img'); return [i.naturalWidth, i.naturalHeight]")
    assert size == [3 * 451, 300]
    loaded = page.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert all(name.startswith("data:") for name in loaded)
    assert find_all(page, "script, link") == []
    page.save_screenshot(str(ARTIFACTS / "report.png"))


@pytest.mark.parametrize(("button", "name"), [("download", "saliency.png"), ("download-raw", "saliency.npy")])
def test_picture_and_raw_map_are_downloaded(
    page: Any, page_server: Server, tmp_path: Path, button: str, name: str
) -> None:
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    open_details(page, button)
    find(page, f"#{button}").click()
    until(page, (tmp_path / name).exists)
    if name.endswith(".npy"):
        assert np.array_equal(np.load(tmp_path / name), raw_map(page_server, class_id=285))
    else:
        with Image.open(tmp_path / name) as image:
            assert image.size == (451, 300)
