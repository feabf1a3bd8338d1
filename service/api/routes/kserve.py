"""`/v1`: KServe's first protocol, with its verb to explain."""

from typing import TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from service.api.deps import Services, ServicesDep
from service.api.inference_answers import check_values, explanation, rows
from service.api.inference_requests import fitted, instances_of, read_body
from service.api.inference_schemas import (
    ExplainRequest,
    Explanations,
    ModelNames,
    ModelReady,
    Predictions,
    PredictRequest,
)
from service.api.json_bodies import json_described, parsed
from service.api.negotiation import JSON
from service.api.problems import PROTOCOL_RESPONSES
from service.api.routes.open_inference import NOT_READY
from service.networks.network import Network
from service.pictures.decode import Photograph
from service.pictures.images import to_pixels
from service.saliency.effort import effort, one_run
from service.saliency.explain import explain, question_of, warning_of
from service.saliency.infer import infer
from service.saliency.intake import Sent, greatest_sizes
from service.telemetry.timing import Stopwatch

M = TypeVar("M", PredictRequest, ExplainRequest)

router = APIRouter(prefix="/v1/models", tags=["inference protocols"])


@router.get("")
async def list_names(services: ServicesDep) -> ModelNames:
    """The models that answer."""
    networks = services.networks
    return ModelNames(models=[model.name for model in networks.library if networks.is_served(model.name)])


@router.get("/{name}", responses=PROTOCOL_RESPONSES | NOT_READY)
async def is_model_ready(name: str, services: ServicesDep) -> ModelReady:
    """The model answers."""
    return ModelReady(name=services.network(name).model.name)


@router.post(
    "/{name}:predict",
    responses={200: {"model": Predictions}, **PROTOCOL_RESPONSES},
    openapi_extra=json_described(PredictRequest),
)
async def predict(name: str, request: Request, services: ServicesDep) -> Response:
    """What a network says of pictures."""
    network = services.network(name)
    asked, sent = await _read(PredictRequest, network, request, services)

    def work() -> Response:
        watch = Stopwatch()
        pictures = fitted(network, sent, asked.parameters, one_run, services.settings, watch)
        with watch.stage("run"):
            found = infer(network, pictures)
        return _json(Predictions(predictions=rows(network, found)))

    needed = effort(network, one_run, greatest_sizes(network, sent, asked.parameters.resize))
    return await services.work(work, request, needed)


@router.post(
    "/{name}:explain",
    responses={200: {"model": Explanations}, **PROTOCOL_RESPONSES},
    openapi_extra=json_described(ExplainRequest),
)
async def explain_instances(name: str, request: Request, services: ServicesDep) -> Response:
    """A map of the pixels that the score of a class, or another target, depends on, for each picture.

    `parameters` are those of `POST /saliency`: the `method` with its own, `class_id`, `other_class_id` or `target`.
    """
    network = services.network(name)
    asked, sent = await _read(ExplainRequest, network, request, services)
    wanted = asked.parameters
    question = question_of(
        network, wanted.method, wanted.method_values, wanted.class_id, wanted.other_class_id, wanted.target
    )

    def work() -> Response:
        watch = Stopwatch()
        pictures = fitted(network, sent, wanted, question.runs_needed, services.settings, watch)
        if wanted.maps == "values":
            check_values(sum(one.pixels[0].size for one in pictures), "the maps have", "ask for maps=npy")
        warning = warning_of(network, wanted.method)
        found = [explain(network, Photograph.of(to_pixels(one.pixels)), one, question, watch) for one in pictures]
        return _json(
            Explanations(explanations=[explanation(network, one, warning, wanted.maps == "npy") for one in found])
        )

    needed = effort(network, question.runs_needed, greatest_sizes(network, sent, wanted.resize))
    return await services.work(work, request, needed)


async def _read(model: type[M], network: Network, request: Request, services: Services) -> tuple[M, list[Sent]]:
    """The request and its pictures."""
    body = await read_body(request)

    def work() -> tuple[M, list[Sent]]:
        asked = parsed(model, body.json)
        return asked, instances_of(asked.instances, network, services.settings.max_images)

    return await services.work(work, request)


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type=JSON)
