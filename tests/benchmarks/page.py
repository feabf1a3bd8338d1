"""How soon the page shows something, and how much it loads: a real browser, wide and as a phone with a slow processor.

Run: python -m tests.benchmarks.page. It ends with 1 if a budget is missed.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from service.models.build import build
from tests.benchmarks.measure import table
from tests.conftest import Server
from tests.page.browser import BROWSER, DRIVER, open_page, start_browser

RUNS, WARM_UP = 9, 2
# What is measured while the page is opened. The first map is there when its canvas is shown.
OBSERVE = """
    window.seen = { shift: 0, tasks: 0, longest: 0, whole: 0, shown: null };
    const watch = (type, told) => new PerformanceObserver((list) => list.getEntries().forEach(told))
      .observe({ type, buffered: true });
    watch("layout-shift", ({ value }) => { seen.shift += value; });
    watch("largest-contentful-paint", ({ startTime }) => { seen.whole = startTime; });
    watch("longtask", ({ duration }) => { seen.tasks += 1; seen.longest = Math.max(seen.longest, duration); });
    new MutationObserver((changes) => {
      if (changes.some(({ target }) => target.id === "heat" && !target.hidden))
        requestAnimationFrame(() => { seen.shown ??= performance.now(); });
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ["hidden"] });
"""
READ = """
    const loaded = performance.getEntriesByType("resource")
      .filter(({ name }) => [".js", ".css"].some((end) => new URL(name).pathname.endsWith(end)));
    const [{ startTime: paint }] = performance.getEntriesByName("first-contentful-paint");
    const [{ loadEventEnd: load }] = performance.getEntriesByType("navigation");
    const bytes = loaded.reduce((sum, one) => sum + one.encodedBodySize, 0);
    return { ...seen, paint, load, bytes, map: seen.shown - load };
"""


@dataclass(frozen=True)
class Reader:
    """Who opens the page: the size of the window in pixels, and how many times slower the processor is."""

    name: str
    width: int
    height: int
    slower: int


READERS = (Reader("desktop", 1280, 960, 1), Reader("phone, processor slowed 4 times", 390, 844, 4))
# What is measured, its column, and the most that it may be; times in ms.
MEASURES: tuple[tuple[str, str, float | None], ...] = (
    ("paint", "first paint, ms", 300),
    ("whole", "largest paint, ms", None),
    ("load", "load, ms", None),
    ("map", "first map after the load, ms", 1000),
    ("shift", "layout shift", 0.05),
    ("bytes", "script and style, bytes compressed", 150_000),
    ("tasks", "long tasks", None),
    ("longest", "the longest, ms", None),
)
OF_FAST_PROCESSORS = ("paint",)  # what is no budget of a slowed one


@contextmanager
def browser() -> Iterator[Any]:
    """A browser that keeps nothing, and measures what it opens."""
    page = start_browser()
    try:
        page.execute_cdp_cmd("Network.enable", {})
        page.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": OBSERVE})
        yield page
    finally:
        page.quit()


def opened(page: Any, url: str, reader: Reader) -> dict[str, float]:
    """What was measured as the page was opened once."""
    metrics = {"width": reader.width, "height": reader.height, "deviceScaleFactor": 1, "mobile": reader.slower > 1}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": reader.slower})
    open_page(page, url)
    found: dict[str, float] = page.execute_script(READ)
    return found


def missed(reader: Reader, found: Mapping[str, float]) -> list[str]:
    """The budgets that are not kept, in words."""
    kept = OF_FAST_PROCESSORS if reader.slower > 1 else ()
    return [
        f"{reader.name}: {column}: {found[name]:.3g}, at most {most:g}"
        for name, column, most in MEASURES
        if most is not None and name not in kept and found[name] > most
    ]


def main() -> None:
    """Print the table."""
    if BROWSER is None or DRIVER is None:
        sys.exit("no Chromium: the page is not measured (make browser)")
    rows: list[list[object]] = []
    late: list[str] = []
    with tempfile.TemporaryDirectory() as name, browser() as page:
        build(Path(name) / "models")
        server = Server("--models-dir", f"{name}/models", "--data-dir", name)
        try:
            for reader in READERS:
                runs = [opened(page, server.url, reader) for _ in range(WARM_UP + RUNS)][WARM_UP:]
                found = {measure: median(run[measure] for run in runs) for measure, _, _ in MEASURES}
                rows.append([reader.name, *(float(found[measure]) for measure, _, _ in MEASURES)])
                late += missed(reader, found)
        finally:
            server.stop()
    columns = [column if most is None else f"{column} (at most {most:g})" for _, column, most in MEASURES]
    table(f"The page, medians of {RUNS}, nothing kept from before", ["", *columns], rows)
    for line in late:
        print(f"missed: {line}")
    sys.exit(bool(late))


if __name__ == "__main__":
    main()
