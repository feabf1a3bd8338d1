"""What the parameters of all kinds of jobs have in common. Each kind's own model stands beside its planner."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from service.networks.network import Network
from service.pictures.images import Resize

MAX_PREVIEWS = 200

ClassId = Annotated[int, Field(ge=0)]
Channel = Annotated[int, Field(ge=0)]
Layer = Annotated[str, Field(description="Name of a layer; see `GET /models/{name}/layers`.", examples=["fire6"])]


def split_commas(value: Any) -> Any:
    """Split text at its commas: forms and command lines write lists that way. Other values are returned as they are."""
    parts = [value] if isinstance(value, str) else value
    if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
        return [item.strip() for part in parts for item in part.split(",")]
    return parts


def split_several(value: Any) -> Any:
    """`split_commas` of text that holds a comma: for values that are one or a list."""
    return split_commas(value) if isinstance(value, str) and "," in value else value


def as_list(value: int | list[int]) -> list[int]:
    """A list of one or several."""
    return value if isinstance(value, list) else [value]


class JobParameters(BaseModel):
    """Parameters that all kinds share. images: names of the pictures that must be sent with the request."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    images: ClassVar[tuple[str, ...]] = ()
    kind: str

    model: Annotated[str | None, Field(description="Name of the model; the default one if absent.")] = None
    seed: Annotated[
        int | None, Field(ge=0, lt=2**53, description="The same seed gives the same picture; a random one if absent.")
    ] = None
    preview_every: Annotated[
        int,
        Field(ge=0, le=4096, description=f"Steps between two previews, 0 for none; at most {MAX_PREVIEWS} previews."),
    ] = 25
    size: Annotated[int | None, Field(description="Short side of the picture, in pixels.")] = None

    @property
    def steps(self) -> int:
        """The number of steps of the whole job."""
        raise NotImplementedError

    @property
    def class_ids(self) -> Sequence[int | None]:
        """The classes, one for each job; None stands for a job without a class."""
        return [None]

    @property
    def is_batch(self) -> bool:
        """Whether the request asks for a batch, even if it is one of a single job."""
        return False

    @property
    def layers(self) -> list[str]:
        """The layers that the network must have."""
        return []

    @property
    def channels(self) -> list[tuple[str, int]]:
        """The channels that the network must have, each with its layer."""
        return []

    @model_validator(mode="before")
    @classmethod
    def _no_truths(cls, values: Any) -> Any:
        """Refuse true and false, which would be taken for the numbers 1 and 0."""
        for name, value in values.items() if isinstance(values, dict) else ():
            if any(isinstance(item, bool) for item in (value if isinstance(value, list) else [value])):
                raise ValueError(f"{name} must not be {str(bool(value)).lower()}: no parameter is true or false")
        return values

    @model_validator(mode="after")
    def _few_previews(self) -> Self:
        if self.preview_every and self.steps / self.preview_every > MAX_PREVIEWS:
            raise ValueError(
                f"preview_every must be at least {-(-self.steps // MAX_PREVIEWS)} for {self.steps} iterations"
            )
        return self

    def completed(self, network: Network) -> Self:
        """A copy that determines the picture: with model, seed and size, and all defaults filled in."""
        seed = secrets.randbelow(2**32) if self.seed is None else self.seed
        size = self.size or self.usual_size(network)
        return self.model_copy(update={"model": network.model.name, "seed": seed, "size": size})

    def usual_size(self, network: Network) -> int:
        """The short side of pictures for which none is given, in pixels."""
        return min(network.size)

    def to_record(self) -> dict[str, JsonValue]:
        """Completed parameters as the record of a job keeps them.

        Kind and class are left out, since the record has fields for them. The number of steps is always included as
        ``iterations``, even for kinds that have no such parameter.
        """
        return {**self.model_dump(mode="json", exclude={"kind", "class_id"}), "iterations": self.steps}

    @classmethod
    def from_record(cls, kind: str, class_id: int | None, stored: Mapping[str, JsonValue]) -> Self:
        """Completed parameters from the record of a job: the inverse of `to_record`.

        Raises pydantic's `ValidationError`.
        """
        values = {**stored, "kind": kind, "class_id": class_id}
        return cls.model_validate({name: value for name, value in values.items() if name in cls.model_fields})


class FromPhotograph(JobParameters):
    """Pictures that begin with a photograph, sent as the form field `image`."""

    images: ClassVar[tuple[str, ...]] = ("image",)
    size: Annotated[
        int | None,
        Field(ge=8, le=1024, description="Short side of the picture, in pixels; by default that of the network."),
    ] = None
    resize: Annotated[
        Resize | None,
        Field(
            description="`native`: aspect ratio kept. `squash`: the whole picture to the proportions of the network. "
            "`crop`: the central part of these proportions. By default `native`, where the network takes one size only "
            "`crop`."
        ),
    ] = None

    def completed(self, network: Network) -> Self:
        """With the way in which photographs are fitted."""
        usual = "native" if network.facts.takes_any_size else "crop"
        return super().completed(network).model_copy(update={"resize": self.resize or usual})
