"""Parameters of requests about layers of a network."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from service.api.parameters import ClassifyParameters
from service.attribution.baselines import Fill
from service.kinds.parameters import split_commas
from service.pictures.images import Colormap
from service.pictures.tints import COLOURS
from service.saliency.tcav import Pool

LayerName = Annotated[
    str | None, Field(description="Name of the layer; see `GET /models/{name}/layers`. Default: the last features.")
]


class ActivationParameters(ClassifyParameters):
    """Parameters of `POST /activations`, in the query or as form fields."""

    layer: Annotated[
        list[str] | None,
        BeforeValidator(split_commas),
        Field(
            min_length=1,
            max_length=32,
            description="Layer to look at, or several; in JSON all that the manifest lists if absent.",
        ),
    ] = None
    channels: Annotated[
        int, Field(ge=1, le=256, description="Most feature maps of a picture: the ones with the highest means.")
    ] = 64
    tile: Annotated[int, Field(ge=8, le=256, description="Side of one feature map in a picture, in pixels.")] = 56
    colormap: Annotated[Colormap, Field(description="Colours from no activation to the strongest.")] = "inferno"


class ConceptsParameters(ClassifyParameters):
    """Parameters of `POST /concepts`, in the query or as form fields."""

    class_id: Annotated[
        int | None,
        Field(description="Class that the factors matter for; that predicted for each photograph if absent."),
    ] = None
    layer: LayerName = None
    factors: Annotated[int, Field(ge=1, le=len(COLOURS), description="How many; more are smaller parts.")] = 5
    opacity: Annotated[float, Field(ge=0, le=1, description="Of the colours where a factor is the strongest.")] = 0.9


class ConductanceParameters(ClassifyParameters):
    """Parameters of `POST /conductance`, in the query or as form fields."""

    class_id: Annotated[int | None, Field(description="Class that is carried; the predicted one if absent.")] = None
    other_class_id: Annotated[
        int | None, Field(description="A class in contrast: what carries `class_id` rather than this one.")
    ] = None
    layer: LayerName = None
    steps: Annotated[int, Field(ge=1, le=1000, description="Parts of the path; more are more exact.")] = 64
    baseline: Annotated[
        Fill, Field(description="Where the path begins: a colour, the mean colour, or the picture blurred.")
    ] = "black"
    channels: Annotated[
        int, Field(ge=1, le=256, description="Most channels that are listed and drawn: those that carry most.")
    ] = 16
    tile: Annotated[
        int, Field(ge=32, le=256, description="Longest side of the map of one channel in a picture, in pixels.")
    ] = 160


class TcavParameters(ClassifyParameters):
    """Parameters of `POST /tcav`, in the query or as form fields."""

    class_id: Annotated[
        int | None,
        Field(description="Class whose score is looked at; that predicted for the first photograph if absent."),
    ] = None
    layer: LayerName = None
    pool: Annotated[
        Pool,
        Field(
            description="`mean`: activations are averaged over the places, so that it does not matter where a concept "
            "is. `none`: every place counts for itself, as in the paper."
        ),
    ] = "mean"
    splits: Annotated[
        int, Field(ge=2, le=500, description="Random splits of the pictures, a direction is found for each.")
    ] = 20
    seed: Annotated[
        int, Field(ge=0, lt=2**53, description="Of the random numbers: the same seed gives the same scores.")
    ] = 0
