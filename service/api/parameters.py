"""Parameters of requests that carry photographs."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo

from service.api.boxes import Edges
from service.attribution import METHODS
from service.attribution.method import Sign
from service.kinds.parameters import split_commas
from service.pictures.images import Colormap, Decode, Resize
from service.saliency.explain import OVERLAY_SMOOTHING, Output, parameters_of
from service.saliency.grammar import FORM, as_text, known_target
from service.saliency.intake import Intake
from service.settings import Settings


def known_method(name: str) -> str:
    """The name of a method. Raises `ValueError` if there is none of that name."""
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}; there are: {', '.join(METHODS)}")
    return name


class ClassifyParameters(BaseModel):
    """Parameters of every request that carries photographs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[
        str | None, Field(description="Name of the model; the default one if absent.", examples=["squeezenet1_1"])
    ] = None
    resize: Annotated[
        Resize,
        Field(
            description="`squash`: the whole picture to the network's square. "
            "`crop`: short side to 256, the central 224 x 224. "
            "`native`: aspect ratio kept, short side 224."
        ),
    ] = "squash"
    decode: Annotated[
        Decode,
        Field(
            description="`exact`: every pixel of a JPEG. `fast`: a large JPEG at 1/2, 1/4 or 1/8 of its size, which "
            "takes half the time for 24 megapixels; pixels then differ by a level, and single values of a gradient map "
            "by much more."
        ),
    ] = "exact"

    def effective(self) -> dict[str, Any]:
        """The parameters that take effect, as answers report them."""
        return self.model_dump(mode="json")

    def intake(self, settings: Settings) -> Intake:
        """How the photographs are taken in."""
        return Intake(self.resize, self.decode, settings.max_pixels, settings.max_side)


def _method_fields() -> dict[str, Any]:
    """The parameters of all methods as optional fields, described with the methods that take them and the defaults."""
    users: dict[str, list[tuple[str, FieldInfo]]] = {}
    for method in METHODS.values():
        for name, info in method.parameters.model_fields.items():
            users.setdefault(name, []).append((method.name, info))
    fields = {}
    for name, uses in users.items():
        info = uses[0][1]
        defaults = ", ".join(f"`{method}`{'' if i.default is None else f' ({i.default})'}" for method, i in uses)
        is_shared = all(i.metadata == info.metadata for _, i in uses)  # else only the method knows its bounds
        bounded: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata and is_shared else info.annotation
        fields[name] = (bounded | None, Field(None, description=f"{info.description} For {defaults}."))
    return fields


METHOD_FIELDS = _method_fields()
WithMethodFields: Any = create_model("WithMethodFields", __base__=ClassifyParameters, **METHOD_FIELDS)


class Targeted(BaseModel):
    """What is explained, if it is not a class."""

    target: Annotated[
        Annotated[str, BeforeValidator(as_text), AfterValidator(known_target)] | None,
        Field(
            description="What is explained instead of the score of a class: a sum of " + FORM + ". An index leaves out "
            "the axis of images, `:` selects all and takes the mean; terms have weights like `0.5*class:285`. "
            "`region` is that of a `box` or of a file in the field `mask`, else where the network sees the class; "
            "`match` is how like a detection the box is that is most like it. `similarity` is that to the picture "
            'in the field `other`. In JSON a term is an object and a target is one or a list: `{"class": 285}`, '
            '`[{"output": "heat", "index": [0, "2:5"], "weight": 2}]`, `{"similarity": [0.1, …]}`.',
            examples=["log_odds:285"],
        ),
    ] = None

    @model_validator(mode="after")
    def _one_thing_to_explain(self) -> Self:
        if self.target is None:
            return self
        if any(getattr(self, name, None) is not None for name in ("class_id", "other_class_id")):
            raise ValueError("target says what is explained; leave out class_id and other_class_id")
        return self


class MethodParameters(WithMethodFields):
    """A method with its parameters, and the class to explain."""

    other_class_id: Annotated[
        int | None,
        Field(description="A class in contrast: what speaks for `class_id` rather than for this one.", examples=[282]),
    ] = None
    method: Annotated[
        str, AfterValidator(known_method), Field(description=f"One of {', '.join(METHODS)}; see `GET /methods`.")
    ] = "gradient"

    @model_validator(mode="after")
    def _only_of_the_method(self) -> Self:
        taken = METHODS[self.method].parameters.model_fields
        if foreign := [name for name in METHOD_FIELDS if getattr(self, name) is not None and name not in taken]:
            raise ValueError(
                f"the method {self.method} does not take {', '.join(foreign)}; "
                f"it takes {', '.join(taken) or 'no parameters'}"
            )
        parameters_of(self.method, self.method_values)
        return self

    @property
    def method_values(self) -> dict[str, JsonValue]:
        """The parameters of the method that are given."""
        return {name: value for name in METHOD_FIELDS if (value := getattr(self, name)) is not None}

    def effective(self) -> dict[str, Any]:
        """The parameters that take effect, as answers report them."""
        unused = METHOD_FIELDS.keys() - METHODS[self.method].parameters.model_fields.keys()
        return self.model_dump(mode="json", exclude=unused)

    def with_method_defaults(self) -> dict[str, Any]:
        """The parameters of the method, defaults filled in."""
        return METHODS[self.method].parameters(**self.method_values).model_dump()


class TargetParameters(MethodParameters, Targeted):
    """A method with its parameters, and the class or another target to explain."""


class SaliencyParameters(TargetParameters):
    """Parameters of `POST /saliency`, in the query or as form fields."""

    class_id: Annotated[
        list[int] | None,
        BeforeValidator(split_commas),
        Field(
            min_length=1,
            max_length=10,
            description="Class to explain, or several; the predicted one if absent.",
            examples=[[285]],
        ),
    ] = None
    box: Annotated[
        Edges,
        Field(description="For a `region`: left, upper, right and lower edge in pixels, so for each photograph."),
    ] = None
    mode: Annotated[
        Literal["now", "job"],
        Field(
            description="`job`: answer at once with a job in the manner of `/visualize`, for methods that take long."
        ),
    ] = "now"
    output: Annotated[
        Output | None,
        Field(
            description="What the picture shows: the map over the photograph (default for `image/png`), "
            "the map alone (default in JSON), "
            "or photograph, map and overlay side by side."
        ),
    ] = None
    sign: Annotated[
        Sign | None,
        Field(description="Which values of a signed map the picture shows; by default those that the method means."),
    ] = None
    colormap: Annotated[Colormap, Field(description="Colours from cold to hot.")] = "inferno"
    opacity: Annotated[float, Field(ge=0, le=1, description="Opacity of the hottest pixels of an overlay.")] = 0.9
    smoothing: Annotated[
        float | None,
        Field(
            ge=0,
            le=20,
            description="Gaussian smoothing of the picture, sigma in pixels of the map. "
            "Default: 1.5 for overlays, else 0.",
        ),
    ] = None

    raw: Annotated[
        bool, Field(description="In JSON: whether the raw map comes along, as a file in NumPy's format .npy in base64.")
    ] = False

    def completed(self, media: str) -> Self:
        """With the defaults that depend on other parameters and on the media type of the answer."""
        output = self.output or ("heatmap" if media == "application/json" else "overlay")
        smoothing = self.smoothing if self.smoothing is not None else 0.0 if output == "heatmap" else OVERLAY_SMOOTHING
        return self.model_copy(update={"output": output, "smoothing": smoothing, **self.with_method_defaults()})
