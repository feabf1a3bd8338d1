"""What is good enough: pure functions of what was seen."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TIMES, PLUS_SECONDS = 6, 0.1  # by which the innocent's p99 may grow
IDLE_SHARE = 0.05  # of a core, by which all processes of the service together may use more than at rest
MEMORY_SHARE = 0.1  # by which resident memory may grow
KEPT = ("succeeded", "cancelled", "deleted")  # ends of jobs that lose nothing
ENDED = ("succeeded", "failed", "cancelled", "deleted")


@dataclass(frozen=True)
class Latency:
    """Of requests, in seconds."""

    number: int
    p50: float
    p99: float
    longest: float
    errors: Mapping[str, int] = field(default_factory=dict)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def latency(seconds: Sequence[float], statuses: Mapping[str, int]) -> Latency:
    """The summary; whatever was not answered with 200 is an error."""
    errors = {status: number for status, number in statuses.items() if status != "200"}
    if not seconds:
        return Latency(0, math.inf, math.inf, math.inf, errors)
    return Latency(len(seconds), percentile(seconds, 0.5), percentile(seconds, 0.99), max(seconds), errors)


def bound(idle: Latency) -> float:
    """The p99 that the innocent is owed, in seconds."""
    return TIMES * idle.p99 + PLUS_SECONDS


@dataclass(frozen=True)
class Seen:
    """What was seen of one kind of abuse.

    busy: cores in use two seconds after the abusers had gone, by process. calm_after: seconds until the service was
    idle, None if it was not. begin: seconds until the neighbour's job began. memory: MiB at the end, peak: MiB, by
    process. states: how the accepted jobs have ended. answers: of the abusers, by request and status. others: cores
    that processes used which do not belong to the soak. logged: errors in the logs of the service.
    """

    innocent: Latency
    health: Latency
    busy: Mapping[str, float]
    calm_after: float | None
    begin: float | None
    memory: Mapping[str, float]
    peak: Mapping[str, float]
    states: Counter[str]
    answers: Counter[str]
    faults: Sequence[str]
    others: float
    logged: Sequence[str] = ()


def faults_of(seen: Seen, idle: Latency, rest: float) -> list[str]:
    """All that is not well, in words. rest: cores in use before any abuse."""
    wrong = []
    if seen.innocent.p99 > bound(idle):
        wrong.append(f"the innocent's p99 is {seen.innocent.p99 * 1e3:.0f} ms of {bound(idle) * 1e3:.0f}")
    wrong += [f"the innocent got {status} {number} times" for status, number in seen.innocent.errors.items()]
    wrong += [f"/healthz got {status} {number} times" for status, number in seen.health.errors.items()]
    if is_busy(seen.busy, rest):
        calm = "not calm within the time" if seen.calm_after is None else f"calm after {seen.calm_after:.0f} s"
        who = ", ".join(f"{name} {share:.0%}" for name, share in seen.busy.items() if share)
        wrong.append(f"2 s after the abuse {who} of a core; {calm}")
    wrong += [f"{number} accepted jobs: {state}" for state, number in seen.states.items() if state not in KEPT]
    return wrong + [f"{what} ({number} times)" for what, number in seen.answers.items() if is_server_error(what)]


def is_busy(use: Mapping[str, float], rest: float) -> bool:
    """Whether the service is not idle. use: cores by process. rest: those in use before any abuse."""
    return sum(use.values()) >= rest + IDLE_SHARE


def is_server_error(what: str) -> bool:
    """Whether an answer, a name and a status, is a 5xx other than 503."""
    status = what.rsplit(" ", 1)[-1]
    return status.isdigit() and status >= "500" and status != "503"


def growth(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    """The processes whose memory has grown by too much, in words."""
    return [
        f"{name} has grown from {mib:.0f} to {after[name]:.0f} MiB"
        for name, mib in before.items()
        if after[name] > mib * (1 + MEMORY_SHARE)
    ]
