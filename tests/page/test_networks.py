"""Networks on the page: which there are, one is uploaded with the report of its trial, used, and removed."""

from pathlib import Path
from typing import Any

from tests.conftest import Server
from tests.models.networks import classifier, write
from tests.page.browser import ARTIFACTS, caption, errors, find, find_all, open_page, text, until, violations


def cards(page: Any) -> list[Any]:
    return find_all(page, "#networks-list > li")


def shown(page: Any, server: Server) -> None:
    """The page with its list of networks."""
    page.set_window_size(1200, 1600)
    open_page(page, f"{server.url}/?model=several")
    page.get_log("browser")
    page.execute_script("document.getElementById('networks').scrollIntoView()")
    until(page, lambda: len(cards(page)) > 0 and all("Layers" in card.text for card in cards(page)))
    find(page, "#networks > details > summary").click()
    until(page, lambda: find(page, "#upload-form").is_displayed())


def uploaded(page: Any, path: Path, name: str) -> str:
    """What the page says of an upload once it is over."""
    find(page, "#upload-model").send_keys(str(path))
    find(page, "#upload-first [name=name]").send_keys(name)
    find(page, "#upload-start").click()
    item = f"[data-upload={name}]"
    until(page, lambda: find(page, item).get_attribute("data-state") in ("added", "failed"))
    return str(find(page, item).text)


def test_a_network_is_uploaded_used_and_removed(browser: Any, tasks: Server, tmp_path: Path) -> None:
    page = browser
    shown(page, tasks)
    told = {card.get_attribute("data-model"): card.text for card in cards(page)}
    assert set(told) == {model["name"] for model in tasks.client.get("/models").json()}
    assert "boxes around objects" in told["boxes"]
    assert "64 × 64, RGB" in told["boxes"]
    assert "ms for the last picture" in told["several"]
    assert find(page, "#networks-list [aria-current]").get_attribute("data-model") == "several"
    said = uploaded(page, write(classifier(size=32), tmp_path), "mine")
    for part in ("tried out in", "of its size", "on one core", "Only guessed", "preprocessing"):
        assert part in said
    until(page, lambda: find_all(page, "[data-model=mine] dd"))
    assert violations(page) == []
    page.save_screenshot(str(ARTIFACTS / "networks.png"))
    find(page, "[data-model=mine] [aria-label^='Use it']").click()
    caption(page, "mine says class")
    assert "model=mine" in page.current_url
    until(page, lambda: find_all(page, "[data-model=mine][aria-current]"))
    find(page, "[data-model=mine] [aria-label^='See its layers']").click()
    until(page, lambda: [one.get_attribute("data-layer") for one in find_all(page, "#strip button")] == ["v1"])
    find(page, "[data-model=mine] [aria-label^='Remove']").click()
    caption(page, "colours sees")
    assert not find_all(page, "[data-model=mine]")
    assert "mine" not in [model["name"] for model in tasks.client.get("/models").json()]
    assert errors(page) == []


def test_why_a_network_is_refused(browser: Any, tasks: Server, tmp_path: Path) -> None:
    page = browser
    shown(page, tasks)
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no network")
    assert "no valid ONNX file" in uploaded(page, wrong, "wrong")
    find(page, "#upload-model").send_keys(str(wrong))
    find(page, "#upload-first [name=name]").send_keys("boxes")
    find(page, "#upload-start").click()
    until(page, lambda: "there is a model 'boxes' already" in text(page, "error"))
    find(page, "[data-upload=wrong] button").click()
    until(page, lambda: not find_all(page, "[data-upload=wrong]"))


def test_how_uploads_are_allowed_is_told(page: Any) -> None:
    page.execute_script("document.getElementById('networks').scrollIntoView()")
    find(page, "#networks > details > summary").click()
    until(page, lambda: "CONVLENS_UPLOADED_MODELS_BYTES" in text(page, "upload-reason"))
    assert not find(page, "#upload-form").is_displayed()
