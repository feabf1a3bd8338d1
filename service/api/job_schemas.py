"""Parameters and answers of `/visualize`."""

import secrets
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from service.jobs.record import Job, State
from service.synthesis.presets import DEFAULTS

MAX_PREVIEWS = 200

ClassId = Annotated[int, Field(ge=0)]


class VisualizeParameters(BaseModel):
    """What a class visualization is made with. Absent values take the defaults of the preset."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"class_id": 76}, {"class_id": [76, 187, 366], "preset": "lucid", "seed": 1}]},
    )

    class_id: Annotated[
        ClassId | Annotated[list[ClassId], Field(min_length=1, max_length=1000)],
        Field(description="The class to draw, or a list of them: one job each, under one batch id."),
    ]
    model: Annotated[str | None, Field(description="Name of the model; the default one if absent.")] = None
    preset: Annotated[
        Literal["cs231n", "lucid"],
        Field(
            description="`cs231n`: gradient ascent on pixels with jitter, blur and l2. `lucid`: a spectrum in decorrelated colours, Adam."
        ),
    ] = "cs231n"
    start: Annotated[
        Literal["uniform", "normal"],
        Field(description="Random start of `cs231n`: uniform pixels, or normalized pixels of a standard normal distribution."),
    ] = "uniform"
    iterations: Annotated[int | None, Field(ge=1, le=4096, description="Steps: 200, `lucid` 512.")] = None
    learning_rate: Annotated[float | None, Field(gt=0, le=1000, description="25, `lucid` 0.05.")] = None
    l2_reg: Annotated[
        float | None, Field(ge=0, le=1, description="Weight of the squared norm that is taken off the score: 0.001, `lucid` 0.")
    ] = None
    blur_every: Annotated[int | None, Field(ge=0, le=4096, description="Steps between two blurs of `cs231n`, 0 for none: 10.")] = None
    blur_sigma: Annotated[float | None, Field(ge=0, le=10, description="Of that blur, in pixels: 0.5.")] = None
    max_jitter: Annotated[int | None, Field(ge=0, le=64, description="Largest random shift at a step, in pixels: 16, `lucid` 8.")] = None
    size: Annotated[int, Field(ge=64, le=512, description="Side of the picture, in pixels.")] = 224
    seed: Annotated[int | None, Field(ge=0, lt=2**53, description="The same seed gives the same picture; a random one if absent.")] = None
    preview_every: Annotated[
        int, Field(ge=0, le=4096, description=f"Steps between two previews, 0 for none; at most {MAX_PREVIEWS} previews.")
    ] = 25

    @model_validator(mode="after")
    def _few_previews(self) -> Self:
        iterations = self.iterations or DEFAULTS[self.preset]["iterations"]
        if self.preview_every and iterations / self.preview_every > MAX_PREVIEWS:
            raise ValueError(f"preview_every must be at least {-(-iterations // MAX_PREVIEWS)} for {iterations} iterations")
        return self

    @property
    def class_ids(self) -> list[int]:
        """The classes, one or several."""
        return self.class_id if isinstance(self.class_id, list) else [self.class_id]

    def completed(self, model: str) -> dict[str, Any]:
        """All parameters but the class, defaults filled in, a seed drawn."""
        given = self.model_dump(exclude={"class_id"})
        seed = secrets.randbelow(2**32) if self.seed is None else self.seed
        return {**given, **DEFAULTS[self.preset], **{k: v for k, v in given.items() if v is not None}, "model": model, "seed": seed}


class Links(BaseModel):
    """Where the parts of a job are."""

    self: str
    image: str
    frames: list[str]
    animation: str
    events: str
    cancel: str
    batch: str | None


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
    class_id: int
    class_name: str
    step: Annotated[int, Field(description="Finished steps.")]
    steps: Annotated[int, Field(description="All steps.")]
    score: Annotated[float | None, Field(description="Of the class, at the last step.")]
    rank: Annotated[int | None, Field(description="Of the class among all, at the last step; 1 is the top.")]
    trace: Annotated[list[float], Field(description="The score at each step so far; in lists of jobs it is empty.")]
    first_at_rank_1: Annotated[int | None, Field(description="First step at which the class was the top one.")]
    steps_before_relu: Annotated[
        int, Field(description="Steps whose score was exactly 0, with a zero gradient; there the value before the final ReLU was climbed.")
    ]
    restarts: Annotated[int, Field(description="How often a start with a zero gradient was drawn again.")]
    position: Annotated[int | None, Field(description="Jobs that will be begun before this one, while it is queued.")]
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


def job_answer(job: Job, class_name: str, trace: list[float], frames: list[int], position: int | None) -> JobAnswer:
    """The answer for a record."""
    base = f"/visualize/{job.id}"
    links = Links(
        self=base,
        image=f"{base}/image",
        frames=[f"{base}/frames/{step}" for step in frames],
        animation=f"{base}/animation",
        events=f"{base}/events",
        cancel=f"{base}/cancel",
        batch=f"/visualize/batches/{job.batch}" if job.batch else None,
    )
    shared = job.model_dump(include=set(JobAnswer.model_fields) & set(Job.model_fields))
    return JobAnswer(**shared, class_name=class_name, trace=trace, position=position, links=links)
