"""Parameters of requests that put methods to the test."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from service.api.boxes import Edges, boxes_of, check_boxes
from service.api.parameters import (
    METHOD_FIELDS,
    ClassifyParameters,
    Targeted,
    TargetParameters,
    WithMethodFields,
    known_method,
)
from service.attribution import METHODS
from service.errors import InvalidParameter
from service.kinds.parameters import split_commas
from service.saliency.comparison import USUAL_METHODS, USUAL_METRICS
from service.saliency.explain import parameters_of
from service.saliency.metrics import METRICS, Amounts, default_metrics
from service.saliency.metrics.region import Box


def _known_metrics(names: list[str]) -> list[str]:
    if unknown := [name for name in names if name not in METRICS]:
        raise ValueError(f"there is no metric {unknown[0]!r}; there are: {', '.join(METRICS)}")
    return list(dict.fromkeys(names))


Metrics = Annotated[
    Annotated[list[str], Field(min_length=1, max_length=50), AfterValidator(_known_metrics)] | None,
    BeforeValidator(split_commas),
]


EVALUATED = default_metrics(with_region=False)
LOCALIZING = tuple(name for name in default_metrics(with_region=True) if METRICS[name].needs_region)


def _described(usual: Sequence[str]) -> str:
    """What the API says of the parameter. usual: the metrics that are measured by default."""
    return (
        f"What is measured, of {', '.join(METRICS)}; see `GET /evaluate/metrics`. Default: {', '.join(usual)}, "
        f"and with a `box` or a `mask` also {', '.join(LOCALIZING)}."
    )


class MeasuringParameters(ClassifyParameters):
    """What is measured, and how much is computed for it. usual: the metrics that are measured by default."""

    usual: ClassVar[tuple[str, ...]] = EVALUATED

    class_id: Annotated[
        int | None, Field(description="Class to explain; the predicted one if absent.", examples=[285])
    ] = None
    metrics: Annotated[Metrics, Field(description=_described(EVALUATED))] = None
    box: Annotated[
        Edges,
        Field(
            description="Where the object is: left, upper, right and lower edge in pixels of the upright photograph; "
            "so for each photograph. A form may hold a picture of the same size in the field `mask` instead, white "
            "where the object is.",
            examples=[[100, 20, 380, 300]],
        ),
    ] = None
    points: Annotated[int, Field(ge=4, le=224, description="Points of the deletion and insertion curves.")] = 28
    stages: Annotated[
        int,
        Field(
            ge=0,
            le=32,
            description="Stages in which the weights are randomized, from the last layer to the first; 0 for none.",
        ),
    ] = 6
    perturbations: Annotated[
        int, Field(ge=10, le=1000, description="Pictures with parts removed, for `infidelity` and `mu_fidelity`.")
    ] = 100
    neighbours: Annotated[
        int, Field(ge=1, le=100, description="Pictures nearby for which `sensitivity_max` makes the map again.")
    ] = 8

    @property
    def amounts(self) -> Amounts:
        """How much the metrics compute."""
        return Amounts(self.points, self.stages, self.perturbations, self.neighbours)

    @property
    def measured(self) -> tuple[str, ...]:
        """The metrics of completed parameters."""
        return tuple(self.metrics or ())

    @property
    def boxes(self) -> list[Box]:
        """The boxes, if there are any."""
        return boxes_of(self.box)

    def completed(self, photographs: int, with_masks: bool) -> Self:
        """With the metrics that are measured for so many photographs, with or without masks.

        Raises `InvalidParameter` if boxes are not one for each photograph, or if metrics need to know where the object
        is and nothing tells.
        """
        check_boxes(self.box, photographs, with_masks)
        known = with_masks or bool(self.box)
        names = self.metrics or [*self.usual, *(LOCALIZING if known else ())]
        if not known and (blind := [name for name in names if METRICS[name].needs_region]):
            raise InvalidParameter(
                f"{', '.join(blind)} can only be measured if it is known where the object is: send "
                "box=left,upper,right,lower in pixels of the photograph, or a file mask of its size, white where the "
                "object is"
            )
        return self.model_copy(update={"metrics": names})


class EvaluateParameters(MeasuringParameters, TargetParameters):
    """Parameters of `POST /evaluate`, in the query or as form fields."""


def _known_methods(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(known_method(name) for name in dict.fromkeys(names))


Methods = Annotated[
    Annotated[tuple[str, ...], Field(min_length=1, max_length=12), AfterValidator(_known_methods)],
    BeforeValidator(split_commas),
]


class SeveralMethods(WithMethodFields, Targeted):
    """Several methods, and parameters that go to all of them that take them."""

    methods: Annotated[
        Methods, Field(description=f"The methods, at most 12 of {', '.join(METHODS)}; see `GET /methods`.")
    ]

    @model_validator(mode="after")
    def _values_of_the_methods(self) -> Self:
        taken = {name for method in self.methods for name in METHODS[method].parameters.model_fields}
        if foreign := [name for name in METHOD_FIELDS if getattr(self, name) is not None and name not in taken]:
            takes = ", ".join(sorted(taken)) or "no parameters"
            raise ValueError(f"none of the methods takes {', '.join(foreign)}; they take {takes}")
        for method in self.methods:
            parameters_of(method, self.values_of(method))
        return self

    def values_of(self, method: str) -> dict[str, JsonValue]:
        """The parameters that are given and that the method takes."""
        names = METHODS[method].parameters.model_fields
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class CompareParameters(MeasuringParameters, SeveralMethods):
    """Parameters of `POST /compare`, in the query or as form fields. Those of methods go to all that take them."""

    usual: ClassVar[tuple[str, ...]] = USUAL_METRICS

    methods: Annotated[
        Methods, Field(description=f"The methods, at most 12 of {', '.join(METHODS)}; see `GET /methods`.")
    ] = USUAL_METHODS
    metrics: Annotated[Metrics, Field(description=_described(USUAL_METRICS))] = None
    points: Annotated[int, Field(ge=4, le=224, description="Points of the deletion and insertion curves.")] = 12
    stages: Annotated[
        int, Field(ge=1, le=32, description="Stages in which the weights are randomized, if that is measured.")
    ] = 3
    perturbations: Annotated[
        int, Field(ge=10, le=1000, description="Pictures with parts removed, for `infidelity` and `mu_fidelity`.")
    ] = 64

    def effective(self) -> dict[str, Any]:
        """The parameters that take effect, as answers report them."""
        unused = {name for name in METHOD_FIELDS if getattr(self, name) is None}
        return self.model_dump(mode="json", exclude=unused)
