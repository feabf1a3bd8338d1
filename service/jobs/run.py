"""What the runner of a kind of job gives to the worker."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from service.jobs.record import Job


@dataclass(frozen=True)
class Advance:
    """One step of a job, as its runner yields it.

    index: from 0. fields: what the record keeps of it. preview: whether a picture of it is wanted. image: the PNG.
    checkpoint: the state after the step. precious: whether it is to be saved before the next step.
    """

    index: int
    fields: dict[str, float]
    preview: bool
    image: Callable[[], bytes]
    checkpoint: Callable[[], bytes]
    precious: bool = False


@dataclass(frozen=True)
class Conclusion:
    """What a job made. image: a PNG, empty if there is none. result: for its record. artifacts: other files by name."""

    image: bytes
    result: dict[str, JsonValue]
    artifacts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A job under way.

    scores: of all steps so far, growing. conclude: what it made, at the end. abandon: called when no more steps will be
    taken, for those that go on by themselves.
    """

    steps: Iterator[Advance]
    scores: list[float]
    conclude: Callable[[], Conclusion]
    abandon: Callable[[], None] = lambda: None


Runner = Callable[[Job, bytes | None, Mapping[str, bytes]], Run]  # the job, its last checkpoint and its inputs by name
