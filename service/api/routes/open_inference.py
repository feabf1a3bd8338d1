"""`/v2`: the Open Inference Protocol, as the clients of KServe, Triton and others speak it."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service import __version__
from service.api.deps import Services, ServicesDep
from service.api.inference_answers import VERSION, inferred, metadata, outputs_wanted
from service.api.inference_requests import OCTETS, Body, fitted, pictures_of, read_body
from service.api.inference_schemas import (
    InferAnswer,
    InferRequest,
    Live,
    ModelMetadata,
    ModelReady,
    ServerMetadata,
    ServerReady,
    WantedOutput,
)
from service.api.json_bodies import json_described, parsed
from service.api.problems import BINARY, PROTOCOL_RESPONSES
from service.errors import NotFound, Unready
from service.networks.network import Network
from service.saliency.effort import effort, one_run
from service.saliency.infer import infer
from service.saliency.intake import Sent, greatest_sizes
from service.telemetry.timing import Stopwatch

NOT_READY: dict[int | str, dict[str, Any]] = {503: {**PROTOCOL_RESPONSES["4XX"], "description": "Not yet."}}

health = APIRouter(prefix="/v2/health", tags=["inference protocols"])
router = APIRouter(prefix="/v2", tags=["inference protocols"])


async def _only_version(version: str) -> None:
    if version != VERSION:
        raise NotFound(f"there is no version {version[:40]!r}; each model has the version {VERSION} only")


MODEL, VERSIONED = "/models/{name}", "/models/{name}/versions/{version}"
OF_VERSION: dict[str, Any] = {"dependencies": [Depends(_only_version)], "include_in_schema": False}


@health.get("/live")
async def is_live() -> Live:
    """The process is alive."""
    return Live()


@health.get("/ready", responses=NOT_READY)
async def is_ready(services: ServicesDep) -> ServerReady:
    """The service has warmed up."""
    if services.readiness.reason is not None:
        raise Unready(f"not ready: {services.readiness.reason}", retry_after=1)
    return ServerReady()


@router.get("")
async def show_server() -> ServerMetadata:
    """The server and the extensions of the protocol that it knows."""
    return ServerMetadata(version=__version__)


@router.get(VERSIONED, **OF_VERSION)
@router.get(MODEL, responses=PROTOCOL_RESPONSES)
async def show_metadata(name: str, request: Request, services: ServicesDep) -> ModelMetadata:
    """The input and the outputs of a model. There is one version of each, `/v2/models/{name}/versions/1`.

    The input is what the service makes of photographs, whatever the file takes: RGB from 0 to 1, the colours first.
    Beside FP32 it takes FP16 and FP64, UINT8 as (N, height, width, 3), and image files as BYTES (N).
    """
    network = services.network(name)
    return await services.work(lambda: metadata(network), request)


@router.get(f"{VERSIONED}/ready", **OF_VERSION)
@router.get(f"{MODEL}/ready", responses=PROTOCOL_RESPONSES | NOT_READY)
async def is_model_ready(name: str, services: ServicesDep) -> ModelReady:
    """The model answers."""
    return ModelReady(name=services.network(name).model.name)


@router.post(f"{VERSIONED}/infer", **OF_VERSION)
@router.post(
    f"{MODEL}/infer",
    responses={200: {"model": InferAnswer, "content": {OCTETS: BINARY}}, **PROTOCOL_RESPONSES},
    openapi_extra=json_described(InferRequest, **{OCTETS: BINARY}),
)
async def run_model(name: str, request: Request, services: ServicesDep) -> Response:
    """The outputs of a model for pictures.

    Tensors are numbers in JSON, or bytes behind it; then the header `Inference-Header-Content-Length` tells the length
    of the JSON.
    """
    network, body = services.network(name), await read_body(request)
    asked, wanted, sent = await services.work(lambda: _read(body, network, services), request)
    needed = effort(network, one_run, greatest_sizes(network, sent, asked.parameters.resize))
    return await services.work(lambda: _answer(network, asked, wanted, sent, services), request, needed)


def _read(body: Body, network: Network, services: Services) -> tuple[InferRequest, list[WantedOutput], list[Sent]]:
    asked = parsed(InferRequest, body.json)
    wanted = outputs_wanted(asked, network)
    return asked, wanted, pictures_of(asked, body.binary, network, services.settings.max_images)


def _answer(
    network: Network, asked: InferRequest, wanted: Sequence[WantedOutput], sent: Sequence[Sent], services: Services
) -> Response:
    watch = Stopwatch()
    pictures = fitted(network, sent, asked.parameters, one_run, services.settings, watch)
    with watch.stage("run"):
        found = infer(network, pictures)
    with watch.stage("encode"):
        return inferred(network, asked, wanted, found)
