"""The page, opened in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server
from tests.page.browser import BROWSER, DRIVER, open_page, start_browser


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
