"""The page, opened in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.models.drafting import Choices
from service.models.importing import add
from tests.api.drawings import UNIT
from tests.conftest import Server
from tests.models.networks import COLOURS, classifier, detector, embedder, segmenter, write
from tests.page.browser import BROWSER, DRIVER, open_page, start_browser
from tests.waiting import eventually

NAMES = ("red", "green", "blue")
MOST_RUNS = 60  # of a request to the service of all tasks


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the page are skipped where there is no browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            missing = BROWSER is None or DRIVER is None
            item.add_marker(pytest.mark.skipif(missing, reason="Chromium is not installed: make browser"))


@pytest.fixture(scope="package")
def page_server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    server = Server("--models-dir", str(models_dir), "--data-dir", str(tmp_path_factory.mktemp("page")))
    yield server
    server.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    driver = start_browser()
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, page_server: Server) -> Any:
    """The page as a new visitor finds it."""
    browser.set_window_size(1200, 1600)
    open_page(browser, page_server.url)
    browser.get_log("browser")
    return browser


@pytest.fixture
def no_jobs(page_server: Server) -> None:
    """The test begins without jobs."""
    for job in page_server.client.get("/visualize", params={"limit": 200}).json()["data"]:
        page_server.client.delete(job["links"]["self"])


@pytest.fixture(scope="package")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with a small network of each task. A request may take few runs; networks may be uploaded."""
    folder = tmp_path_factory.mktemp("tasks")
    models = folder / "models"
    for name, model, choices in (
        ("boxes", detector(), {"labels": NAMES}),
        ("colours", segmenter(), {"labels": COLOURS}),
        ("vectors", embedder(), {"task": "embedding"}),
        ("numbers", classifier(size=32), {"scores": "none"}),
        ("several", classifier(size=32), {"scores": "sigmoid"}),
    ):
        add(write(model, folder, f"{name}.onnx"), models, Choices(name=name, **UNIT, **choices))  # type: ignore[arg-type]
    flags = ("--default-model", "colours", "--max-evaluations", str(MOST_RUNS), "--uploaded-models-bytes", "1000000")
    server = Server("--models-dir", str(models), "--data-dir", str(folder / "data"), *flags)
    eventually(lambda: all(model["served"] for model in server.client.get("/models").json()))
    yield server
    server.stop()
