"""What the tests of the page share: a real browser, and how to look at the page. Screenshots go to .artifacts/."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_core_python
import numpy as np
import numpy.typing as npt
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ARTIFACTS = Path(__file__).parents[2] / ".artifacts"
AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--window-size=1200,1600",
    "--disable-gpu",
    "--lang=en-US",
)


def start_browser() -> Any:
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.set_script_timeout(60)
    ARTIFACTS.mkdir(exist_ok=True)
    return driver


def open_page(page: Any, url: str) -> None:
    """The page with its first result."""
    page.get("about:blank")  # else a link to the same page would not load it
    page.get(url)
    caption(page, "Bright is")


def until(page: Any, condition: Callable[[], Any]) -> Any:
    """Wait for it."""
    return WebDriverWait(page, 30, poll_frequency=0.05, ignored_exceptions=(Exception,)).until(lambda _: condition())


def find(page: Any, selector: str) -> Any:
    return page.find_element(By.CSS_SELECTOR, selector)


def find_all(page: Any, selector: str) -> list[Any]:
    return list(page.find_elements(By.CSS_SELECTOR, selector))


def text(page: Any, id_: str) -> str:
    return str(page.find_element(By.ID, id_).text)


def caption(page: Any, part: str) -> None:
    """Wait until the result is that."""
    busy = "return document.getElementById('stage').getAttribute('aria-busy')"
    until(page, lambda: part in text(page, "caption") and page.execute_script(busy) == "false")


def upload(page: Any, path: Path) -> None:
    page.find_element(By.ID, "file").send_keys(str(path))


def sample(page: Any, name: str) -> None:
    find(page, f"[data-sample={name}]").click()


def open_details(page: Any, inside: str) -> None:
    """Unfold what hides an element."""
    page.execute_script("document.getElementById(arguments[0]).closest('details').open = true", inside)


def awaited(page: Any, script: str, *arguments: object) -> Any:
    """What a script of an asynchronous function returns."""
    wrapped = (
        f"const done = arguments[arguments.length - 1]; const action = async (...given) => {{ {script} }};"
        "action(...arguments).then(done, (error) => done(`${error}`))"
    )
    return page.execute_async_script(wrapped, *arguments)


def drawn(page: Any, id_: str = "heat") -> npt.NDArray[np.uint8]:
    """The pixels of a canvas, (H, W, 4)."""
    script = (
        "const c = document.getElementById(arguments[0]);"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        "return [c.height, c.width, Array.from(d.data)]"
    )
    height, width, values = page.execute_script(script, id_)
    return np.array(values, np.uint8).reshape(height, width, 4)


def npy(content: bytes) -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = np.load(io.BytesIO(content))
    return values


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
