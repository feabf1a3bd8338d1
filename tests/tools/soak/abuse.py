"""An innocent client beside every kind of abuse: how it fares, and what is left of the service after it."""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from service.models.build import build
from service.runtime.memory import TRIM_SECONDS
from tests.tools.soak import judgement, pictures, warming
from tests.tools.soak.abusers import Abuse
from tests.tools.soak.clock import Clock, find_library
from tests.tools.soak.innocent import Experience, Innocent
from tests.tools.soak.installation import Installation
from tests.tools.soak.judgement import Latency, Seen
from tests.tools.soak.processor import seconds_of_others
from tests.tools.soak.report import Report
from tests.tools.soak.scene import Abusers
from tests.tools.soak.settling import settle
from tests.tools.soak.target import NEIGHBOUR

IDLE_SECONDS = 15.0
CALM_AFTER, CALM_WITHIN = 2.0, 30.0  # seconds
WINDOW, REST_WINDOW = 2.0, 5.0  # seconds over which the use of the cores is measured, in hundredths of a second


def run(abuses: Sequence[Abuse], seconds: float, file: Path | None) -> int:
    """All of these, each for so long; 0 if all went well."""
    report = Report(seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder / "models")
        pictures.make(folder / "pictures")
        if usual := [each for each in abuses if not each.moves_clocks]:
            with _installed(folder, "usual") as installation:
                _soak(installation, folder, usual, seconds, report)
        if moving := [each for each in abuses if each.moves_clocks]:
            _soak_with_clocks(folder, moving, seconds, report)
    print(report.text())
    if file is not None:
        file.write_text(report.text())
    return 0 if report.passed else 1


def _soak_with_clocks(folder: Path, abuses: Sequence[Abuse], seconds: float, report: Report) -> None:
    library = find_library()
    clock = Clock(library, folder) if library else None
    if clock is None or not clock.works():
        report.skip(abuses, "libfaketime is not installed" if clock is None else "libfaketime does not work here")
        return
    with _installed(folder, "clocks", clock) as installation:
        _soak(installation, folder, abuses, seconds, report)


@contextmanager
def _installed(folder: Path, name: str, clock: Clock | None = None) -> Iterator[Installation]:
    installation = Installation(folder / "models", folder / name, clock)
    try:
        yield installation
    finally:
        installation.stop()


def _soak(installation: Installation, folder: Path, abuses: Sequence[Abuse], seconds: float, report: Report) -> None:
    """Warm up, measure the innocent alone, then beside each kind; what the memory has become."""
    target = installation.target(folder / "pictures")
    _tell("warming up")
    asyncio.run(settle(target, warming.warm_up(target), cancels=True))
    before = installation.memory()
    _tell("the innocent alone")
    innocent, others = Innocent(target, neighbour=True), seconds_of_others()
    time.sleep(IDLE_SECONDS)
    experience = innocent.end()
    others = (seconds_of_others() - others) / IDLE_SECONDS
    time.sleep(CALM_AFTER)
    rest = sum(_use(installation, REST_WINDOW).values())
    report.idle(experience, rest, before, others)
    for abuse in abuses:
        _tell(f"{abuse.name}: {abuse.what}")
        report.add(abuse, beside(installation, folder, abuse, seconds, experience.gradients, rest))
    time.sleep(TRIM_SECONDS + 1)  # what is free goes back every few seconds
    report.memory(before, installation.memory())


def beside(installation: Installation, folder: Path, abuse: Abuse, seconds: float, idle: Latency, rest: float) -> Seen:
    """The innocent beside one kind of abuse, and the service after it. rest: cores in use before any abuse."""
    target, stop = installation.target(folder / "pictures"), Event()
    installation.forget_peak()
    abusers = Abusers(target, abuse.actions, seconds)
    abusers.await_start()
    innocent = Innocent(target, abuse.neighbour)
    others = seconds_of_others()
    with ThreadPoolExecutor() as pool:
        faults = [pool.submit(fault, installation, stop) for fault in abuse.faults]
        time.sleep(seconds)
        stop.set()
        experience = innocent.end()
        others = (seconds_of_others() - others) / seconds
        answers, accepted = abusers.end()
    done = [fault.result() for fault in faults]
    peak = installation.peak()
    if experience.job:
        accepted.append((NEIGHBOUR, experience.job))
    installation.await_workers()
    states = asyncio.run(settle(target, accepted, abuse.cancels))
    time.sleep(CALM_AFTER)
    busy, calm = _calm(installation, rest)
    seen = _seen(experience, busy, calm, installation, peak, states, answers, done, others)
    _tell("; ".join(judgement.faults_of(seen, idle, rest)) or "passed")
    return seen


def _seen(
    experience: Experience,
    busy: dict[str, float],
    calm: float | None,
    installation: Installation,
    peak: dict[str, float],
    states: Counter[str],
    answers: Counter[str],
    faults: list[str],
    others: float,
) -> Seen:
    return Seen(
        innocent=experience.gradients,
        health=experience.health,
        busy=busy,
        calm_after=calm,
        begin=experience.begin,
        memory=installation.memory(),
        peak=peak,
        states=states,
        answers=answers,
        faults=faults,
        others=others,
        logged=installation.errors_logged(),
    )


def _calm(installation: Installation, rest: float) -> tuple[dict[str, float], float | None]:
    """The cores that each process uses now, and seconds until all used next to none, None if they still do."""
    started, first = time.monotonic(), _use(installation)
    use = first
    while judgement.is_busy(use, rest):
        if time.monotonic() - started > CALM_WITHIN:
            return first, None
        use = _use(installation)
    return first, CALM_AFTER + time.monotonic() - started - WINDOW


def _use(installation: Installation, window: float = WINDOW) -> dict[str, float]:
    """The cores that each process uses."""
    before = installation.cpu_seconds()
    time.sleep(window)
    return {name: (seconds - before[name]) / window for name, seconds in installation.cpu_seconds().items()}


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)
