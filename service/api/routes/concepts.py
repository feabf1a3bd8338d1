"""`POST /concepts`: what the channels of a layer see together, and what it means for a class."""

import base64

import numpy as np
from fastapi import APIRouter, Request, Response

from service.api.concept_schemas import (
    ChannelWeight,
    ConceptsAnswer,
    ConceptsOfLayer,
    FactorAnswer,
    FactorsOfPhotograph,
)
from service.api.deps import ServicesDep
from service.api.layer_parameters import ConceptsParameters
from service.api.negotiation import JSON, NPY, PNG, negotiate
from service.api.problems import BINARY, RESPONSES
from service.api.responses import classified, meta, prediction
from service.api.uploads import read_photographs, request_described
from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures import images, tints
from service.pictures.npy import encode_npy
from service.saliency.concepts import Concepts, Portrayed, draw, effort_of, find_concepts
from service.saliency.effort import greatest_effort
from service.saliency.explain import check_class
from service.saliency.intake import read_and_fit
from service.settings import Settings
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["photographs"])

LISTED = 10  # channels of each factor


@router.post(
    "/concepts",
    responses={200: {"model": ConceptsAnswer, "content": {PNG: BINARY, NPY: BINARY}}, **RESPONSES},
    openapi_extra=request_described(ConceptsParameters),
)
async def find_concepts_in_photographs(request: Request, services: ServicesDep) -> Response:
    """The factors of a layer: few directions in the space of its channels, of which all activations are made.

    They are found in all photographs of the request together (non-negative matrix factorization), so that one colour
    means the same in all of them. `Accept: image/png` shows where each factor is, and how much it adds to the score of
    the class, `application/json` also which channels it is made of, `application/x-npy` the maps of the factors
    (float32, photographs x factors x height x width). The same photographs and parameters give the same factors.
    """
    media = negotiate(request, JSON, PNG, NPY)
    files, parameters = await read_photographs(request, ConceptsParameters, services.settings.max_images)
    network = services.network(parameters.model)
    check_class(network, parameters.class_id)
    layer = network.layer(parameters.layer or network.usual_layer).name
    parameters = parameters.model_copy(update={"layer": layer})
    effort = greatest_effort(network, lambda _, __: 1, len(files), parameters.resize)
    effort += effort_of(network, layer, parameters.factors, len(files))
    return await services.work(
        lambda: _answer(network, files, layer, parameters, media, services.settings), request, effort
    )


def _answer(
    network: Network, files: list[bytes], layer: str, parameters: ConceptsParameters, media: str, settings: Settings
) -> Response:
    watch = Stopwatch()
    taken = read_and_fit(network, files, parameters.intake(settings), watch)
    with watch.stage("run"):
        found = find_concepts(network, taken, layer, parameters.factors, parameters.class_id)
    headers = {"Vary": "Accept", "Convlens-Provider": network.provider}
    return Response(_render(network, found, parameters, media, settings, watch), media_type=media, headers=headers)


def _render(
    network: Network, found: Concepts, parameters: ConceptsParameters, media: str, settings: Settings, watch: Stopwatch
) -> bytes:
    if media == NPY:
        maps = [each.strengths for each in found.portrayed]
        if len({each.shape for each in maps}) > 1:
            raise InvalidParameter(f"{media} holds maps of one size; use resize=squash or crop")
        return encode_npy(np.stack(maps))
    with watch.stage("draw"):
        picture = images.encode_png(draw(network, found, parameters.opacity, settings.max_side))
    if media == PNG:
        return picture
    data = ConceptsOfLayer(
        layer=found.layer,
        factors=[_factor(found, k) for k in range(len(found.importances))],
        relative_error=found.relative_error,
        negative=found.negative,
        photographs=[_of_photograph(network, each) for each in found.portrayed],
        png=base64.b64encode(picture).decode(),
    )
    return ConceptsAnswer(meta=meta(network, parameters, watch), data=data).model_dump_json().encode()


def _factor(found: Concepts, k: int) -> FactorAnswer:
    weights = found.directions[k]
    largest = np.argsort(-weights, kind="stable")[:LISTED]
    return FactorAnswer(
        colour=tints.COLOURS[k],
        importance=float(found.importances[k]),
        channels=[ChannelWeight(channel=int(c), weight=float(weights[c])) for c in largest if weights[c] > 0],
    )


def _of_photograph(network: Network, one: Portrayed) -> FactorsOfPhotograph:
    return FactorsOfPhotograph(
        predictions=classified(network, one.probabilities).predictions,
        explained=prediction(network, one.class_id, one.probabilities),
        score=one.score,
        importances=one.importances.tolist(),
        total=one.total,
        places=[_place(each) for each in one.strengths],
    )


def _place(strengths: images.Floats) -> tuple[float, float]:
    height, width = strengths.shape
    y, x = divmod(int(strengths.argmax()), width)
    return (x + 0.5) / width, (y + 0.5) / height
