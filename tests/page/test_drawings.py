"""Drawings on the page: they grow, end and are cancelled."""

from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from tests.page.browser import ARTIFACTS, errors, text, until


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
