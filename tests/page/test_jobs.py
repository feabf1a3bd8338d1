"""Jobs on the page: every kind is drawn, watched, cancelled, drawn again, found and deleted."""

from typing import Any

import pytest
from selenium.webdriver.common.by import By

from tests.conftest import Server
from tests.page.browser import ARTIFACTS, errors, find, find_all, open_details, text, until, violations
from tests.waiting import eventually

# Few steps and small pictures: what is tested is the page.
SMALL: dict[str, dict[str, object]] = {
    "class": {"iterations": 12, "size": 64, "class_id": "tarantula"},
    "neuron": {"iterations": 12, "size": 64, "channel": 5},
    "fooling": {"iterations": 30, "size": 64, "class_id": "tiger cat"},
    "inversion": {"iterations": 12, "size": 64},
    "caricature": {"iterations": 12, "size": 64},
    "deepdream": {"steps_per_octave": 4, "octaves": 2, "size": 64},
    "style": {"iterations": 12, "size": 64},
    "target": {"iterations": 12, "size": 64, "target": "layer:fire5[20]"},
}
CARD = "#sheet .job"

pytestmark = pytest.mark.usefixtures("no_jobs")


def fields(page: Any) -> list[str]:
    return [str(field.get_attribute("name")) for field in find_all(page, "#make-form [name]")]


def choose_kind(page: Any, kind: str, **values: object) -> None:
    until(page, lambda: "class_id" in fields(page))  # the first kind is offered
    find(page, f"[data-kind={kind}]").click()
    until(page, lambda: {*SMALL[kind]} <= {*fields(page)})
    open_details(page, "make-more")
    for name, value in values.items():
        control = find(page, f"#make-form [name={name}]")
        control.clear()
        control.send_keys(str(value))


def start(page: Any) -> None:
    find(page, "#make-start").click()
    until(page, lambda: find_all(page, CARD))


def progress(page: Any, part: str, card: str = CARD) -> None:
    until(page, lambda: part in find(page, f"{card} .progress").text)


@pytest.mark.parametrize("kind", SMALL)
def test_every_kind_is_drawn_and_watched(page: Any, page_server: Server, kind: str) -> None:
    assert find(page, f"[data-kind={kind}] img").get_attribute("src").endswith(f"/static/kinds/{kind}.jpg")
    choose_kind(page, kind, **SMALL[kind])
    start(page)
    progress(page, "Done.")
    (job,) = page_server.client.get("/visualize").json()["data"]
    assert job["kind"] == kind
    assert job["state"] == "succeeded"
    until(page, lambda: page.execute_script("return document.querySelector('.picture img.here').naturalWidth") >= 64)
    assert page.execute_script("return document.querySelector('.picture').lastChild.src").endswith(
        job["links"]["image"]
    )
    trace = page_server.client.get(job["links"]["self"]).json()["trace"]
    assert find(page, f"{CARD} .chart .score").get_attribute("points").count(",") == len(trace) > 1
    named = {link.text for link in find_all(page, f"{CARD} .links a")}
    assert {"Download PNG", *job["links"]["artifacts"]} <= named
    until(page, lambda: len(find_all(page, "#jobs img")) == 1)
    assert violations(page) == []
    page.save_screenshot(str(ARTIFACTS / f"job-{kind}.png"))
    assert errors(page) == []


def test_the_kinds_are_those_of_the_service(page: Any, page_server: Server) -> None:
    content = page_server.client.get("/openapi.json").json()["paths"]["/visualize"]["post"]["requestBody"]["content"]
    kinds = {s["properties"]["kind"]["const"] for s in content["multipart/form-data"]["schema"]["oneOf"]}
    assert {card.get_attribute("data-kind") for card in find_all(page, "#kinds button")} == kinds


def test_a_class_grows_with_previews_score_and_rank(page: Any) -> None:
    choose_kind(page, "class", iterations=60, size=64)
    start(page)
    progress(page, "rank")
    until(page, lambda: find_all(page, ".picture img"))
    progress(page, "Done. The network sees ")
    assert find(page, f"{CARD} .chart .rank").get_attribute("points").count(",") > 3
    assert "score, rank" in find(page, f"{CARD} .chart").text
    until(page, lambda: len(find_all(page, ".picture img")) == 1)  # the earlier ones have faded
    find(page, f"{CARD} .links").find_element(By.XPATH, "//button[text()='Play its animation']").click()
    until(page, lambda: page.execute_script("return document.querySelector('.picture').lastChild.src.includes('webp')"))
    assert errors(page) == []


def test_several_classes_make_a_sheet(page: Any, page_server: Server) -> None:
    choose_kind(page, "class", iterations=12, size=64, class_id="tarantula; hourglass; daisy; digital clock; 281")
    start(page)
    until(page, lambda: [p.text[:5] for p in find_all(page, f"{CARD} .progress")] == ["Done."] * 5)
    names = [title.text for title in find_all(page, f"{CARD} h3")]
    assert names == [
        f"class: {name}" for name in ("tarantula", "hourglass", "daisy", "digital clock", "tabby, tabby cat")
    ]
    assert len({job["batch"] for job in page_server.client.get("/visualize").json()["data"]}) == 1


def test_a_drawing_is_cancelled_and_keeps_its_picture(page: Any) -> None:
    choose_kind(page, "class", iterations=4000, size=64, class_id="hourglass")
    start(page)
    progress(page, "step")
    until(page, lambda: find_all(page, ".picture img"))
    page.find_element(By.XPATH, "//article//button[text()='Cancel']").click()
    progress(page, "Cancelled.")
    assert not page.find_element(By.XPATH, "//article//button[text()='Cancel']").is_displayed()
    until(page, lambda: page.execute_script("return document.querySelector('.picture').lastChild.naturalWidth") == 64)


@pytest.mark.parametrize("kind", ["class", "style"])
def test_again_with_another_seed(page: Any, page_server: Server, kind: str) -> None:
    choose_kind(page, kind, **SMALL[kind], seed=7)
    start(page)
    progress(page, "Done.")
    first = find(page, CARD).get_attribute("id")
    page.find_element(By.XPATH, "//article//button[text()='Again with another seed']").click()
    until(page, lambda: find(page, CARD).get_attribute("id") != first)
    progress(page, "Done.")
    new, old = (job["parameters"] for job in page_server.client.get("/visualize").json()["data"])
    assert old["seed"] == 7 != new["seed"]
    assert {k: v for k, v in new.items() if k != "seed"} == {k: v for k, v in old.items() if k != "seed"}


def test_the_history_opens_filters_and_deletes(page: Any, page_server: Server) -> None:
    for kind in ("class", "neuron"):
        choose_kind(page, kind, **SMALL[kind])
        start(page)
        progress(page, "Done.")
    until(page, lambda: len(find_all(page, "#jobs img")) == 2)
    find(page, "#history-kind").send_keys("class")
    until(page, lambda: len(find_all(page, "#jobs li")) == 1)
    find(page, "#jobs .open").click()
    until(page, lambda: find(page, f"{CARD} h3").text == "class: tarantula")
    progress(page, "Done.")
    assert find(page, f"{CARD} .chart .score").get_attribute("points").count(",") > 3
    find(page, "#jobs .remove").click()
    until(page, lambda: text(page, "jobs") == "Nothing has been drawn yet.")
    assert find_all(page, CARD) == []
    left = eventually(lambda: page_server.client.get("/visualize").json()["data"], lambda jobs: len(jobs) == 1)
    assert left[0]["kind"] == "neuron"


def test_jobs_that_are_left_take_no_connection_from_others(page: Any) -> None:
    choose_kind(page, "class", iterations=4000, size=64, class_id="0; 1; 2; 3; 4; 5")
    start(page)
    until(page, lambda: sum("step" in p.text for p in find_all(page, f"{CARD} .progress")) == 4)
    until(page, lambda: len(find_all(page, "#jobs .open")) == 6)
    find_all(page, "#jobs .open")[5].click()  # the first one
    until(page, lambda: len(find_all(page, CARD)) == 1)
    progress(page, "step")


def test_what_a_job_lacks_is_told_in_words(page: Any) -> None:
    choose_kind(page, "class", class_id="unicorn")
    find(page, "#make-start").click()
    until(page, lambda: text(page, "error") == "No class has “unicorn” in its name.")
    choose_kind(page, "neuron", channel=100000)
    find(page, "#make-start").click()
    until(page, lambda: "channel" in text(page, "error"))
