"""What the service says of jobs. What it says beyond that is kept too, so that a newer service can be asked."""

from html import escape
from math import isfinite
from typing import Any

from pydantic import BaseModel, ConfigDict

WIDTH, HEIGHT = 320, 80  # of a curve, in pixels
UNFINISHED = frozenset({"queued", "running", "cancelling"})


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow")


class Links(_Answer):
    """Where the parts of a job are. artifacts: what it made beside its picture, by name."""

    self: str
    image: str
    events: str
    cancel: str
    animation: str
    batch: str | None = None
    frames: list[str] = []
    artifacts: dict[str, str] = {}


class Job(_Answer):
    """A job as it stands. Times are seconds since the epoch, by state; steps count from 0.

    state: ``queued``, ``running``, ``cancelling``, ``cancelled``, ``succeeded``, ``failed`` or ``expired``.
    score: what is climbed, at the last step; ``trace`` has it for each step. rank: of the class, 1 is the top.
    result: what the network sees in the finished picture. problem: why it has failed, a problem document.
    """

    id: str
    kind: str
    state: str
    step: int
    steps: int
    parameters: dict[str, Any]
    links: Links
    batch: str | None = None
    times: dict[str, float] = {}
    class_id: int | None = None
    class_name: str | None = None
    score: float | None = None
    rank: int | None = None
    trace: list[float] = []
    first_at_rank_1: int | None = None
    steps_before_relu: int = 0
    restarts: int = 0
    position: int | None = None
    attempts: int = 0
    preview: int | None = None
    result: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it has come to its end, whatever that was."""
        return self.state not in UNFINISHED

    def _repr_html_(self) -> str:
        what = f"{self.kind}, {self.class_name}" if self.class_name else self.kind
        seen = (self.result or {}).get("predicted_name")
        said = {
            "job": self.id,
            "what": what,
            "state": self.state + ("" if self.position is None else f", {self.position} before it"),
            "step": f"{self.step} of {self.steps}",
            "score": None if self.score is None else f"{self.score:.2f}",
            "rank": self.rank,
            "the network sees": seen,
            "problem": (self.problem or {}).get("detail"),
        }
        rows = (
            f"<tr><th>{name}</th><td>{escape(str(text))}</td></tr>" for name, text in said.items() if text is not None
        )
        return f"<table>{''.join(rows)}</table>{_curve(self.trace)}"


def _curve(trace: list[float]) -> str:
    """The score at each step as a line, in SVG."""
    values = [value for value in trace if isfinite(value)]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    across, up = WIDTH / (len(values) - 1), HEIGHT / ((high - low) or 1)
    points = " ".join(f"{i * across:.1f},{HEIGHT - (value - low) * up:.1f}" for i, value in enumerate(values))
    label = f"score from {values[0]:.1f} to {values[-1]:.1f}"
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{label}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor"/></svg>'
    )


class JobList(_Answer):
    """A page of jobs, newest first. cursor: send it to get the next page; None on the last one."""

    data: list[Job]
    cursor: str | None


class Batch(_Answer):
    """A batch: how many of its jobs are in which state, and the jobs in the order of the classes."""

    id: str
    total: int
    states: dict[str, int]
    data: list[Job]
