"""What the runner of a kind of job gives to the worker."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from service.jobs.record import Job


@dataclass(frozen=True)
class Advance:
    """One step of a job, as its runner yields it.

    index: from 0. fields: what the record keeps of it. preview: whether a picture of it is wanted. image: the PNG.
    checkpoint: the state after the step.
    """

    index: int
    fields: dict[str, float]
    preview: bool
    image: Callable[[], bytes]
    checkpoint: Callable[[], bytes]


@dataclass(frozen=True)
class Conclusion:
    """What a job made. image: the PNG. result: for its record. artifacts: further files by name."""

    image: bytes
    result: dict[str, JsonValue]
    artifacts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A job under way. scores: of all steps so far, growing. conclude: what it made, at the end."""

    steps: Iterator[Advance]
    scores: list[float]
    conclude: Callable[[], Conclusion]


Runner = Callable[[Job, bytes | None, Mapping[str, bytes]], Run]  # the job, its last checkpoint and its inputs by name
