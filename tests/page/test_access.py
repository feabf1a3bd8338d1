"""The page is open to everybody: keyboard, screen readers, small screens, slow lines, and services with keys."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from service.api.keys import digest
from tests.conftest import Server
from tests.page.browser import (
    ARTIFACTS,
    awaited,
    caption,
    errors,
    find,
    find_all,
    open_page,
    text,
    until,
    violations,
)

STATIC = Path(__file__).parents[2] / "service/static"
CLIENT_MODULES = ("npy.js",)  # of the client, which the page uses too
MOST_BYTES = 150_000  # of script and style, compressed
MOST_SHIFT = 0.05  # of the layout while the page is opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 768, 390])
def test_it_is_accessible(page: Any, scheme: str, width: int) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.set_window_size(width, 1600)
    page.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for section, loaded in (
        ("layers", "#strip button"),
        ("make", "#make-form [name]"),
        ("networks", "#networks-list dd"),
    ):
        page.execute_script("document.getElementById(arguments[0]).scrollIntoView()", section)
        until(page, lambda loaded=loaded: find_all(page, loaded))
    page.execute_script("scrollTo(0, 0)")
    assert violations(page) == []
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    page.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = false; })")
    page.save_screenshot(str(ARTIFACTS / f"{scheme}-{width}.png"))


@pytest.mark.parametrize("width", [1200, 390])
def test_the_layout_does_not_shift(page: Any, page_server: Server, width: int) -> None:
    page.set_window_size(width, 900)
    open_page(page, page_server.url)
    shift = awaited(
        page,
        """return new Promise((done) => new PerformanceObserver((list) =>
             done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))
           ).observe({ type: 'layout-shift', buffered: true }) || setTimeout(() => done(0), 200))""",
    )
    assert shift <= MOST_SHIFT


def test_little_has_to_be_loaded() -> None:
    files = [*STATIC.glob("*.js"), *STATIC.glob("*.css"), *STATIC.glob("*.html")]
    files = [file for file in files if file.name != "english.js"]  # one language, the larger one
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < MOST_BYTES


def test_nothing_but_the_style_sheet_keeps_the_page_from_being_shown(page: Any) -> None:
    blocking = page.execute_script(
        "return performance.getEntriesByType('resource')"
        ".filter((e) => e.renderBlockingStatus === 'blocking').map((e) => new URL(e.name).pathname)"
    )
    assert blocking == ["/static/style.css"]
    scripts = page.execute_script("return [...document.scripts].map((script) => script.type)")
    assert scripts == ["module"]


def test_the_first_map_is_asked_for_before_all_that_can_wait(page: Any, page_server: Server) -> None:
    page.set_window_size(1280, 800)
    open_page(page, page_server.url)
    asked = page.execute_script(
        "return performance.getEntriesByType('resource').sort((a, b) => a.startTime - b.startTime)"
        ".map((e) => new URL(e.name).pathname)"
    )
    before = [path for path in asked[: asked.index("/saliency")] if not path.endswith(".js")]
    assert sorted(set(before)) == ["/classify", "/methods", "/models", "/static/samples/cat.jpg", "/static/style.css"]
    modules = [path for path in asked if path.endswith(".js")]
    assert len(modules) == len(set(modules)) == len([*STATIC.glob("*.js")]) - 1 + len(CLIENT_MODULES)
    waiting = [path for path in asked if path.startswith("/static/samples/") and not path.endswith("cat.jpg")]
    assert len(waiting) == 5
    # What is further down is asked for when someone goes there.
    assert not [
        path for path in asked if path.startswith(("/openapi.json", "/visualize", "/uploads", "/static/kinds/"))
    ]


def test_all_modules_are_loaded_at_once() -> None:
    html = (STATIC / "index.html").read_text()
    missing = {file.name for file in STATIC.glob("*.js") if f'"static/{file.name}"' not in html}
    assert missing == {"english.js", "chinese.js"}  # one of them is, once it is known which


def test_all_strings_stand_in_the_files_of_languages(page: Any) -> None:
    """No text of the page stands in its HTML, and every text that is asked for is there."""
    bare = page.execute_script(
        "return fetch('.').then((r) => r.text()).then((html) => {"
        "  const found = new DOMParser().parseFromString(html, 'text/html').body;"
        "  found.querySelectorAll('noscript').forEach((n) => n.remove());"
        "  return found.textContent.replace(/\\s+/g, ' ').trim(); })"
    )
    assert bare == "convlens 0–"
    unknown = awaited(
        page,
        """const { has } = await import('/static/strings.js');
           const attributes = [...document.querySelectorAll('[data-t-for]')]
             .flatMap((e) => e.dataset.tFor.split(';').map((pair) => pair.split(':')[1]));
           const names = [...document.querySelectorAll('[data-t]')].map((e) => e.dataset.t).concat(attributes);
           return names.filter((name) => !has(name))""",
    )
    assert unknown == []


def test_a_key_is_asked_for_even_after_too_many_failures(browser: Any, tmp_path: Path, models_dir: Path) -> None:
    page, key = browser, "cl_erin"
    (tmp_path / "keys").write_text(f"erin {digest(key)}\n")
    flags = ("--api-keys-file", str(tmp_path / "keys"), "--failed-keys-limit", "1/hour", "--no-worker")
    guarded = Server("--models-dir", str(models_dir), "--data-dir", str(tmp_path / "data"), *flags)
    try:
        guarded.client.get("/models")
        assert guarded.client.get("/models").status_code == 429
        page.get(guarded.url)
        until(page, lambda: "without a known key" in text(page, "error"))
        page.find_element(By.ID, "key").send_keys(key)
        find(page, "#key-form button").click()
        caption(page, "Egyptian cat")
        assert not find(page, "#key-form").is_displayed()
        assert not find(page, "#error").is_displayed()
    finally:
        guarded.stop()


def test_the_pages_of_the_api_come_from_here_too(page: Any, page_server: Server) -> None:
    page.get(page_server.url + "/docs")
    until(page, lambda: "/saliency" in page.find_element(By.ID, "swagger-ui").text)
    assert_from_here(page)


def test_nothing_comes_from_elsewhere_and_no_policy_is_broken(page: Any) -> None:
    assert_from_here(page)
    assert errors(page) == []


def assert_from_here(page: Any) -> None:
    names = json.loads(
        page.execute_script("return JSON.stringify(performance.getEntriesByType('resource').map(e => e.name))")
    )
    origin = page.execute_script("return location.origin")
    assert names
    assert all(name.startswith((origin, "blob:", "data:")) for name in names)
