"""`POST /conductance`: which channels of a layer carry the score of a class."""

import base64

import numpy as np
from fastapi import APIRouter, Request, Response

from service.api.concept_schemas import ChannelConductance, ConductanceAnswer, ConductanceOfLayer
from service.api.deps import ServicesDep
from service.api.layer_parameters import ConductanceParameters
from service.api.negotiation import JSON, NPY, PNG, negotiate
from service.api.problems import BINARY, RESPONSES
from service.api.responses import classified, meta, prediction
from service.api.uploads import read_photographs, request_described
from service.networks.network import Network
from service.pictures import images
from service.pictures.npy import encode_npy
from service.saliency.conductance import Carried, carried, draw
from service.saliency.effort import TINTED_OF_A_RUN, RunsNeeded, check_effort, effort, greatest_effort
from service.saliency.explain import check_class
from service.saliency.intake import read_and_fit
from service.settings import Settings
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["photographs"])


@router.post(
    "/conductance",
    responses={200: {"model": ConductanceAnswer, "content": {PNG: BINARY, NPY: BINARY}}, **RESPONSES},
    openapi_extra=request_described(ConductanceParameters),
)
async def show_conductance(request: Request, services: ServicesDep) -> Response:
    """What each channel of a layer carries of the score of a class for a photograph (Dhamdhere et al. 2018).

    The conductance of a neuron is what passes through it along the path of integrated gradients, from a baseline to the
    photograph; that of a channel is the sum over its places, and that of a layer the difference of the scores at both
    ends. `application/json` gives a ranked table, `image/png` the maps of the channels that carry most, orange where
    they speak for the class and blue where against it, `application/x-npy` the conductance of every neuron
    (float32, channels x height x width).
    """
    media = negotiate(request, JSON, PNG, NPY)
    files, parameters = await read_photographs(request, ConductanceParameters, 1)
    network = services.network(parameters.model)
    check_class(network, parameters.class_id)
    check_class(network, parameters.other_class_id, "other_class_id")
    layer = network.layer(parameters.layer or network.usual_layer).name
    parameters = parameters.model_copy(update={"layer": layer})
    drawn = 0 if media == NPY else parameters.channels * parameters.tile**2 / TINTED_OF_A_RUN
    needed = greatest_effort(network, _runs_of(parameters), 1, parameters.resize) + drawn
    return await services.work(
        lambda: _answer(network, files, layer, parameters, media, services.settings), request, needed
    )


def _runs_of(parameters: ConductanceParameters) -> RunsNeeded:
    return lambda _, __: (parameters.steps + 1) * (1 if parameters.other_class_id is None else 2)


def _answer(
    network: Network, files: list[bytes], layer: str, parameters: ConductanceParameters, media: str, settings: Settings
) -> Response:
    watch = Stopwatch()
    ((photograph, fitted),) = read_and_fit(network, files, parameters.intake(settings), watch)
    _, height, width = fitted.pixels.shape
    check_effort(
        effort(network, _runs_of(parameters), [(height, width)]), settings.max_evaluations, "ask for fewer steps"
    )
    asked = parameters.class_id, parameters.other_class_id, parameters.baseline, parameters.steps
    with watch.stage("run"):
        one = carried(network, fitted.pixels, layer, *asked)
    headers = {"Vary": "Accept", "Convlens-Provider": network.provider}
    if media == NPY:
        return Response(encode_npy(one.found.values.astype(np.float32)), media_type=NPY, headers=headers)
    with watch.stage("draw"):
        picture = images.encode_png(draw(one, photograph, fitted, parameters.channels, parameters.tile))
    if media == PNG:
        return Response(picture, media_type=PNG, headers=headers)
    data = _of_layer(network, one, parameters, picture)
    answer = ConductanceAnswer(meta=meta(network, parameters, watch), data=data)
    return Response(answer.model_dump_json(), media_type=JSON, headers=headers)


def _of_layer(network: Network, one: Carried, parameters: ConductanceParameters, picture: bytes) -> ConductanceOfLayer:
    found, channels = one.found, one.found.channels
    probabilities, total = network.probabilities(found.at.logits)[0], float(channels.sum())
    strongest = [
        ChannelConductance(
            channel=c, conductance=float(channels[c]), share=float(channels[c]) / total if total else None
        )
        for c in one.ranked[: parameters.channels]
    ]
    return ConductanceOfLayer(
        predictions=classified(network, probabilities).predictions,
        layer=one.layer,
        explained=prediction(network, int(found.at.class_ids[0]), probabilities),
        other_class_id=parameters.other_class_id,
        score=float(found.at.scores[0]),
        score_difference=found.difference,
        completeness_error=found.error,
        channels=len(channels),
        strongest=strongest,
        png=base64.b64encode(picture).decode(),
    )
