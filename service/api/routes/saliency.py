"""`POST /saliency`: the pixels that a classification depends on."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.api.answers import meta, npy, saliency_result, style
from service.api.deps import ServicesDep
from service.api.negotiation import JSON, NPY, PNG, negotiate
from service.api.problems import RESPONSES
from service.api.schemas import SaliencyAnswer, SaliencyParameters
from service.api.uploads import merged, read_upload, request_body
from service.errors import InvalidParameter
from service.network import Network
from service.saliency import Explanation, check_class, draw, enough_for, explain, fit_all, read
from service.settings import Settings
from service.timing import Stopwatch

router = APIRouter(tags=["photographs"])

BINARY = {"schema": {"type": "string", "format": "binary"}}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The map, in the form that the Accept header asks for.",
        "model": SaliencyAnswer,
        "content": {PNG: BINARY, NPY: BINARY},
    }
}


@router.post("/saliency", responses=ANSWERS | RESPONSES, openapi_extra=request_body(SaliencyParameters))
async def explain_photographs(request: Request, services: ServicesDep, query: Annotated[SaliencyParameters, Query()]) -> Response:
    """A heatmap of the pixels that the score of a class depends on.

    `Accept: image/png` gives a picture, `application/json` the numbers and the map, `application/x-npy` the raw map (float32, not
    normalized).
    The same image and parameters give the same picture, byte for byte.
    """
    media = negotiate(request, JSON, PNG, NPY)
    upload = await read_upload(request, services.settings.max_images)
    parameters = merged(query, upload.fields).completed(media)
    network = services.network(parameters.model)
    check_class(network, parameters.class_id)
    if media != JSON and len(upload.files) > 1:
        raise InvalidParameter(f"{media} holds one image, {len(upload.files)} were sent; ask for {JSON} or send one at a time")
    return await services.work(lambda: _answer(network, upload.files, parameters, media, services.settings))


def _answer(network: Network, files: list[bytes], parameters: SaliencyParameters, media: str, settings: Settings) -> Response:
    watch = Stopwatch()
    drawn = settings.max_side if parameters.output != "heatmap" else 0
    photographs = read(files, settings.max_pixels, enough_for(network, drawn), watch)
    fitted = fit_all(network, photographs, parameters.resize, watch)
    explained = explain(network, photographs, fitted, parameters.method, parameters.class_id, watch)
    content = _render(network, explained, parameters, media, settings.max_side, watch)
    first = explained[0]
    headers = {
        "Vary": "Accept",
        "Server-Timing": ", ".join(f"{stage};dur={ms:.1f}" for stage, ms in watch.milliseconds.items()),
        "Convlens-Provider": network.provider,
        "Convlens-Class-Id": str(first.class_id),
        "Convlens-Probability": f"{first.probabilities[first.class_id]:.4f}",
        "Convlens-Zero-Gradient": str(first.zero_gradient).lower(),
    }
    return Response(content, media_type=media, headers=headers)


def _render(
    network: Network,
    explained: list[Explanation],
    parameters: SaliencyParameters,
    media: str,
    max_side: int,
    watch: Stopwatch,
) -> bytes:
    if media == NPY:
        return npy(explained[0].saliency)
    drawn = style(parameters, max_side)
    if media == PNG:
        return draw(explained[0], drawn, watch)
    data = [saliency_result(network, one, drawn, watch) for one in explained]
    return SaliencyAnswer(meta=meta(network, parameters, watch), data=data).model_dump_json().encode()
