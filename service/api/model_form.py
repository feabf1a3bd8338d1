"""Reading an uploaded network from a form: its files, and what is said of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json
from starlette.datastructures import FormData, UploadFile

from service.api.forms import parsed
from service.api.uploads import is_form, validated
from service.errors import InvalidParameter, UnsupportedMedia
from service.kinds.parameters import split_commas
from service.models.labels import imagenet_labels, labels_in_text
from service.models.manifest import Channels, Scores, Side, Task, slug
from service.models.uploaded import check_name, check_weights
from service.models.usual import PREPROCESSINGS, usual

MODEL, WEIGHTS = "model", "weights"
MOST_WEIGHTS = 16  # files
MOST_FIELDS = 16
IMAGENET = "imagenet"
Numbers = Annotated[list[float] | None, BeforeValidator(split_commas), Field(min_length=1, max_length=4)]


class ModelParameters(BaseModel):
    """What is said of an uploaded network. What is left out is read from the file or guessed, and the guess told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str | None, Field(description="Name in URLs; that of the file if absent.")] = None
    title: Annotated[str | None, Field(max_length=200, description="A line for people.")] = None
    labels: Annotated[
        str | None, Field(description="The class names, one a line, or `imagenet`; ImageNet's for 1,000 classes.")
    ] = None
    task: Annotated[Task | None, Field(description="What it tells.")] = None
    output: Annotated[str | None, Field(description="The output with the scores, where there are several.")] = None
    scores: Annotated[Scores | None, Field(description="What makes probabilities of the scores.")] = None
    preprocessing: Annotated[
        Literal[tuple(sorted(PREPROCESSINGS | usual("L")))] | None,  # type: ignore[valid-type]
        Field(description="A usual preprocessing, in the place of a guess."),
    ] = None
    scale: Annotated[float | None, Field(description="What it wants instead of 1 for a full pixel, such as 255.")] = (
        None
    )
    mean: Annotated[Numbers, Field(description="What is taken off each channel, after `scale`.")] = None
    std: Annotated[Numbers, Field(description="By what each channel is divided.")] = None
    channels: Annotated[Channels | None, Field(description="The channels in their order; `L` is grey.")] = None
    size: Annotated[
        list[Side] | None,
        BeforeValidator(split_commas),
        Field(min_length=1, max_length=2, description="Height and width that it was trained on; one for a square."),
    ] = None
    fixed: Annotated[
        Json[dict[str, Any]] | None,
        Field(description='Other inputs of the graph in JSON, as in `{"im_shape": [[224, 224]]}`.'),
    ] = None

    def choices(self) -> dict[str, Any]:
        """What is given, as `Choices` takes it."""
        given = self.model_dump(exclude={"name"}, exclude_none=True)
        if self.labels is not None:
            given["labels"] = imagenet_labels() if self.labels.strip() == IMAGENET else labels_in_text(self.labels)
        if self.size is not None:
            given["size"] = (self.size[0], self.size[-1])
        return given


@dataclass(frozen=True)
class ModelForm:
    """An uploaded network. files: by their names, the ONNX file first; open as long as the form is."""

    name: str
    files: dict[str, IO[bytes]]
    choices: dict[str, Any]


@asynccontextmanager
async def model_form(request: Request) -> AsyncIterator[ModelForm]:
    """The network in a request, whose files are open within the ``with`` block.

    Raises `UnsupportedMedia`, `BrokenBody`, `InvalidParameter` or `RequestValidationError`.
    """
    if not is_form(request):
        raise UnsupportedMedia(f"send multipart/form-data with a file in the field {MODEL!r} (curl -F model=@net.onnx)")
    form = await parsed(request, MOST_WEIGHTS + 1, MOST_FIELDS)
    try:
        yield _read(form)
    finally:
        await form.close()


def _read(form: FormData) -> ModelForm:
    files: dict[str, list[UploadFile]] = {MODEL: [], WEIGHTS: []}
    texts: dict[str, str] = {}
    for field, value in form.multi_items():
        if isinstance(value, UploadFile) != (field in files):
            raise InvalidParameter(f"files belong in {MODEL!r} and {WEIGHTS!r}, and nothing else; {field!r} is wrong")
        if isinstance(value, UploadFile):
            files[field] += [value] if value.filename or value.size else []  # browsers send fields without a file
        elif value.strip():
            texts[field] = value
    if len(files[MODEL]) != 1:
        raise InvalidParameter(f"send one ONNX file in the field {MODEL!r} (curl -F model=@net.onnx)")
    parameters = validated(ModelParameters, texts, "form")
    (model,) = files[MODEL]
    name = parameters.name or slug(Path(model.filename or "").stem)
    check_name(name)
    weights = {file.filename or "": file.file for file in files[WEIGHTS]}
    check_weights([file.filename or "" for file in files[WEIGHTS]])
    return ModelForm(name, {f"{name}.onnx": model.file, **weights}, parameters.choices())


def form_described() -> dict[str, Any]:
    """The OpenAPI description of the form."""
    file = {"type": "string", "format": "binary"}
    files = {
        MODEL: {**file, "description": "The ONNX file."},
        WEIGHTS: {
            "type": "array",
            "items": file,
            "description": "Files beside it with its weights, under the names that it says.",
        },
    }
    schema = ModelParameters.model_json_schema()
    form = {"type": "object", "required": [MODEL], "properties": {**files, **schema["properties"]}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}
