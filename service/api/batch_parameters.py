"""Parameters of `POST /batches`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from service.api.evaluation_parameters import Methods, Metrics, SeveralMethods
from service.attribution import METHODS
from service.attribution.method import Sign
from service.batches.parameters import BatchParameters
from service.networks.network import Network
from service.pictures.images import Colormap
from service.saliency.explain import OVERLAY_SMOOTHING, Style
from service.saliency.grammar import parse
from service.saliency.metrics import METRICS


class BatchRequest(SeveralMethods):
    """Parameters of `POST /batches`, in the query or as form fields. Those of methods go to all that take them."""

    methods: Annotated[
        Methods, Field(description=f"A method, or several of {', '.join(METHODS)}; see `GET /methods`.")
    ] = ("gradient",)
    class_id: Annotated[
        int | None, Field(description="Class to explain; of each picture the predicted one if absent.", examples=[285])
    ] = None
    other_class_id: Annotated[
        int | None, Field(description="A class in contrast: what speaks for `class_id` rather than for this one.")
    ] = None
    dtype: Annotated[
        Literal["float32", "float16"],
        Field(
            description="Of the maps. `float16` takes half the bytes; values below 6e-8 become 0, above 65504 infinite."
        ),
    ] = "float32"
    overlays: Annotated[bool, Field(description="Whether each map is laid over its picture too, as a PNG.")] = False
    max_side: Annotated[int, Field(ge=16, le=2048, description="Longest side of an overlay, in pixels.")] = 512
    sign: Annotated[Sign | None, Field(description="Which values of a signed map an overlay shows.")] = None
    colormap: Annotated[Colormap, Field(description="Colours of overlays from cold to hot.")] = "inferno"
    opacity: Annotated[float, Field(ge=0, le=1, description="Opacity of the hottest pixels of an overlay.")] = 0.9
    smoothing: Annotated[
        float, Field(ge=0, le=20, description="Gaussian smoothing of overlays, sigma in pixels of the map.")
    ] = OVERLAY_SMOOTHING
    metrics: Annotated[
        Metrics, Field(description="What is measured of each map; see `GET /evaluate/metrics`. Nothing by default.")
    ] = None
    source: Annotated[
        str | None,
        Field(max_length=1000, description="Of a manifest: where its pictures are, one of `CONVLENS_BATCH_SOURCES`."),
    ] = None
    open: Annotated[
        bool, Field(description="Begin with nothing: parts are added with `PUT /batches/{id}/parts/{name}`.")
    ] = False

    @model_validator(mode="after")
    def _without_anything_beside(self) -> Self:
        if blind := [name for name in self.metrics or () if METRICS[name].needs_region]:
            raise ValueError(f"{', '.join(blind)} can only be measured if it is known where the object is")
        if self.target is not None and parse(self.target).needs_picture:
            raise ValueError("similarity needs a second picture for each; use POST /saliency, or a vector")
        return self

    def stored(self, network: Network) -> BatchParameters:
        """What the record keeps, defaults filled in. Raises `InvalidParameter` for what the network does not have."""
        style = Style("overlay", self.colormap, self.opacity, self.smoothing, self.max_side, self.sign)
        kept = BatchParameters(
            model=network.model.name,
            methods={name: METHODS[name].parameters(**self.values_of(name)).model_dump() for name in self.methods},
            class_id=self.class_id,
            other_class_id=self.other_class_id,
            target=self.target,
            resize=self.resize,
            decode=self.decode,
            dtype=self.dtype,
            style=style if self.overlays else None,
            metrics=tuple(self.metrics or ()),
        )
        kept.questions(network)
        return kept
