"""Answers about uploaded networks."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from service.api.prefix import PREFIX
from service.models.uploaded import Record, State
from service.networks.report import Report


class UploadLinks(BaseModel):
    """Where more is told."""

    self: str
    model: Annotated[str, Field(description="The network, once it is added.")]


class UploadAnswer(BaseModel):
    """An uploaded network."""

    name: str
    state: Annotated[
        State,
        Field(description="`waiting` for its trial, `trying`, `added`: it is served, or `failed`: see `problem`."),
    ]
    bytes: Annotated[int, Field(description="What its files take.")]
    begun: datetime
    seconds: Annotated[float | None, Field(description="How long the trial took.")]
    problem: Annotated[str | None, Field(description="Why it cannot be used.")]
    report: Annotated[Report | None, Field(description="What the trial has shown.")]
    links: UploadLinks

    @classmethod
    def of(cls, record: Record) -> Self:
        """What is told of a record."""
        prefix = PREFIX.get()
        return cls(
            name=record.name,
            state=record.state,
            bytes=record.bytes,
            begun=datetime.fromtimestamp(record.begun, UTC),
            seconds=record.seconds,
            problem=record.problem,
            report=None if record.report is None else Report.model_validate(record.report),
            links=UploadLinks(self=f"{prefix}/uploads/{record.name}", model=f"{prefix}/models/{record.name}"),
        )


class UploadsAnswer(BaseModel):
    """Whether networks may be uploaded, and those that were."""

    allowed: Annotated[bool, Field(description="Whether the caller may upload and remove networks.")]
    reason: Annotated[str | None, Field(description="Why not, and what to do.")]
    most_bytes: Annotated[int, Field(description="What all together may take.")]
    used_bytes: int
    data: Annotated[list[UploadAnswer], Field(description="The newest first; none for those who may not upload.")]
