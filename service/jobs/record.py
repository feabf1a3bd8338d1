"""The record of a job, as the ledger keeps it."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue


class State(StrEnum):
    """Where a job stands.

    queued ─► running ─► succeeded | failed          running ─► queued when its worker stops or dies
       │         └─► cancelling ─► cancelled         a finished job ─► expired, when its time in the settings is over
       └─► cancelled

    A batch is ``open`` before, while it takes parts, and may be ``paused`` between.
    """

    OPEN = "open"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"


ACTIVE = (State.OPEN, State.QUEUED, State.RUNNING, State.PAUSED, State.CANCELLING)
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Job(BaseModel):
    """One job. Times are seconds since the epoch; steps count from 0.

    owner: name of the key that it was submitted with; only that sees it. inputs: names of the pictures that were sent
    with it.
    artifacts: names of what it made beside its picture. traceparent: of the trace of the request that submitted it.
    vain: how many attempts have begun since it last got further.
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
    vain: int = 0
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


class Batch(Job):
    """A job that is worked on in chunks, each a job of its own while it is being worked on. Steps are items.

    chunks: how many there are, once it is closed. size: items of a chunk. errors: items that have failed. bytes: that
    are stored of it. version: of its parts. problem: of the last chunk that failed as a whole.
    """

    chunks: int = 0
    size: int = 0
    errors: int = 0
    bytes: int = 0
    version: int = 0


class Chunk(Job):
    """Some items of a batch that are being worked on. Steps are items.

    handed: the number of this attempt, of all at chunks of the batch. before: that of the attempt whose results there
    are, in hexadecimal, if it is done again. size: items of all chunks but the last.
    """

    handed: int
    size: int
    before: str | None = None

    @property
    def first(self) -> int:
        """The number of its first item in the batch."""
        return self.number * self.size

    @property
    def batch_id(self) -> str:
        """The id of its batch."""
        return self.id.rpartition("/")[0]

    @property
    def number(self) -> int:
        """Which chunk of the batch it is, from 0."""
        return int(self.id.rpartition("/")[2])


BATCH, CHUNK = "batch", "chunk"  # kinds
RECORDS: dict[str, type[Job]] = {BATCH: Batch, CHUNK: Chunk}
