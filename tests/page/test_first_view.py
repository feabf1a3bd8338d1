"""The first view: a photograph that is explained at once, and what one can do with it."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.conftest import PHOTOGRAPHS, Server
from tests.page.browser import (
    ARTIFACTS,
    awaited,
    caption,
    drawn,
    errors,
    find,
    find_all,
    npy,
    open_details,
    sample,
    text,
    until,
    upload,
)

CAT = (Path(__file__).parents[2] / "service/static/samples/cat.jpg").read_bytes()
EGYPTIAN_CAT, TIGER_CAT = 285, 282


def pressed(page: Any, selector: str) -> list[bool]:
    return [button.get_attribute("aria-pressed") == "true" for button in find_all(page, selector)]


def raw_map(server: Server, **parameters: object) -> Any:
    """The map of the cat, as the service gives it."""
    headers = {"Accept": "application/x-npy"}
    answer = server.client.post(
        "/saliency", params={"method": "grad_cam", **parameters}, files={"image": CAT}, headers=headers
    )
    assert answer.status_code == 200
    return npy(answer.content)


def test_the_first_view_is_a_computed_result(page: Any) -> None:
    assert "SqueezeNet 1.1, ImageNet says Egyptian cat: 65.7 %." in text(page, "caption")
    assert len(find_all(page, "#top li")) == 5
    assert pressed(page, ".class") == [True, False, False, False, False]
    assert drawn(page)[..., 3].max() > 200
    assert page.execute_script("return document.getElementById('photo').naturalWidth") == 451
    assert len(find_all(page, "#samples img")) == 6
    assert find(page, "[data-sample=cat]").get_attribute("aria-pressed") == "true"
    page.save_screenshot(str(ARTIFACTS / "first.png"))
    assert errors(page) == []


@pytest.mark.parametrize("colormap", ["inferno", "turbo"])
@pytest.mark.parametrize("smoothing", [0, 1.5])
def test_the_page_draws_what_the_service_draws(page: Any, page_server: Server, colormap: str, smoothing: float) -> None:
    open_details(page, "colormap")
    Select(find(page, "#colormap")).select_by_visible_text(colormap)
    Select(find(page, "#output")).select_by_value("heatmap")
    page.execute_script(
        "const s = document.getElementById('smoothing'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))",
        smoothing,
    )
    parameters = {"method": "grad_cam", "output": "heatmap", "colormap": colormap, "smoothing": smoothing}
    answer = page_server.client.post(
        "/saliency", params=parameters, files={"image": CAT}, headers={"Accept": "image/png"}
    )
    expected = Image.open(io.BytesIO(answer.content))
    colours = np.array(expected.getpalette(), np.uint8).reshape(-1, 3)
    shown = drawn(page)
    assert (shown[..., 3] == 255).all()
    level = np.asarray(expected).astype(int)
    # Sums in another order may round to the next level.
    near = [(shown[..., :3] == colours[(level + step).clip(0, 255)]).all(axis=-1) for step in (-1, 0, 1)]
    assert np.any(near, axis=0).all()
    assert near[1].mean() > 0.99


def test_the_colours_are_those_of_the_service(page: Any, page_server: Server) -> None:
    script = "const { COLORMAPS, palette } = await import('/static/palettes.js');"
    own = awaited(page, script + "return Object.fromEntries(COLORMAPS.map((name) => [name, [...palette(name)]]))")
    described = page_server.client.get("/openapi.json").text
    assert all(f'"{name}"' in described for name in own)
    for name, colours in own.items():
        parameters, headers = {"output": "heatmap", "colormap": name}, {"Accept": "image/png"}
        answer = page_server.client.post("/saliency", params=parameters, files={"image": CAT}, headers=headers)
        assert Image.open(io.BytesIO(answer.content)).getpalette() == colours


def test_a_photograph_of_ones_own(page: Any) -> None:
    upload(page, PHOTOGRAPHS / "chelsea.png")
    caption(page, "Egyptian cat: 64.3 %")
    assert len(find_all(page, ".class")) == 5
    assert not any(pressed(page, "#samples button"))
    assert find(page, "#photo").get_attribute("alt") == "The photograph: chelsea.png"
    sample(page, "coffee")
    caption(page, "espresso")
    assert errors(page) == []


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_pictures_are_pasted_and_dropped_anywhere(page: Any, how: str) -> None:
    script = """
      const [how] = given;
      const blob = await (await fetch('static/samples/rocket.jpg')).blob();
      const data = new DataTransfer();
      data.items.add(new File([blob], 'mine.jpg', { type: 'image/jpeg' }));
      const events = { paste: () => new ClipboardEvent('paste', { clipboardData: data, bubbles: true }),
                       drop: () => new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }) };
      document.getElementById('caption').dispatchEvent(events[how]());
    """
    awaited(page, script, how)
    caption(page, "says pole")
    assert find(page, "#photo").get_attribute("alt") == "The photograph: mine.jpg"
    assert errors(page) == []


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        ("setData('text/uri-list', 'https://example.org/cat.jpg')", "There is no file in what was dropped"),
        ("items.add(new File(['words'], 'words.txt', { type: 'text/plain' }))", "not an image that can be decoded"),
    ],
)
def test_what_is_no_picture_is_told_in_words(page: Any, fill: str, told: str) -> None:
    page.execute_script(
        f"""const data = new DataTransfer();
        data.{fill};
        document.body.dispatchEvent(new DragEvent('drop', {{ dataTransfer: data, bubbles: true, cancelable: true }}))"""
    )
    until(page, lambda: told in text(page, "error"))
    caption(page, "Egyptian cat")
    assert errors(page) == []


@pytest.mark.parametrize("size", [(4000, 20), (20, 4000), (1, 1)])
def test_pictures_of_all_proportions_can_be_seen(page: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    Image.effect_noise(size, 50).save(tmp_path / "strip.png")
    upload(page, tmp_path / "strip.png")
    until(page, lambda: find(page, "#photo").get_attribute("alt") == "The photograph: strip.png")
    stage = find(page, "#stage").size
    assert min(stage.values()) >= 44  # the thumb of the divide
    assert max(stage.values()) <= 1200


def test_the_divide_is_dragged_and_moved_by_keys(page: Any) -> None:
    def covered() -> str:
        return str(find(page, ".divided").value_of_css_property("clip-path"))

    divide, stage = find(page, "#divide"), find(page, "#stage")
    width = stage.size["width"]
    assert covered() == "inset(0px 0px 0px 40%)"
    start = round(-0.1 * width)
    ActionChains(page).move_to_element_with_offset(stage, start, 0).click_and_hold().move_by_offset(
        round(0.3 * width), 0
    ).release().perform()
    at = float(covered().split()[-1].rstrip("%)"))
    assert abs(at - 70) < 0.5
    divide.send_keys(Keys.HOME)
    assert covered().endswith(" 0%)")
    divide.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert covered().endswith(" 2%)")


def test_the_value_under_the_cursor_is_that_of_the_raw_map(page: Any, page_server: Server) -> None:
    stage = find(page, "#stage")
    width, height = stage.size["width"], stage.size["height"]
    ActionChains(page).move_to_element_with_offset(stage, round(0.11 * width), round(-0.2 * height)).perform()
    values = raw_map(page_server)
    found = awaited(
        page,
        """const { left, top, width, height } = document.getElementById('stage').getBoundingClientRect();
        const text = document.getElementById('readout').textContent;
        return { text, x: (given[0] - left) / width, y: (given[1] - top) / height }""",
        stage.rect["x"] + width // 2 + round(0.11 * width),
        stage.rect["y"] + height // 2 + round(-0.2 * height),
    )
    rows, columns = values.shape
    place = values[int(found["y"] * rows), int(found["x"] * columns)]
    value = float(found["text"].split(": ")[1].split(",")[0])
    assert value == pytest.approx(place, rel=0.005)
    assert found["text"].startswith(f"x {int(found['x'] * 451)}, y {int(found['y'] * 300)}:")


def test_pointing_at_a_class_shows_its_map_at_once(page: Any) -> None:
    until(page, lambda: "prefetched" in page.execute_script("return document.getElementById('top').className"))
    before = drawn(page)
    page.execute_script("performance.clearResourceTimings()")
    tiger = find_all(page, ".class")[1]
    ActionChains(page).move_to_element(tiger).perform()
    assert text(page, "shown") == "tiger cat"
    assert (drawn(page) != before).any()
    ActionChains(page).move_to_element(find(page, "h1")).perform()
    assert text(page, "shown") == "Egyptian cat"
    assert (drawn(page) == before).all()
    assert pressed(page, ".class") == [True, False, False, False, False]
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_another_class_is_chosen_by_click_and_by_name(page: Any) -> None:
    before = drawn(page)
    find_all(page, ".class")[1].click()
    caption(page, "says tiger cat: 23.8 %")
    assert pressed(page, ".class") == [False, True, False, False, False]
    assert (drawn(page) != before).any()
    field = find(page, "#any-class")
    field.send_keys("tarantula", Keys.ENTER)
    caption(page, "says tarantula: 0.0 %")
    assert len(find_all(page, ".class")) == 6
    field.clear()
    field.send_keys("unicorn", Keys.ENTER)
    until(page, lambda: text(page, "error") == "No class has “unicorn” in its name.")
    assert errors(page) == []


@pytest.mark.parametrize("how", ["button", "shift"])
def test_two_classes_are_set_against_each_other(page: Any, page_server: Server, how: str) -> None:
    if how == "button":
        find_all(page, ".versus")[1].click()
    else:
        ActionChains(page).key_down(Keys.SHIFT).click(find_all(page, ".class")[1]).key_up(Keys.SHIFT).perform()
    caption(page, "What speaks for Egyptian cat rather than for tiger cat.")
    ActionChains(page).move_to_element(find(page, "h1")).perform()
    contrast = raw_map(page_server, class_id=EGYPTIAN_CAT, other_class_id=TIGER_CAT)
    assert text(page, "shown") == "Egyptian cat vs tiger cat"
    # Positive values, smoothed, up to a percentile: below the greatest one.
    assert contrast.max() > float(text(page, "bar-high")) > 0.3 * contrast.max()
    find_all(page, ".versus")[1].click()
    caption(page, "says Egyptian cat")
    assert errors(page) == []


def test_one_scale_for_all_classes(page: Any) -> None:
    until(page, lambda: "prefetched" in page.execute_script("return document.getElementById('top').className"))
    open_details(page, "locked")
    find(page, "#locked").click()
    tops = set()
    for button in find_all(page, ".class"):
        ActionChains(page).move_to_element(button).perform()
        tops.add(text(page, "bar-high"))
    assert len(tops) == 1
    find(page, "#locked").click()
    for button in find_all(page, ".class"):
        ActionChains(page).move_to_element(button).perform()
        tops.add(text(page, "bar-high"))
    assert len(tops) == 5


def test_an_error_is_told_in_words_and_the_result_stays(page: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"no picture")
    upload(page, wrong)
    until(page, lambda: "not an image that can be decoded" in text(page, "error"))
    assert find(page, "#error").get_attribute("role") == "alert"
    caption(page, "Egyptian cat")
    assert find(page, "#photo").get_attribute("alt") == "The photograph: cat.jpg"
    # What happens by itself meanwhile, such as the end of a job, does not hide it.
    awaited(page, "(await import('/static/state.js')).changed('jobs'); await new Promise(requestAnimationFrame)")
    assert find(page, "#error").is_displayed()
    page.save_screenshot(str(ARTIFACTS / "error.png"))
    sample(page, "coffee")
    caption(page, "espresso")
    assert not find(page, "#error").is_displayed()


def test_a_picture_that_the_browser_cannot_show(page: Any, tmp_path: Path) -> None:
    Image.open(io.BytesIO(CAT)).save(tmp_path / "cat.tiff")
    upload(page, tmp_path / "cat.tiff")
    until(page, lambda: find(page, "#cannot-show").is_displayed())
    caption(page, "Egyptian cat: 65.7 %")
    assert not find(page, "#photo").is_displayed()
    assert (drawn(page)[..., 3] == 255).all()
