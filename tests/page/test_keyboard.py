"""One walk through the page by keyboard alone, at the widths of a phone, a tablet and a desktop.

At every key the focus is looked at: it is there, can be seen, is covered by nothing, and goes on as the picture does.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.api.drawings import drawn
from tests.conftest import Server
from tests.models.networks import classifier, write
from tests.page.browser import caption, errors, find, find_all, open_page, text, until, upload

WIDTHS = {"phone": 390, "tablet": 768, "desktop": 1280}
HEIGHT = 800
MOST_STOPS = 400  # of the focus, from one end of the page to the other
AT_ONCE = 8  # keys sent together; those behind the goal are ignored

# What is wrong with the focus as it is, and a look at it before each key.
WATCH = """
    const named = (e) => e.id ? `#${e.id}` : `${e.localName} “${(e.ariaLabel ?? e.textContent).trim().slice(0, 40)}”`;
    const seen = (e) => e.closest(".button") ?? e; // the input of a file is hidden behind its label
    const walk = window.walk = { faults: new Set(), goal: null, before: null, last: null, height: 0 };
    const inView = (e) => {
      const box = e.getBoundingClientRect();
      const [left, top] = [Math.max(box.left, 0), Math.max(box.top, 0)];
      const [right, bottom] = [Math.min(box.right, innerWidth), Math.min(box.bottom, innerHeight)];
      const enough = 0.9 * Math.min(box.height, 60); // of what is large, where it begins
      return bottom - top >= enough && right > left ? [(left + right) / 2, (top + bottom) / 2] : null;
    };
    const follows = (before, now) => {
      const a = seen(before).getBoundingClientRect(), b = seen(now).getBoundingClientRect();
      const sameRow = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5 * Math.min(a.height, b.height);
      if (sameRow) return b.right > a.left;
      return !(a.left < b.right && b.left < a.right) || b.bottom > a.top;
    };
    walk.look = () => {
      const now = document.activeElement, told = (what) => walk.faults.add(`${named(now)} ${what}`);
      if (now === null || now === document.body) {
        const isBeforeAll = walk.last === named(document.querySelector(".skip")); // the browser is there
        if (!isBeforeAll) walk.faults.add(`the focus is lost, last at ${walk.last}`);
        return;
      }
      const style = getComputedStyle(seen(now)), middle = inView(seen(now));
      const isThumb = now.id === "divide"; // whose ring no script can see
      if (!isThumb && (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2)) told("has no ring");
      const { scrollHeight } = document.documentElement;
      if (!middle && scrollHeight === walk.height) told("is out of view"); // else something arrived just now
      walk.height = scrollHeight;
      const above = middle && document.elementFromPoint(...middle);
      if (above && !seen(now).contains(above) && !above.contains(now) && !isThumb) told(`is under ${named(above)}`);
      if (document.documentElement.scrollWidth > innerWidth) told("is on a page that is wider than the window");
      const { before } = walk;
      if (before?.isConnected && before !== now && !follows(before, now))
        told(`comes after ${named(before)}`);
      walk.last = named(now);
    };
    addEventListener("keydown", (event) => {
      if (!["Tab", "Enter", " "].includes(event.key)) return;
      const now = document.activeElement;
      const arrived = event.key === "Tab" && walk.goal && now.matches(walk.goal);
      if (walk.last !== null || now !== document.body) walk.look();
      walk.before = event.key === "Tab" && !event.shiftKey ? now : null;
      if (arrived) event.preventDefault();
    }, true);
"""


class Walk:
    """Someone who has only a keyboard."""

    def __init__(self, page: Any) -> None:
        self.page = page
        page.execute_script(WATCH)

    def press(self, *keys: str) -> None:
        ActionChains(self.page).send_keys(*keys).perform()

    def goes_to(self, selector: str, back: bool = False) -> None:
        """With Tab alone, or with Shift and Tab."""
        self.page.execute_script("walk.goal = arguments[0]", selector)
        for _ in range(MOST_STOPS // AT_ONCE):
            keys = ActionChains(self.page)
            if back:
                keys.key_down(Keys.SHIFT)
            keys.send_keys(*[Keys.TAB] * AT_ONCE)
            if back:
                keys.key_up(Keys.SHIFT)
            keys.perform()
            if self.page.execute_script("return document.activeElement.matches(walk.goal)"):
                return
        pytest.fail(f"{selector} is not reached")

    def presses(self, selector: str, key: str = Keys.ENTER) -> None:
        self.goes_to(selector)
        self.press(key)

    @property
    def faults(self) -> str:
        return "\n".join(self.page.execute_script("walk.look(); return [...walk.faults]"))


@pytest.fixture(params=WIDTHS)
def narrow(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The browser at a width."""
    metrics = {"width": WIDTHS[request.param], "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def value(page: Any, selector: str) -> str:
    return str(find(page, selector).get_attribute("value"))


@pytest.mark.usefixtures("no_jobs")
def test_all_parts_are_reached_and_worked_by_keys(narrow: Any, page_server: Server, tmp_path: Path) -> None:
    page = narrow
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    open_page(page, page_server.url)
    page.get_log("browser")
    walk = Walk(page)
    _explains(page, walk)
    _shares(page, walk, tmp_path)
    _opens_layers(page, walk)
    if _is_narrowest(page):
        _compares(page, walk)
    walk.goes_to("#compare-start")
    _makes(page, walk)
    walk.presses("#networks-list button:last-of-type")
    assert page.execute_script("return document.activeElement.id") == "layers"
    walk.goes_to("#history-kind")
    walk.goes_to(".skip", back=True)
    assert walk.faults == ""
    assert errors(page) == []


def _is_narrowest(page: Any) -> bool:
    """Where there is least room; there all is done, elsewhere not what takes long."""
    return bool(page.execute_script("return innerWidth") == min(WIDTHS.values()))


def _explains(page: Any, walk: Walk) -> None:
    walk.presses("#divide", Keys.ARROW_RIGHT)
    assert float(value(page, "#divide")) == 41
    walk.presses("figure a[href='#code-box']")
    walk.goes_to("#code pre")
    walk.goes_to("[data-sample=coffee]", back=True)
    walk.press(Keys.ENTER)
    caption(page, "says espresso")
    walk.presses(".class[aria-pressed=false]")
    caption(page, "says cup")
    walk.presses(".versus:enabled", Keys.SPACE)
    caption(page, "What speaks for cup rather than")
    walk.press(Keys.SPACE)
    caption(page, "says cup")
    _is_told(page, walk)
    walk.presses("#method", Keys.ARROW_DOWN)
    until(page, lambda: value(page, "#method") != "grad_cam")
    caption(page, "says cup")


def _is_told(page: Any, walk: Walk) -> None:
    """What goes wrong, which is closed by keys."""
    walk.presses("#any-class", "unicorn" + Keys.ENTER)
    until(page, lambda: "unicorn" in text(page, "error"))
    walk.press(Keys.ESCAPE)
    assert not find(page, "#error").is_displayed()
    walk.press(Keys.ENTER)
    until(page, lambda: "unicorn" in text(page, "error"))
    walk.goes_to("#error-close", back=True)
    walk.press(Keys.ENTER)
    assert page.execute_script("return document.activeElement.id") == "any-class"


def _shares(page: Any, walk: Walk, downloads: Path) -> None:
    walk.presses("details:has(#colormap) > summary")
    walk.presses("#download")
    until(page, (downloads / "saliency.png").exists)
    walk.presses("#copy-link")
    until(page, lambda: text(page, "copied") == "Copied.")
    walk.presses("#code-box > summary")  # closed again
    if _is_narrowest(page):
        walk.presses("#all-methods > summary", Keys.SPACE)
        walk.presses("[aria-label='Use lrp']")
        until(page, lambda: value(page, "#method") == "lrp")
        caption(page, "says cup")
        walk.presses("#all-methods > summary", Keys.SPACE)


def _opens_layers(page: Any, walk: Walk) -> None:
    walk.presses("#strip button:not([data-layer=conv1])")
    until(page, lambda: find_all(page, "#maps button"))
    walk.presses("#all-channels")
    until(page, lambda: len(find_all(page, "#maps button")) > 36)
    walk.press(Keys.SPACE)
    until(page, lambda: find(page, "#channel-map").is_displayed())
    walk.goes_to("#excite")


def _compares(page: Any, walk: Walk) -> None:
    walk.presses("#compare details > summary")
    for name in ("smoothgrad", "integrated_gradients", "lrp", "layer_cam"):
        walk.presses(f"#compared [value={name}]", Keys.SPACE)
    walk.presses("#compare-start")
    until(page, lambda: len(find_all(page, "#grid img")) == 3)


def _makes(page: Any, walk: Walk) -> None:
    walk.presses("[data-kind=class]")
    until(page, lambda: value(page, "#make-form [name=class_id]") == "tarantula")
    walk.presses("#make-form summary")
    for name, typed in (("size", "64"), ("iterations", "4000")):
        walk.presses(f"#make-form [name={name}]", typed)
    walk.presses("#make-start")
    until(page, lambda: find_all(page, "#sheet .picture img"))
    walk.presses("#sheet .job .links button")
    until(page, lambda: "Cancelled." in find(page, "#sheet .progress").text)
    until(page, lambda: find_all(page, "#sheet .picture img.here"))
    walk.presses("#sheet .links summary")
    walk.goes_to("#sheet .links pre")
    walk.press(Keys.ENTER)  # does nothing
    walk.goes_to("#sheet .links > button:last-of-type", back=True)
    walk.press(Keys.ENTER)
    until(page, lambda: not find_all(page, "#sheet .job"))


def test_boxes_regions_and_networks_are_chosen_by_keys(narrow: Any, tasks: Server, tmp_path: Path) -> None:
    page, shapes = narrow, tmp_path / "shapes.png"
    shapes.write_bytes(drawn())
    page.get("about:blank")
    page.get(f"{tasks.url}/?model=boxes")
    until(page, lambda: find(page, "#stage").get_attribute("aria-busy") == "false")
    upload(page, shapes)
    caption(page, "finds red")
    page.get_log("browser")
    walk = Walk(page)
    walk.presses("#boxes [aria-label^='Explain blue']")
    caption(page, "finds blue")
    walk.presses("#sides button:nth-of-type(2)")
    caption(page, "blue, right edge")
    walk.presses("[data-model=colours] button")
    caption(page, "sees blue on")
    walk.presses("#top .class[aria-pressed=false]")
    caption(page, "sees red on")
    assert walk.faults == ""
    assert errors(page) == []


def test_a_network_is_added_by_keys(browser: Any, tasks: Server, tmp_path: Path) -> None:
    page = browser
    open_page(page, f"{tasks.url}/?model=several")
    walk = Walk(page)
    walk.presses("#networks > details > summary")
    until(page, lambda: find(page, "#upload-form").is_displayed())
    find(page, "#upload-model").send_keys(str(write(classifier(size=32), tmp_path)))  # the window of the system
    walk.presses("#upload-first [name=name]", "typed")
    walk.presses("#upload-start")
    until(page, lambda: find(page, "[data-upload=typed]").get_attribute("data-state") == "added")
    walk.presses("[data-upload=typed] button")
    caption(page, "typed says")
    walk.presses("[data-model=typed] [aria-label^=Remove]")
    until(page, lambda: not find_all(page, "[data-model=typed]"))
    assert walk.faults == ""
