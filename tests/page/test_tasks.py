"""Networks of all tasks on the page: boxes, regions and values that one can press to have them explained."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.api.drawings import DISC, SIZE, SQUARE, drawn
from tests.conftest import Server
from tests.page.browser import (
    ARTIFACTS,
    caption,
    errors,
    find,
    find_all,
    npy,
    open_details,
    open_page,
    text,
    until,
    upload,
    violations,
)
from tests.page.browser import drawn as pixels
from tests.page.test_sharing import RAW, codes, run_shell


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shapes") / "shapes.png"
    path.write_bytes(drawn())
    return path


def opened(page: Any, tasks: Server, model: str, photo: Path | None = None) -> None:
    """The page with a network of another task, and a photograph of one's own."""
    page.set_window_size(1200, 1000)
    page.get("about:blank")
    page.get(f"{tasks.url}/?model={model}")
    until(page, lambda: page.execute_script("return document.getElementById('stage').ariaBusy") == "false")
    if photo:
        upload(page, photo)
        caption(page, "Bright is")
    page.get_log("browser")


def listed(page: Any) -> list[str]:
    return [button.find_element("css selector", ".name").text for button in find_all(page, "#top .class")]


def map_of(tasks: Server, shapes: Path, **parameters: object) -> Any:
    answer = tasks.client.post(
        "/saliency",
        params={"method": "grad_cam", **parameters},
        files={"image": shapes.read_bytes()},
        headers={"Accept": "application/x-npy"},
    )
    assert answer.status_code == 200, answer.text
    return npy(answer.content)


def lit(page: Any) -> tuple[float, float]:
    """The middle of what is bright, in pixels of the photograph."""
    heat = pixels(page)[..., 3].astype(float) ** 2
    rows, columns = np.indices(heat.shape)
    height, width = heat.shape
    return (
        float((heat * columns).sum() / heat.sum()) * SIZE[0] / width,
        float((heat * rows).sum() / heat.sum()) * SIZE[1] / height,
    )


def is_in(place: tuple[float, float], box: tuple[int, int, int, int], margin: int = 20) -> bool:
    (x, y), (left, upper, right, lower) = place, box
    return left - margin <= x <= right + margin and upper - margin <= y <= lower + margin


def press(page: Any, x: float, y: float) -> None:
    """Click a place of the photograph."""
    stage = find(page, "#stage")
    across, down = (x / SIZE[0] - 0.5) * stage.size["width"], (y / SIZE[1] - 0.5) * stage.size["height"]
    ActionChains(page).move_to_element_with_offset(stage, round(across), round(down)).click().perform()


def test_boxes_are_drawn_and_explained_when_pressed(browser: Any, tasks: Server, shapes: Path) -> None:
    page = browser
    opened(page, tasks, "boxes", shapes)
    answer = tasks.client.post("/predict", params={"model": "boxes"}, files={"image": shapes.read_bytes()}).json()
    found = answer["data"][0]["objects"]
    assert listed(page) == [one["name"] for one in found]
    stage, boxes = find(page, "#stage").rect, find_all(page, "#boxes button")
    for box in boxes:
        one = found[int(box.get_attribute("data-target").split(":")[1])]
        assert box.rect["x"] - stage["x"] == pytest.approx(one["box"][0] / SIZE[0] * stage["width"], abs=1)
        assert box.rect["height"] == pytest.approx((one["box"][3] - one["box"][1]) / SIZE[1] * stage["height"], abs=1)
    assert is_in(lit(page), DISC)  # the most likely one is red
    blue = next(k for k, one in enumerate(found) if one["name"] == "blue")
    find(page, f"#boxes [data-target='detection:{blue}']").send_keys(Keys.ENTER)
    caption(page, "finds blue")
    assert is_in(lit(page), SQUARE)
    assert f"target=detection%3A{blue}" in page.current_url
    assert violations(page) == []
    page.save_screenshot(str(ARTIFACTS / "boxes.png"))
    # The thumb of the divide is above the boxes; it has moved to the left of the first one, which was explained.
    at = float(find(page, "#divide").get_attribute("value")) / 100
    assert at < found[0]["box"][0] / SIZE[0]
    ActionChains(page).move_to_element_with_offset(
        find(page, "#stage"), round((at - 0.5) * stage["width"]), 0
    ).click_and_hold().move_by_offset(round(0.3 * stage["width"]), 0).release().perform()
    assert float(find(page, "#divide").get_attribute("value")) == pytest.approx(100 * at + 30, abs=1)
    assert errors(page) == []


def test_sides_and_contrasts_of_boxes(browser: Any, tasks: Server, shapes: Path, tmp_path: Path) -> None:
    page = browser
    opened(page, tasks, "boxes", shapes)
    find(page, "#sides button:nth-of-type(2)").click()
    caption(page, "Bright is what speaks for red, right edge.")
    assert listed(page)[-1] == "red, right edge"
    assert "target=detection%3A0.right" in page.current_url
    find_all(page, "#top .class")[0].click()
    caption(page, "finds red")
    second = listed(page).index("blue")
    find_all(page, "#top .versus")[second].click()
    caption(page, "What speaks for red rather than for blue.")
    wanted = f"detection:0 - detection:{second}"
    (tmp_path / "shapes.png").write_bytes(shapes.read_bytes())
    run_shell(codes(page, "#code")[RAW], tmp_path)
    expected = map_of(tasks, shapes, model="boxes", target=wanted)
    assert np.array_equal(np.load(tmp_path / "map.npy"), expected)


def test_regions_are_coloured_and_explained_when_pressed(browser: Any, tasks: Server, shapes: Path) -> None:
    page = browser
    opened(page, tasks, "colours", shapes)
    assert listed(page) == ["blue", "red", "nothing"]
    mask = pixels(page, "mask")
    assert mask.shape == (64, 64, 4)
    tint = {
        name: find_all(page, "#top .tint")[k].value_of_css_property("background-color")
        for k, name in enumerate(listed(page))
    }
    at = mask[55 * 64 // SIZE[1], 35 * 64 // SIZE[0], :3]
    wanted = [int(part) for part in re.findall(r"\d+", tint["red"])[:3]]
    assert np.abs(at.astype(int) - wanted).max() <= 2  # a canvas rounds colours that are not opaque
    for x, y, name, box in ((150, 85, "blue", SQUARE), (35, 55, "red", DISC)):
        press(page, x, y)
        caption(page, f"sees {name} on")
        assert is_in(lit(page), box)
    assert "target=region%3A1" in page.current_url
    assert violations(page) == []
    page.save_screenshot(str(ARTIFACTS / "regions.png"))
    assert errors(page) == []


def test_a_link_opens_a_target(browser: Any, tasks: Server) -> None:
    page = browser
    opened(page, tasks, "colours")
    page.get(f"{tasks.url}/?photo=coffee&model=colours&method=gradient&target=region:0%20-%200.5*region:1")
    caption(page, "What speaks for nothing rather than for 0.5*region:1.")
    assert page.current_url.count("target=region%3A0+-+0.5*region%3A1") == 1
    page.get(f"{tasks.url}/?model=colours&target=nonsense")
    until(page, lambda: "a target is a sum of" in text(page, "error"))


def test_similar_samples(browser: Any, tasks: Server, tmp_path: Path) -> None:
    page = browser
    opened(page, tasks, "vectors")
    caption(page, "similar to")
    assert len(listed(page)) == 5
    last = listed(page)[-1]
    find_all(page, "#top .class")[-1].click()
    caption(page, f"similar to {last}")
    assert f"other={last}" in page.current_url
    address, said, seen = page.current_url, text(page, "caption"), pixels(page)
    samples = Path(__file__).parents[2] / "service/static/samples"
    for name in ("cat", last):
        (tmp_path / f"{name}.jpg").write_bytes((samples / f"{name}.jpg").read_bytes())
    run_shell(codes(page, "#code")[RAW], tmp_path)
    assert np.load(tmp_path / "map.npy").any()
    open_page(page, address)
    assert text(page, "caption") == said
    assert (pixels(page) == seen).all()


@pytest.mark.parametrize(
    ("model", "title", "said"),
    [("numbers", "Numbers", "what raises it"), ("several", "What applies, from 50 % on", "says class")],
)
def test_numbers_and_several_classes(browser: Any, tasks: Server, model: str, title: str, said: str) -> None:
    page = browser
    opened(page, tasks, model)
    caption(page, said)
    assert text(page, "top-title") == title
    find_all(page, "#top .class")[2].click()
    caption(page, f"says {listed(page)[2]}")
    assert "class_id=" in page.current_url


def test_nothing_is_found(browser: Any, tasks: Server) -> None:
    page = browser
    opened(page, tasks, "boxes")
    until(page, lambda: text(page, "caption") == "The network finds no object here. Try another picture.")
    assert not find(page, "#heat").is_displayed()
    assert "model=boxes" in page.current_url
    find(page, "#report").click()
    assert errors(page) == []


def test_what_takes_too_long_becomes_a_job(browser: Any, tasks: Server, shapes: Path) -> None:
    page = browser
    opened(page, tasks, "several", shapes)
    Select(find(page, "#method")).select_by_visible_text("smoothgrad")
    caption(page, "Bright is")
    open_details(page, "parameters")
    find(page, "#parameters [name=samples]").send_keys("100", Keys.TAB)
    until(page, lambda: "send it with mode=job" in text(page, "error"))
    find(page, "#as-job").click()
    caption(page, "Bright is")
    assert not find(page, "#as-job").is_displayed()
    (job,) = tasks.client.get("/visualize").json()["data"]
    assert job["kind"] == "saliency"
    heat = npy(tasks.client.get(job["links"]["artifacts"]["map.npy"]).content)
    assert pixels(page).shape[:2] == heat.shape
    assert errors(page) == []
