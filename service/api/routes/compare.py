"""`POST /compare`: several methods put to the same tests."""

from fastapi import APIRouter, Request, Response

from service.api.beside import besides, check_others
from service.api.deps import ServicesDep
from service.api.evaluation_parameters import CompareParameters
from service.api.evaluation_schemas import CompareAnswer
from service.api.evaluations import comparison_result
from service.api.negotiation import JSON, PNG, negotiate
from service.api.problems import BINARY, RESPONSES
from service.api.responses import meta, name_of
from service.api.uploads import FILES_BESIDE, MASK, OTHER, Photographs, read_photographs_and, request_described
from service.networks.network import Network
from service.saliency.comparison import compare, comparison_runs
from service.saliency.effort import check_effort, effort, greatest_effort
from service.saliency.explain import Question, question_of
from service.saliency.intake import read_and_fit
from service.settings import Settings
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["photographs"])
TILE = 224  # longest side of a picture in the plot, in pixels


@router.post(
    "/compare",
    responses={200: {"model": CompareAnswer, "content": {PNG: BINARY}}, **RESPONSES},
    openapi_extra=request_described(CompareParameters, FILES_BESIDE),
)
async def compare_methods(request: Request, services: ServicesDep) -> Response:
    """Compare several methods by several metrics on one or several photographs.

    `application/json` gives a table of methods and metrics (means over the photographs), the rank of each method in
    each metric, mean ranks, and the time and the number of runs of each method; `image/png` the maps over the
    photographs with the numbers under them. Random and edge-detector maps are measured beside. Boxes or masks say where
    the object is, one for each photograph. It takes some seconds for each.
    """
    media = negotiate(request, JSON, PNG)
    most = services.settings.max_images
    sent, parameters = await read_photographs_and(request, CompareParameters, most, (MASK, OTHER))
    check_others(sent, parameters.target)
    parameters = parameters.completed(len(sent.images), bool(sent.masks))
    network = services.network(parameters.model)
    questions = [
        question_of(network, method, parameters.values_of(method), parameters.class_id, None, parameters.target)
        for method in parameters.methods
    ]
    runs = comparison_runs(questions, parameters.measured, parameters.amounts)
    return await services.work(
        lambda: _answer(network, sent, questions, parameters, media, services.settings),
        request,
        greatest_effort(network, runs, len(sent.images), parameters.resize),
    )


def _answer(
    network: Network,
    sent: Photographs,
    questions: list[Question],
    parameters: CompareParameters,
    media: str,
    settings: Settings,
) -> Response:
    watch = Stopwatch()
    intake = parameters.intake(settings)
    taken = read_and_fit(network, sent.images, intake, watch)
    metrics, amounts = parameters.measured, parameters.amounts
    sizes = [(fitted.pixels.shape[1], fitted.pixels.shape[2]) for _, fitted in taken]
    needed = effort(network, comparison_runs(questions, metrics, amounts), sizes)
    check_effort(needed, settings.max_evaluations, "compare fewer methods, metrics or photographs at a time")
    along = besides(network, sent, parameters.box, taken, intake, watch)
    with watch.stage("compare"):
        side = TILE if media == PNG else None
        found = compare(network, taken, questions, metrics, amounts, along, side)
    headers = {"Vary": "Accept", "Convlens-Provider": network.provider}
    if media == PNG:
        from service.saliency.plots import comparison_plot  # loaded when it is first needed: it takes a second

        names = [name_of(network, findings.class_id, parameters.target) for findings in found.findings]
        return Response(comparison_plot(found, names), media_type=PNG, headers=headers)
    answer = CompareAnswer(meta=meta(network, parameters, watch), data=comparison_result(network, found))
    return Response(answer.model_dump_json(), media_type=JSON, headers=headers)
