"""Methods on the page: by family, with parameters, compared."""

from typing import Any

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.conftest import Server
from tests.page.browser import ARTIFACTS, caption, drawn, errors, find, find_all, open_details, text, until, violations


def choose(page: Any, method: str) -> None:
    Select(find(page, "#method")).select_by_visible_text(method)
    caption(page, "Bright is")


def test_all_methods_by_family_with_when_to_use_them(page: Any, page_server: Server) -> None:
    methods = page_server.client.get("/methods").json()
    families = {group.get_attribute("label") for group in find_all(page, "#method optgroup")}
    assert len(families) == len({m["family"] for m in methods})
    assert not any(label in {m["family"] for m in methods} - {"attention"} for label in families)  # they have titles
    assert {option.text for option in Select(find(page, "#method")).options} == {m["name"] for m in methods}
    find(page, "#all-methods > summary").click()
    cards = {card.find_element("css selector", "button").text: card.text for card in find_all(page, "#families li")}
    assert all(m["when"].replace("`", "") in cards[m["name"]] for m in methods)
    assert all(line.text for line in find_all(page, "#families section > .quiet"))
    find(page, "#families button[aria-label='Use lrp']").click()
    until(page, lambda: Select(find(page, "#method")).first_selected_option.text == "lrp")
    caption(page, "Egyptian cat")
    assert errors(page) == []


def test_a_layer_is_chosen(page: Any) -> None:
    choose(page, "layer_cam")
    assert "LayerCAM" in text(page, "summary")
    before = drawn(page)
    until(page, lambda: len(find_all(page, "#parameters [name=layer] option")) > 5)
    open_details(page, "parameters")
    Select(find(page, "#parameters [name=layer]")).select_by_value("fire3")
    until(page, lambda: (drawn(page) != before).any())
    assert errors(page) == []


def test_parameters_come_from_their_schema(page: Any, page_server: Server) -> None:
    choose(page, "smoothgrad")
    open_details(page, "parameters")
    schema = next(m for m in page_server.client.get("/methods").json() if m["name"] == "smoothgrad")["parameters"]
    assert [f.get_attribute("name") for f in find_all(page, "#parameters [name]")] == list(schema)
    samples = find(page, "#parameters [name=samples]")
    assert samples.get_attribute("max") == str(schema["samples"]["maximum"])
    assert samples.get_attribute("placeholder") == "25"
    before = drawn(page)
    samples.send_keys("3", Keys.TAB)
    until(page, lambda: (drawn(page) != before).any())
    choose(page, "occlusion")
    assert find(page, "#parameters [name=fill]").tag_name == "select"
    assert errors(page) == []


def test_a_warning_is_told(page: Any) -> None:
    choose(page, "guided_backprop")
    caption(page, "fails the sanity checks")


def test_methods_that_the_network_cannot_serve_say_so(page: Any) -> None:
    Select(find(page, "#method")).select_by_visible_text("attention_rollout")
    until(page, lambda: "attention" in text(page, "error"))
    assert text(page, "caption") == "No map."
    assert not find(page, "#heat").is_displayed()
    choose(page, "gradient")
    assert find(page, "#heat").is_displayed()


def test_methods_are_compared_for_several_classes(page: Any) -> None:
    open_details(page, "compared")
    for box in find_all(page, "#compared input:checked"):
        if box.get_attribute("value") not in ("grad_cam", "lrp"):
            box.click()
    find(page, "#compare-start").click()
    until(page, lambda: len(find_all(page, "#grid img")) == 2 * 3)
    assert "lrp" in [row.text for row in find_all(page, "#grid .row")]
    until(page, lambda: text(page, "compare-status") == "Done.")
    head = [cell.text for cell in find_all(page, "#metrics thead th")]
    assert sorted(head[1:3]) == ["grad_cam", "lrp"]
    assert head[3:] == ["random map", "edges"]
    assert len(find_all(page, "#metrics td.best")) >= 5
    assert "none tells that a map is right" in text(page, "metrics")
    assert violations(page) == []
    page.execute_script("document.getElementById('compare').scrollIntoView()")
    page.save_screenshot(str(ARTIFACTS / "comparison.png"))
    assert errors(page) == []
