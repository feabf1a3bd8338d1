"""Answers of `/visualize`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.api.prefix import PREFIX
from service.jobs.record import Job, State


class Links(BaseModel):
    """Where the parts of a job are."""

    self: str
    image: str
    frames: list[str]
    animation: str
    events: str
    cancel: str
    batch: str | None
    artifacts: Annotated[dict[str, str], Field(description="What the job made beside its picture, by name.")]


_EXAMPLE: dict[str, JsonValue] = {
    "id": "x3Yb0sJ1Qm8fZkLw",
    "kind": "class",
    "state": "running",
    "times": {"queued": 1790000000.0, "running": 1790000001.2},
    "class_id": 76,
    "class_name": "tarantula",
    "step": 75,
    "steps": 200,
    "score": 69.3,
    "rank": 1,
    "first_at_rank_1": 31,
}


class JobAnswer(BaseModel):
    """A job as it stands. Times are seconds since the epoch; steps count from 0."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    kind: str
    batch: str | None
    state: State
    times: Annotated[dict[State, float], Field(description="When it entered each state.")]
    class_id: Annotated[int | None, Field(description="The class drawn, aimed at or explained, if there is one.")]
    class_name: str | None
    step: Annotated[int, Field(description="Finished steps.")]
    steps: Annotated[int, Field(description="All steps.")]
    score: Annotated[
        float | None,
        Field(description="What is climbed, at the last step: of the class, of the channel, or minus the loss."),
    ]
    rank: Annotated[int | None, Field(description="Of the class among all, at the last step; 1 is the top.")]
    trace: Annotated[list[float], Field(description="The score at each step so far; in lists of jobs it is empty.")]
    first_at_rank_1: Annotated[int | None, Field(description="First step at which the class was the top one.")]
    steps_before_relu: Annotated[
        int,
        Field(
            description="Steps whose score was exactly 0, with a zero gradient; "
            "there the value before the last ReLU was climbed."
        ),
    ]
    restarts: Annotated[int, Field(description="How often a start with a zero gradient was drawn again.")]
    position: Annotated[
        int | None,
        Field(
            description="Jobs that will be begun before this one, while it is queued: an estimate, as if keys took "
            "turns with one job each."
        ),
    ]
    attempts: Annotated[int, Field(description="How often it was begun by a worker that was not stopped in order.")]
    parameters: Annotated[dict[str, Any], Field(description="Every parameter, defaults filled in.")]
    preview: Annotated[int | None, Field(description="Step of the newest preview.")]
    result: Annotated[dict[str, Any] | None, Field(description="What the network sees in the finished picture.")]
    problem: Annotated[dict[str, Any] | None, Field(description="Why it has failed: a problem document.")]
    links: Links


class JobList(BaseModel):
    """A page of jobs, newest first. cursor: send it to get the next page; null on the last one."""

    data: list[JobAnswer]
    cursor: str | None


class BatchAnswer(BaseModel):
    """A batch: how many of its jobs are in which state, and the jobs in the order of the classes."""

    id: str
    total: int
    states: dict[State, int]
    data: list[JobAnswer]


def job_answer(
    job: Job, class_name: str | None, trace: list[float], frames: list[int], position: int | None
) -> JobAnswer:
    """The answer for a record."""
    jobs = f"{PREFIX.get()}/visualize"
    base = f"{jobs}/{job.id}"
    links = Links(
        self=base,
        image=f"{base}/image",
        frames=[f"{base}/frames/{step}" for step in frames],
        animation=f"{base}/animation",
        events=f"{base}/events",
        cancel=f"{base}/cancel",
        batch=f"{jobs}/batches/{job.batch}" if job.batch else None,
        artifacts={name: f"{base}/artifacts/{name}" for name in job.artifacts},
    )
    shared = job.model_dump(include=set(JobAnswer.model_fields) & set(Job.model_fields))
    return JobAnswer(**shared, class_name=class_name, trace=trace, position=position, links=links)
