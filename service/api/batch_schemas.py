"""Answers of `/batches`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.api.prefix import PREFIX
from service.jobs.record import Batch, State

_EXAMPLE: dict[str, JsonValue] = {
    "id": "x3Yb0sJ1Qm8fZkLw",
    "state": "running",
    "times": {"queued": 1790000000.0, "running": 1790000001.2},
    "items": 10000,
    "done": 4160,
    "errors": 3,
    "bytes": 2147483648,
    "parameters": {"model": "squeezenet1_1", "methods": {"gradient": {}}},
    "problem": None,
    "links": {
        "self": "/batches/x3Yb0sJ1Qm8fZkLw",
        "events": "/batches/x3Yb0sJ1Qm8fZkLw/events",
        "index": "/batches/x3Yb0sJ1Qm8fZkLw/index",
        "results": "/batches/x3Yb0sJ1Qm8fZkLw/results",
    },
}


class BatchLinks(BaseModel):
    """Where the parts of a batch are."""

    self: str
    events: str
    index: str
    results: str


class PictureBatch(BaseModel):
    """A batch of pictures as it stands. Times are seconds since the epoch."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    state: Annotated[
        State,
        Field(
            description="`succeeded`: each item has its result or its error. `open`: it takes parts, nothing is run."
        ),
    ]
    times: Annotated[dict[State, float], Field(description="When it entered each state last.")]
    items: Annotated[int, Field(description="Pictures, and what else was sent in their place.")]
    done: Annotated[int, Field(description="Items that have a result or an error.")]
    errors: Annotated[int, Field(description="Items that have failed; `POST /batches/{id}/retry` tries them again.")]
    bytes: Annotated[int, Field(description="What is stored of it, with its results.")]
    parameters: Annotated[dict[str, Any], Field(description="Every parameter, defaults filled in.")]
    problem: Annotated[
        dict[str, Any] | None, Field(description="Why some items have failed together, if that has happened.")
    ]
    links: BatchLinks


class PictureBatchList(BaseModel):
    """A page of batches, newest first. cursor: send it to get the next page; null on the last one."""

    data: list[PictureBatch]
    cursor: str | None


class ItemAnswer(BaseModel):
    """What came of an item: for each method a line of the index."""

    number: int
    item: str
    results: list[dict[str, Any]]


def batch_view(batch: Batch) -> PictureBatch:
    """The answer for a record."""
    base = f"{PREFIX.get()}/batches/{batch.id}"
    return PictureBatch(
        **batch.model_dump(include={"id", "state", "times", "errors", "bytes", "parameters", "problem"}),
        items=batch.steps,
        done=batch.step,
        links=BatchLinks(self=base, events=f"{base}/events", index=f"{base}/index", results=f"{base}/results"),
    )
