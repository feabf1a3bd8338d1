"""`POST /evaluate`: how much a saliency map can be trusted."""

from fastapi import APIRouter, Request, Response

from service.api.deps import ServicesDep
from service.api.negotiation import JSON, PNG, negotiate
from service.api.parameters import EvaluateParameters
from service.api.problems import BINARY, RESPONSES
from service.api.responses import evaluation_result, meta
from service.api.schemas import EvaluateAnswer
from service.api.uploads import read_photographs, request_described
from service.networks.network import Network
from service.saliency.effort import RunsNeeded, check_effort, effort, greatest_effort
from service.saliency.evaluation import evaluate, runs_needed
from service.saliency.explain import Question, question_of
from service.saliency.intake import read_and_fit
from service.settings import Settings
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["photographs"])


@router.post(
    "/evaluate",
    responses={200: {"model": EvaluateAnswer, "content": {PNG: BINARY}}, **RESPONSES},
    openapi_extra=request_described(EvaluateParameters),
)
async def evaluate_method(request: Request, services: ServicesDep) -> Response:
    """Put a method to the test on a photograph.

    Deletion and insertion (Petsiuk et al. 2018) against random and edge-detector baselines, completeness, and the
    cascading randomization of the weights (Adebayo et al. 2018). `application/json` gives the curves, `image/png`
    a plot. It takes some seconds.
    """
    media = negotiate(request, JSON, PNG)
    files, parameters = await read_photographs(request, EvaluateParameters, 1)
    network = services.network(parameters.model)
    question = question_of(
        network, parameters.method, parameters.method_values, parameters.class_id, parameters.other_class_id
    )
    return await services.work(
        lambda: _answer(network, files, question, parameters, media, services.settings),
        request,
        greatest_effort(network, _runs_of(question, parameters), 1, parameters.resize),
    )


def _runs_of(question: Question, parameters: EvaluateParameters) -> RunsNeeded:
    return lambda height, width: runs_needed(question, height, width, parameters.points, parameters.stages)


def _answer(
    network: Network,
    files: list[bytes],
    question: Question,
    parameters: EvaluateParameters,
    media: str,
    settings: Settings,
) -> Response:
    watch = Stopwatch()
    ((_, fitted),) = read_and_fit(network, files, parameters.intake(settings), watch)
    _, height, width = fitted.pixels.shape
    needed = effort(network, _runs_of(question, parameters), [(height, width)])
    check_effort(needed, settings.max_evaluations, "ask for fewer points or stages")
    with watch.stage("evaluate"):
        found = evaluate(network, fitted.pixels, question, parameters.points, parameters.stages)
    headers = {"Vary": "Accept", "Convlens-Provider": network.provider}
    if media == PNG:
        from service.saliency.plots import evaluation_plot  # loaded when it is first needed: it takes a second

        title = f"{question.method}, {network.model.manifest.labels[found.class_id]}"
        return Response(evaluation_plot(found, title), media_type=PNG, headers=headers)
    answer = EvaluateAnswer(meta=meta(network, parameters, watch), data=evaluation_result(network, found))
    return Response(answer.model_dump_json(), media_type=JSON, headers=headers)
