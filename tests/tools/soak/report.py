"""The report in Markdown."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.tools.soak.abusers import Abuse
from tests.tools.soak.innocent import Experience
from tests.tools.soak.judgement import (
    IDLE_SHARE,
    MEMORY_SHARE,
    PLUS_SECONDS,
    TIMES,
    Latency,
    Seen,
    bound,
    faults_of,
    growth,
)

COLUMNS = (
    "abuse",
    "p50, ms",
    "p99, ms",
    "max, ms",
    "requests",
    "errors",
    "/healthz max, ms",
    "busy after 2 s",
    "calm after, s",
    "job begins, s",
    "API MiB, peak",
    "workers MiB, peak",
    "jobs",
    "cores of others",
    "",
)


class Report:
    """What was seen so far, and whether all is well."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rows: list[list[str]] = []
        self._details: list[str] = []
        self._idle: Latency | None = None
        self._rest = 0.0
        self.passed = True

    def idle(self, seen: Experience, rest: float, memory: Mapping[str, float], others: float) -> None:
        """The innocent alone: what the kinds of abuse that follow are compared with."""
        self._idle, self._rest = seen.gradients, rest
        kept = _memory(memory, {})
        self._rows.append(
            [
                "none",
                *_latency(seen.gradients, seen.health),
                f"{rest:.0%}",
                "",
                _seconds(seen.begin),
                *kept,
                "",
                f"{others:.1f}",
                f"p99 at most {bound(seen.gradients) * 1e3:.0f}",
            ]
        )

    def add(self, abuse: Abuse, seen: Seen) -> None:
        assert self._idle is not None
        wrong = faults_of(seen, self._idle, self._rest)
        self.passed &= not wrong
        calm, kept = _seconds(seen.calm_after), _memory(seen.memory, seen.peak)
        middle = [f"{sum(seen.busy.values()):.0%}", calm, _seconds(seen.begin), *kept, _counts(seen.states)]
        middle.append(f"{seen.others:.1f}")
        verdict = "**FAIL**" if wrong else "PASS"
        self._rows.append([abuse.name, *_latency(seen.innocent, seen.health), *middle, verdict])
        self._details += [f"\n**{abuse.name}**: {abuse.what}.\n"]
        self._details += [f"- FAIL: {each}" for each in wrong]
        self._details += [f"- answers: {_counts(seen.answers)}"] if seen.answers else []
        self._details += [f"- faults: {', '.join(seen.faults)}"] if seen.faults else []
        self._details += [f"- in the log, {number} times: `{line}`" for line, number in Counter(seen.logged).items()]

    def memory(self, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """Resident memory after warming up and after all."""
        wrong = growth(before, after)
        self.passed &= not wrong
        told = ", ".join(f"{name} {mib:.0f} to {after[name]:.0f} MiB" for name, mib in before.items())
        self._details.append(f"\nMemory from the warm-up to the end: {told}. {'**FAIL**' if wrong else 'PASS'}")

    def skip(self, abuses: Sequence[Abuse], reason: str) -> None:
        self._details += [f"\n**{abuse.name}**: left out, {reason}." for abuse in abuses]

    def text(self) -> str:
        lines = [
            f"`make soak ARGS=--abuse`, {self._seconds:g} s for each kind, on {_machine()}, which clients and service "
            "share: API, two workers and Valkey at normal priority, the abusers in a process of their own at "
            "nice 15, the innocent in another at normal priority. The innocent asks for one gradient of a small "
            "photograph at a time.",
            "",
            f"PASS: its p99 is at most {TIMES} times that without abuse and {PLUS_SECONDS * 1e3:g} ms, "
            "and it gets no error; the processes of the service together use less than "
            f"{IDLE_SHARE:.0%} of a core more than at rest two seconds after the abuse; every accepted job is done, or "
            "cancelled by its owner; no abuser gets a 5xx but 503; and in the end no process has grown by more than "
            f"{MEMORY_SHARE:.0%}.",
            "",
            f"| {' | '.join(COLUMNS)} |",
            f"|{' --- |' * len(COLUMNS)}",
            *(f"| {' | '.join(row)} |" for row in self._rows),
            *self._details,
            "",
            "PASSED" if self.passed else "FAILED",
            "",
        ]
        return "\n".join(lines)


def _latency(innocent: Latency, health: Latency) -> list[str]:
    times = [f"{seconds * 1e3:.0f}" for seconds in (innocent.p50, innocent.p99, innocent.longest)]
    return [*times, str(innocent.number), _counts(innocent.errors) or "0", f"{health.longest * 1e3:.0f}"]


def _memory(memory: Mapping[str, float], peak: Mapping[str, float]) -> list[str]:
    """Of the API and of the larger worker."""
    groups: Iterable[list[str]] = (["API"], [name for name in memory if name != "API"])
    told = []
    for names in groups:
        now, most = (max((each.get(name, 0) for name in names), default=0) for each in (memory, peak))
        most = max(now, most)  # the kernel counts the peak less often
        told.append(f"{now:.0f}, {most:.0f}" if peak else f"{now:.0f}")
    return told


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


def _machine() -> str:
    found = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return f"{os.cpu_count()} cores with {int(found[1]) / 2**20:.0f} GiB" if found else f"{os.cpu_count()} cores"
