"""`POST /activations`: what the layers of the network see in a photograph."""

from fastapi import APIRouter, Request, Response

from service.api.deps import ServicesDep
from service.api.layer_parameters import ActivationParameters
from service.api.negotiation import JSON, NPY, PNG, negotiate
from service.api.problems import BINARY, RESPONSES
from service.api.responses import layer_activation, meta
from service.api.schemas import ActivationAnswer
from service.api.uploads import read_photographs, request_described
from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures import images
from service.pictures.npy import encode_npy
from service.runtime.demand import current
from service.saliency.activations import Activation, activations, grid
from service.saliency.effort import PIXELS_OF_A_RUN, greatest_effort
from service.saliency.intake import read_and_fit
from service.settings import Settings
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["photographs"])


@router.post(
    "/activations",
    responses={200: {"model": ActivationAnswer, "content": {PNG: BINARY, NPY: BINARY}}, **RESPONSES},
    openapi_extra=request_described(ActivationParameters),
)
async def show_activations(request: Request, services: ServicesDep) -> Response:
    """The feature maps of layers.

    `Accept: image/png` gives a grid of the strongest maps of one layer, `application/x-npy` all numbers of one layer
    (float32, channels x height x width), `application/json` a summary and a grid of every layer asked for.
    """
    media = negotiate(request, JSON, PNG, NPY)
    files, parameters = await read_photographs(request, ActivationParameters, 1)
    network = services.network(parameters.model)
    layers = parameters.layer or (list(network.listed_layers) if media == JSON else [network.usual_layer])
    for name in layers:
        network.layer(name)
    if media != JSON and len(layers) > 1:
        raise InvalidParameter(
            f"{media} holds one layer, {len(layers)} were asked for; ask for {JSON} or one layer at a time"
        )
    drawn = len(layers) * parameters.channels * parameters.tile**2 / PIXELS_OF_A_RUN
    effort = greatest_effort(network, lambda _, __: 1, 1, parameters.resize) + drawn
    return await services.work(
        lambda: _answer(network, files, layers, parameters, media, services.settings), request, effort
    )


def _answer(
    network: Network,
    files: list[bytes],
    layers: list[str],
    parameters: ActivationParameters,
    media: str,
    settings: Settings,
) -> Response:
    watch = Stopwatch()
    ((_, fitted),) = read_and_fit(network, files, parameters.intake(settings), watch)
    with watch.stage("run"):
        found = activations(network, fitted.pixels, layers)
    headers = {"Vary": "Accept", "Convlens-Provider": network.provider}
    return Response(_render(network, found, parameters, media, watch), media_type=media, headers=headers)


def _render(
    network: Network, found: list[Activation], parameters: ActivationParameters, media: str, watch: Stopwatch
) -> bytes:
    if media == NPY:
        return encode_npy(found[0].values)
    if media == PNG:
        return images.encode_png(grid(found[0], parameters.channels, parameters.tile, parameters.colormap))
    data = []
    for each in found:
        current().check()
        data.append(layer_activation(each, parameters))
    return ActivationAnswer(meta=meta(network, parameters, watch), data=data).model_dump_json().encode()
