"""The page speaks English and Chinese: all of it, and each with its own file alone."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Server
from tests.page.browser import ARTIFACTS, awaited, caption, errors, find, find_all, text, until, violations

TEXTS = """
    const { default: texts } = await import(`/static/${given[0]}.js`);
    return Object.fromEntries(Object.entries(texts).map(([name, words]) => [name, JSON.stringify(words)]))"""
FORMS = ("/visualize", "/models")
NOT_ASKED = ("kind", "model", "preview_every")  # by a field of the page; nor are files
PROSE = re.compile(r"[A-Za-z]{3,}\s+[A-Za-z]{2,}")
# Text outside of what is marked as English, of code, and of names of things.
SHOWN = """
    const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const { parentElement: parent, textContent: text } = walk.currentNode;
      if (!parent.closest("[lang=en], code, pre, noscript, option, .name, .column")) found.push(text);
    }
    for (const one of document.querySelectorAll("[aria-label], [title], [placeholder], [alt]")) {
      if (!one.closest("[lang=en]"))
        found.push(...["aria-label", "title", "placeholder", "alt"].map((name) => one.getAttribute(name) ?? ""));
    }
    return found"""


@pytest.fixture
def chinese(browser: Any, page_server: Server) -> Iterator[Any]:
    """The page as someone sees it whose browser prefers Chinese."""
    agent = browser.execute_script("return navigator.userAgent")
    browser.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": "zh-CN,zh"})
    browser.set_window_size(1200, 1600)
    browser.get("about:blank")
    browser.get(page_server.url)
    caption(browser, "越亮的地方")
    browser.get_log("browser")
    yield browser
    browser.execute_script("localStorage.clear()")
    browser.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": "en-US,en"})


class Said:
    """What the service says of itself, which a language may have its own words for.

    needed: names of the texts that a language needs. possible: those that it may have besides.
    """

    def __init__(self, server: Server) -> None:
        get = server.client.get
        paths = get("/openapi.json").json()["paths"]
        form = {path: paths[path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"] for path in FORMS}
        kinds = {one["properties"]["kind"]["const"]: one["properties"] for one in form["/visualize"]["oneOf"]}
        methods = get("/methods").json()
        metrics = [metric["name"] for metric in get("/evaluate/metrics").json()]
        owners = {m["name"]: m["parameters"] for m in methods} | kinds | {"upload": form["/models"]["properties"]}
        asked = [
            (owner, name)
            for owner, taken in owners.items()
            for name, schema in taken.items()
            if name not in NOT_ASKED and "binary" not in str(schema)
        ]
        self.parameters = [(f"about.{owner}.{name}", f"about.{name}") for owner, name in asked]
        self.needed = {
            "reading",
            *(f"method.{m['name']}" for m in methods),
            *(f"warning.{m['name']}" for m in methods if m["warning"]),
            *(f"metric.{name}{part}" for name in metrics for part in ("", ".limits")),
            *(f"kind.{kind}{part}" for kind in kinds for part in ("", ".line")),
            *(f"field.{name}" for _, name in asked),
        }
        self.possible = self.needed | {name for names in self.parameters for name in names}


def test_both_languages_have_the_same_texts_with_the_same_places(page: Any, page_server: Server) -> None:
    english, chinese = (awaited(page, TEXTS, name) for name in ("english", "chinese"))
    # What the service says is English already; a language has its own words for all of that, and for nothing else.
    said = Said(page_server)
    assert said.needed - chinese.keys() == set()
    assert [name for name, of_all in said.parameters if not {name, of_all} & chinese.keys()] == []
    assert chinese.keys() - english.keys() - said.possible == set()
    assert english.keys() - chinese.keys() == set()
    for name, words in english.items():
        assert sorted(re.findall(r"\{\w+\}", words)) == sorted(re.findall(r"\{\w+\}", chinese[name])), name
        assert words == chinese[name] or not PROSE.search(re.sub(r"\{\w+\}", "", chinese[name])), name


def test_no_english_remains_in_the_chinese_view(chinese: Any, page_server: Server) -> None:
    page = chinese
    assert page.execute_script("return document.documentElement.lang") == "zh-Hans"
    page.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for section in ("layers", "networks", "history"):
        page.execute_script("document.getElementById(arguments[0]).scrollIntoView()", section)
    until(page, lambda: find_all(page, "#networks-list dd") and find_all(page, "#strip button"))
    until(page, lambda: text(page, "upload-reason"))
    title = page_server.client.get("/models").json()[0]["title"]
    classes = [one.text for one in find_all(page, ".top .name")]
    names = re.compile("|".join(re.escape(name) for name in (title, *classes)))
    found = [words.strip() for words in page.execute_script(SHOWN)]
    assert [words for words in found if PROSE.search(names.sub("", words))] == []
    page.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = false; }); scrollTo(0, 0)")
    assert violations(page) == []
    page.save_screenshot(str(ARTIFACTS / "chinese.png"))
    loaded = page.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert any(name.endswith("/chinese.js") for name in loaded)
    assert not any(name.endswith("/english.js") for name in loaded)
    assert errors(page) == []


def test_the_language_is_chosen(chinese: Any) -> None:
    page = chinese
    until(page, lambda: find(page, "#language").get_attribute("value") == "zh-Hans")
    find(page, "#language").send_keys("English")
    caption(page, "Bright is")
    assert page.execute_script("return document.documentElement.lang") == "en"
    page.refresh()
    caption(page, "Bright is")
    find(page, "#language option[value=zh-Hans]").click()
    caption(page, "越亮的地方")
