"""`POST /tcav`: whether the score of a class grows in the direction of a concept."""

from fastapi import APIRouter, Request, Response

from service.api.concept_schemas import SensitivityAnswer, TcavAnswer, TcavResult
from service.api.deps import ServicesDep
from service.api.layer_parameters import TcavParameters
from service.api.negotiation import JSON, PNG, negotiate
from service.api.problems import BINARY, RESPONSES
from service.api.responses import meta
from service.api.uploads import FIELD, read_sets, request_described
from service.networks.network import Network
from service.saliency.effort import check_effort, greatest_effort
from service.saliency.explain import check_class
from service.saliency.tcav import SPLITS_OF_A_RUN, Concept, Examples, Question, check_examples, try_concept
from service.settings import Settings
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["photographs"])

FILES = {
    "concept": "Pictures of the concept: stripes, for instance.",
    "random": "Pictures of anything else.",
    FIELD: "Photographs of the class.",
}
MANY = 8  # times as many pictures as other requests may hold


@router.post(
    "/tcav",
    responses={200: {"model": TcavAnswer, "content": {PNG: BINARY}}, **RESPONSES},
    openapi_extra=request_described(TcavParameters, FILES, [*FILES]),
)
async def run_tcav(request: Request, services: ServicesDep) -> Response:
    """Test a class with a concept that you show in pictures (Kim et al. 2018).

    In the activations of a layer the direction from random pictures to those of the concept is found (logistic
    regression). The TCAV score is the share of the photographs of the class whose score grows in that direction, and it
    is compared with the scores of directions between random pictures. `application/json` gives the numbers, `image/png`
    a plot. Send about twenty pictures of the concept, at least as many random ones and ten photographs of the class.
    """
    media = negotiate(request, JSON, PNG)
    most = MANY * services.settings.max_images
    files, parameters = await read_sets(request, TcavParameters, [*FILES], most)
    examples = Examples(files["concept"], files["random"], files[FIELD])
    check_examples(examples)
    network = services.network(parameters.model)
    check_class(network, parameters.class_id)
    layer = network.layer(parameters.layer or network.usual_layer).name
    parameters = parameters.model_copy(update={"layer": layer})
    needed = greatest_effort(network, lambda _, __: 1, sum(map(len, files.values())), parameters.resize)
    needed += parameters.splits / SPLITS_OF_A_RUN
    check_effort(needed, services.settings.max_evaluations, "send fewer pictures, or use resize=squash or crop")
    return await services.work(
        lambda: _answer(network, examples, layer, parameters, media, services.settings), request, needed
    )


def _answer(
    network: Network, examples: Examples, layer: str, parameters: TcavParameters, media: str, settings: Settings
) -> Response:
    watch = Stopwatch()
    asked = Question(layer, parameters.class_id, parameters.pool, parameters.splits, parameters.seed)
    found = try_concept(network, examples, asked, parameters.intake(settings), watch)
    headers = {"Vary": "Accept", "Convlens-Provider": network.provider}
    if media == PNG:
        from service.saliency.plots import concept_plot  # loaded when it is first needed: it takes a second

        title = f"{network.model.manifest.labels[found.class_id]}, {layer}"
        return Response(concept_plot(found.tested, title), media_type=PNG, headers=headers)
    answer = TcavAnswer(meta=meta(network, parameters, watch), data=_result(network, layer, found))
    return Response(answer.model_dump_json(), media_type=JSON, headers=headers)


def _result(network: Network, layer: str, found: Concept) -> TcavResult:
    tests = found.tested
    return TcavResult(
        layer=layer,
        class_id=found.class_id,
        name=network.model.manifest.labels[found.class_id],
        score=float(tests.scores.mean()),
        deviation=float(tests.scores.std(ddof=1)),
        scores=tests.scores.tolist(),
        random_score=float(tests.random_scores.mean()),
        random_scores=tests.random_scores.tolist(),
        p_value=tests.p_value,
        accuracy=tests.accuracy,
        random_accuracy=tests.random_accuracy,
        photographs=[
            SensitivityAnswer(score=float(score), sensitivity=float(sensitivity))
            for score, sensitivity in zip(found.class_scores, tests.sensitivities, strict=True)
        ],
    )
