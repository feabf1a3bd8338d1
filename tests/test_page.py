"""The page in a real browser: headless Chromium, driven by Selenium; axe-core for accessibility.

Screenshots go to .artifacts/.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_core_python
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from service.api.keys import digest
from tests.conftest import PHOTOGRAPHS, Server

ARTIFACTS = Path(__file__).parents[1] / ".artifacts"
AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="Chromium is not installed: make browser"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Any]:
    """The page, opened."""
    server = Server("--models-dir", str(models_dir), "--data-dir", str(tmp_path_factory.mktemp("page")))
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1200,1600",
        "--disable-gpu",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.set_script_timeout(60)
    driver.get(server.url)
    ARTIFACTS.mkdir(exist_ok=True)
    yield driver
    driver.quit()
    server.stop()


def until(page: Any, condition: Callable[[], Any]) -> Any:
    """Wait for it."""
    return WebDriverWait(page, 60, poll_frequency=0.05, ignored_exceptions=(Exception,)).until(lambda _: condition())


def text(page: Any, id_: str) -> str:
    return str(page.find_element(By.ID, id_).text)


def upload(page: Any, path: Path) -> None:
    page.find_element(By.ID, "file").send_keys(str(path))


def caption(page: Any, part: str) -> None:
    until(page, lambda: part in text(page, "caption"))


def violations(page: Any) -> list[str]:
    page.execute_script(AXE)
    found = page.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    return [f"{v['id']}: {v['help']} ({', '.join(str(n['target']) for n in v['nodes'])})" for v in found["violations"]]


def errors(page: Any) -> list[str]:
    """What the browser complained of; answers of 4xx, which the tests ask for, apart."""
    return [
        e["message"]
        for e in page.get_log("browser")
        if e["level"] == "SEVERE" and "the server responded with a status of 4" not in e["message"]
    ]


def test_a_photograph_and_another_class(page: Any) -> None:
    upload(page, PHOTOGRAPHS / "chelsea.png")
    caption(page, "Egyptian cat: 64.3 %")
    top = page.find_elements(By.CSS_SELECTOR, "#top button")
    assert len(top) == 5
    assert top[0].get_attribute("aria-pressed") == "true"
    heat = page.find_element(By.ID, "heat").get_attribute("src")
    top[1].click()
    caption(page, "tiger cat")
    assert page.find_element(By.ID, "heat").get_attribute("src") != heat
    assert "class_id=282" in page.find_element(By.ID, "curl").get_attribute("textContent")
    page.execute_script("document.getElementById('opacity').value = 20; document.getElementById('opacity').oninput()")
    assert page.find_element(By.ID, "heat").value_of_css_property("opacity") == "0.2"
    page.execute_script("document.getElementById('opacity').value = 80; document.getElementById('opacity').oninput()")
    page.save_screenshot(str(ARTIFACTS / "photograph.png"))
    assert errors(page) == []


def test_methods_layers_and_samples(page: Any) -> None:
    until(page, lambda: Select(page.find_element(By.ID, "method")).select_by_visible_text("layer_cam") or True)
    until(page, lambda: page.find_element(By.ID, "layer").is_displayed())
    assert "LayerCAM" in text(page, "summary")
    page.find_element(By.XPATH, "//button[text()='coffee']").click()
    caption(page, "espresso")
    page.find_element(By.ID, "compare").click()
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, "#comparison img")) == 6)
    assert errors(page) == []


def test_an_error_is_told_in_words(page: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"no picture")
    upload(page, wrong)
    until(page, lambda: "not an image that can be decoded" in text(page, "error"))
    assert page.find_element(By.ID, "error").get_attribute("role") == "alert"
    page.save_screenshot(str(ARTIFACTS / "error.png"))
    page.find_element(By.XPATH, "//button[text()='cat']").click()
    caption(page, "Egyptian cat")
    assert not page.find_element(By.ID, "error").is_displayed()


def start_drawing(page: Any, name: str, preset: str) -> None:
    field = page.find_element(By.ID, "class")
    field.clear()
    field.send_keys(name)
    Select(page.find_element(By.ID, "preset")).select_by_visible_text(preset)
    page.find_element(By.ID, "start").click()


def test_a_drawing_grows_and_is_finished(page: Any) -> None:
    start_drawing(page, "tarantula", "cs231n")
    until(page, lambda: page.find_element(By.ID, "drawing").is_displayed())
    until(page, lambda: "tarantula: succeeded, the network sees" in text(page, "progress"))
    assert page.find_element(By.CSS_SELECTOR, "#curve polyline").get_attribute("points").count(",") > 3
    until(page, lambda: page.execute_script("return document.getElementById('drawing').naturalWidth") == 224)
    assert page.find_element(By.LINK_TEXT, "Play its animation").get_attribute("href").endswith("format=webp")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "#jobs img"))
    page.save_screenshot(str(ARTIFACTS / "drawing.png"))
    assert errors(page) == []


def test_a_drawing_is_cancelled(page: Any) -> None:
    start_drawing(page, "hourglass", "lucid")
    until(page, lambda: "step" in text(page, "progress"))
    page.find_element(By.ID, "cancel").click()
    until(page, lambda: "hourglass: cancelled" in text(page, "progress"))
    assert not page.find_element(By.ID, "cancel").is_enabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_it_is_accessible(page: Any, scheme: str, width: int) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.set_window_size(width, 1600)
    assert violations(page) == []
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    page.save_screenshot(str(ARTIFACTS / f"{scheme}-{width}.png"))


def test_the_keyboard_is_enough(page: Any) -> None:
    reached = page.execute_script(
        "return [...document.querySelectorAll('a[href], button, input, select, summary')]"
        ".filter(e => e.tabIndex >= 0 && e.offsetParent).map(e => e.id || e.textContent.trim())"
    )
    assert {"file", "method", "opacity", "compare", "class", "start"} <= set(reached)


def test_a_key_is_asked_for_even_after_too_many_failures(page: Any, tmp_path: Path, models_dir: Path) -> None:
    home, key = page.current_url, "cl_erin"
    (tmp_path / "keys").write_text(f"erin {digest(key)}\n")
    flags = ("--api-keys-file", str(tmp_path / "keys"), "--failed-keys-limit", "1/hour", "--no-worker")
    guarded = Server("--models-dir", str(models_dir), "--data-dir", str(tmp_path / "data"), *flags)
    try:
        guarded.client.get("/models")
        assert guarded.client.get("/models").status_code == 429
        page.get(guarded.url)
        until(page, lambda: "without a known key" in text(page, "error"))
        page.find_element(By.ID, "key").send_keys(key)
        page.find_element(By.CSS_SELECTOR, "#key-form button").click()
        until(page, lambda: Select(page.find_element(By.ID, "method")).select_by_visible_text("gradient") or True)
        assert not page.find_element(By.ID, "key-form").is_displayed()
    finally:
        page.get(home)
        guarded.stop()


def test_the_pages_of_the_api_come_from_here_too(page: Any) -> None:
    home = page.current_url
    page.get(home + "docs")
    until(page, lambda: "/saliency" in page.find_element(By.ID, "swagger-ui").text)
    assert_from_here(page)
    page.get(home)


def test_nothing_comes_from_elsewhere(page: Any) -> None:
    assert_from_here(page)


def assert_from_here(page: Any) -> None:
    names = json.loads(
        page.execute_script("return JSON.stringify(performance.getEntriesByType('resource').map(e => e.name))")
    )
    origin = page.execute_script("return location.origin")
    assert all(name.startswith((origin, "blob:", "data:")) for name in names)
