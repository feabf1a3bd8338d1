"""The record of a job, as the ledger keeps it."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue


class State(StrEnum):
    """Where a job stands.

    queued ─► running ─► succeeded | failed          running ─► queued when its worker stops or dies
       │         └─► cancelling ─► cancelled         a finished job ─► expired, when its time in the settings is over
       └─► cancelled
    """

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"


ACTIVE = (State.QUEUED, State.RUNNING, State.CANCELLING)
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Job(BaseModel):
    """One job. Times are seconds since the epoch; steps count from 0.

    owner: name of the key that it was submitted with; only that sees it. inputs: names of the pictures that were sent
    with it.
    artifacts: names of what it made beside its picture. traceparent: of the trace of the request that submitted it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    seq: int
    kind: str
    batch: str | None = None
    owner: str | None = None
    class_id: int | None = None
    parameters: dict[str, JsonValue]
    inputs: list[str] = []
    artifacts: list[str] = []
    traceparent: str = ""
    state: State
    times: dict[State, float]
    attempts: int = 0
    step: int = 0
    steps: int
    score: float | None = None
    rank: int | None = None
    first_at_rank_1: int | None = None
    steps_before_relu: int = 0
    restarts: int = 0
    preview: int | None = None
    result: dict[str, JsonValue] | None = None
    problem: dict[str, Any] | None = None

    @property
    def model(self) -> str:
        """The name of the model, which jobs of every kind have among their parameters."""
        return str(self.parameters["model"])

    @property
    def is_finished(self) -> bool:
        """Whether the job has come to its end."""
        return self.state not in ACTIVE
