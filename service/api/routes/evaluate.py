"""`POST /evaluate`: how much a saliency map can be trusted."""

from fastapi import APIRouter, Request, Response

from service.api.beside import besides, check_others
from service.api.deps import ServicesDep
from service.api.evaluation_parameters import EvaluateParameters
from service.api.evaluation_schemas import EvaluateAnswer, MetricAnswer
from service.api.evaluations import evaluation_result
from service.api.negotiation import JSON, PNG, negotiate
from service.api.problems import BINARY, RESPONSES
from service.api.responses import meta, name_of
from service.api.uploads import FILES_BESIDE, MASK, OTHER, Photographs, read_photographs_and, request_described
from service.networks.network import Network
from service.saliency.effort import RunsNeeded, check_effort, effort, greatest_effort
from service.saliency.evaluation import evaluate, evaluation_runs
from service.saliency.explain import Question, question_of
from service.saliency.intake import read_and_fit
from service.saliency.metrics import METRICS, Amounts, Metric, runs_needed
from service.settings import Settings
from service.telemetry.timing import Stopwatch

router = APIRouter(prefix="/evaluate", tags=["photographs"])


@router.get("/metrics")
async def list_metrics() -> list[MetricAnswer]:
    """All metrics of `/evaluate` and `/compare`, with what they can and cannot tell."""
    return [_described(metric) for metric in METRICS.values()]


@router.post(
    "",
    responses={200: {"model": EvaluateAnswer, "content": {PNG: BINARY}}, **RESPONSES},
    openapi_extra=request_described(EvaluateParameters, FILES_BESIDE),
)
async def evaluate_method(request: Request, services: ServicesDep) -> Response:
    """Put a method to the test on a photograph.

    By default deletion and insertion (Petsiuk et al. 2018), completeness, the cascading randomization of the weights
    (Adebayo et al. 2018), sparseness and complexity; `metrics` names others. Random and edge-detector maps are measured
    beside, so that the numbers mean something. With a `box`, or a `mask` as a second file, it is measured whether the
    map is where the object is. `application/json` gives the numbers and curves, `image/png` a plot. It takes some
    seconds.
    """
    media = negotiate(request, JSON, PNG)
    sent, parameters = await read_photographs_and(request, EvaluateParameters, 1, (MASK, OTHER))
    check_others(sent, parameters.target)
    parameters = parameters.completed(1, bool(sent.masks))
    network = services.network(parameters.model)
    question = question_of(
        network,
        parameters.method,
        parameters.method_values,
        parameters.class_id,
        parameters.other_class_id,
        parameters.target,
    )
    return await services.work(
        lambda: _answer(network, sent, question, parameters, media, services.settings),
        request,
        greatest_effort(network, _runs_of(question, parameters), 1, parameters.resize),
    )


def _runs_of(question: Question, parameters: EvaluateParameters) -> RunsNeeded:
    return lambda height, width: evaluation_runs(question, height, width, parameters.measured, parameters.amounts)


def _answer(
    network: Network,
    sent: Photographs,
    question: Question,
    parameters: EvaluateParameters,
    media: str,
    settings: Settings,
) -> Response:
    watch = Stopwatch()
    intake = parameters.intake(settings)
    ((_, fitted),) = taken = read_and_fit(network, sent.images, intake, watch)
    (beside,) = besides(network, sent, parameters.box, taken, intake, watch)
    _, height, width = fitted.pixels.shape
    needed = effort(network, _runs_of(question, parameters), [(height, width)])
    check_effort(needed, settings.max_evaluations, "ask for fewer points or stages, or for fewer metrics")
    with watch.stage("evaluate"):
        found = evaluate(network, fitted.pixels, question, parameters.measured, parameters.amounts, beside)
    headers = {"Vary": "Accept", "Convlens-Provider": network.provider}
    if media == PNG:
        from service.saliency.plots import evaluation_plot  # loaded when it is first needed: it takes a second

        title = f"{question.method}, {name_of(network, found.class_id, parameters.target)}"
        return Response(evaluation_plot(found, title), media_type=PNG, headers=headers)
    answer = EvaluateAnswer(meta=meta(network, parameters, watch), data=evaluation_result(network, found))
    return Response(answer.model_dump_json(), media_type=JSON, headers=headers)


def _described(metric: Metric) -> MetricAnswer:
    return MetricAnswer(
        name=metric.name,
        summary=metric.summary,
        paper=metric.paper,
        better=metric.better,
        limits=metric.limits,
        default=metric.is_default,
        needs_region=metric.needs_region,
        evaluations=runs_needed([metric.name], [1], Amounts()),
    )
