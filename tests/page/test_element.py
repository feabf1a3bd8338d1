"""`<convlens-saliency>` on a page that is served from elsewhere, under a strict policy: the one in the docs."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.conftest import PHOTOGRAPHS, Server
from tests.page.browser import ARTIFACTS, awaited, errors, until, violations

ELEMENTS = "document.querySelectorAll('convlens-saliency')"
EXAMPLE = (Path(__file__).parents[2] / "docs/saliency.html").read_text()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[str]:
    """The address of the example, served from another origin than the service, which lets that one ask."""
    folder = tmp_path_factory.mktemp("elsewhere")
    site = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01}).start()
    origin = f"http://localhost:{site.server_port}"
    flags = ("--cors-origins", origin, "--no-worker", "--data-dir", str(folder / "data"))
    service = Server("--models-dir", str(models_dir), *flags)
    (folder / "saliency.html").write_text(EXAMPLE.replace("http://localhost:8000", service.url))
    yield f"{origin}/saliency.html"
    service.stop()
    site.shutdown()
    site.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def page(browser: Any, elsewhere: str) -> Any:
    browser.set_window_size(900, 1200)
    browser.get(elsewhere)
    until(browser, lambda: classes(browser))
    return browser


def inside(page: Any, selector: str, which: int = 0) -> list[Any]:
    """What is found inside of an element of the page."""
    script = f"return [...{ELEMENTS}[arguments[0]].shadowRoot.querySelectorAll(arguments[1])]"
    found: list[Any] = page.execute_script(script, which, selector)
    return found


def classes(page: Any, which: int = 0) -> list[str]:
    return [button.text for button in inside(page, "li button", which)]


def pressed(page: Any, which: int = 0) -> list[str]:
    return [button.text for button in inside(page, "li button[aria-pressed=true]", which)]


def alt(page: Any, which: int = 0) -> str:
    return str(inside(page, "[part=map]", which)[0].get_attribute("alt"))


def message(page: Any, which: int = 0) -> str:
    return str(inside(page, "[role=status]", which)[0].text)


def test_it_draws_a_photograph_with_its_map(page: Any) -> None:
    assert classes(page)[0].startswith("Egyptian cat")
    assert len(classes(page)) == 5
    assert pressed(page) == classes(page)[:1]
    assert alt(page) == "A cat; highlighted is what speaks for Egyptian cat"
    (photo, drawn) = inside(page, "img")
    until(page, lambda: drawn.get_property("naturalWidth") > 0)
    assert drawn.is_displayed()
    assert drawn.size == photo.size
    assert message(page) == ""
    assert message(page, 1) == "No photograph yet."
    assert violations(page) == []
    page.save_screenshot(str(ARTIFACTS / "element.png"))
    assert errors(page) == []  # no policy is broken either


def test_the_keyboard_chooses_classes_and_hides_the_map(page: Any) -> None:
    second = inside(page, "li button")[1]
    second.send_keys(Keys.ENTER)
    until(page, lambda: "tiger cat" in alt(page))
    assert pressed(page) == [second.text]
    assert page.execute_script("return document.querySelector('convlens-saliency').shadowRoot.activeElement") == second
    assert page.execute_script("return document.querySelector('convlens-saliency').getAttribute('class-id')") == "282"
    alone = inside(page, "[part=button]")[0]
    alone.send_keys(Keys.SPACE)
    photo, drawn = inside(page, "img")
    assert (photo.is_displayed(), drawn.is_displayed(), photo.get_attribute("aria-hidden")) == (True, False, "false")
    assert alone.get_attribute("aria-pressed") == "true"
    alone.send_keys(Keys.SPACE)
    assert drawn.is_displayed()


def test_a_photograph_of_the_visitor(page: Any) -> None:
    assert not inside(page, "input")[0].is_displayed()
    inside(page, "input", 1)[0].send_keys(str(PHOTOGRAPHS / "coffee.png"))
    until(page, lambda: pressed(page, 1)[0].startswith("espresso"))
    assert alt(page, 1).startswith("Photograph; ")


def test_attributes_change_what_is_asked_and_the_last_one_counts(page: Any) -> None:
    answers = awaited(
        page,
        """const one = document.querySelector('convlens-saliency'), answers = [];
           one.addEventListener('convlens-explained', (event) => answers.push(event.detail));
           const next = () => new Promise((done) => one.addEventListener('convlens-explained', done, { once: true }));
           one.setAttribute('method', 'gradient'); one.setAttribute('class-id', 3);
           await Promise.resolve(); one.setAttribute('class-id', 281); one.setAttribute('opacity', 0.5);
           await next();
           one.setAttribute('opacity', 0.7);
           await next();
           const told = ({ meta: { parameters }, data: [{ explained }] }) =>
             [parameters.method, parameters.opacity, explained.class_id];
           return answers.map(told)""",
    )
    assert answers == [["gradient", 0.5, 281], ["gradient", 0.7, 281]]


def test_the_key_is_sent_across_origins(page: Any) -> None:
    keys = awaited(
        page,
        """const one = document.querySelector('convlens-saliency'), keys = [], send = window.fetch;
           window.fetch = (url, options) => { keys.push(options.headers.Authorization); return send(url, options); };
           one.setAttribute('api-key', 'cl_page');
           await new Promise((done) => one.addEventListener('convlens-explained', done, { once: true }));
           window.fetch = send;
           return keys""",
    )
    assert keys == ["Bearer cl_page"]


def test_a_class_beyond_the_first_five_is_listed(page: Any) -> None:
    page.execute_script("document.querySelector('convlens-saliency').setAttribute('class-id', 76)")
    until(page, lambda: len(classes(page)) == 6)
    assert [name.split()[0] for name in pressed(page)] == ["tarantula"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("method", "nonsense", "there is no method 'nonsense'"),
        ("class-id", "1000", "class_id must be from 0 to 999"),
        ("model", "nothing", "nothing"),
        ("src", "nowhere.png", "cannot be loaded"),
        ("src", "", "No photograph yet."),
        ("server", "http://localhost:9", "cannot be reached, or does not let this page ask (CONVLENS_CORS_ORIGINS)"),
    ],
)
def test_what_is_wrong_is_told_where_the_map_would_be(page: Any, name: str, value: str, said: str) -> None:
    page.execute_script(f"document.querySelector('convlens-saliency').setAttribute('{name}', '{value}')")
    until(page, lambda: said in message(page))
    assert not any(image.is_displayed() for image in inside(page, "img"))
    assert classes(page) == []


def test_moved_it_goes_on_and_removed_it_lets_go(page: Any) -> None:
    page.execute_script(
        "const one = document.querySelector('convlens-saliency'); document.querySelector('main').append(one)"
    )
    until(page, lambda: classes(page, 1) and message(page, 1) == "")
    released = awaited(
        page,
        """const one = document.querySelectorAll('convlens-saliency')[1];
           one.remove(); await Promise.resolve();
           return one.shadowRoot.querySelectorAll('img[src]').length""",
    )
    assert released == 0
