"""`POST /classify`: what the network sees in photographs."""

from fastapi import APIRouter, Request

from service.api.deps import ServicesDep
from service.api.parameters import ClassifyParameters
from service.api.problems import RESPONSES
from service.api.responses import classified, meta
from service.api.schemas import ClassifyAnswer
from service.api.uploads import read_photographs, request_described
from service.saliency.explain import classify
from service.saliency.intake import read_and_fit
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["photographs"])


@router.post("/classify", responses=RESPONSES, openapi_extra=request_described(ClassifyParameters))
async def classify_photographs(request: Request, services: ServicesDep) -> ClassifyAnswer:
    """The five most probable classes of each photograph."""
    files, parameters = await read_photographs(request, ClassifyParameters, services.settings.max_images)
    network = services.network(parameters.model)
    watch = Stopwatch()

    def work() -> ClassifyAnswer:
        taken = read_and_fit(network, files, parameters.intake(services.settings), watch)
        probabilities = classify(network, [fitted for _, fitted in taken], watch)
        data = [classified(network, each) for each in probabilities]
        return ClassifyAnswer(meta=meta(network, parameters, watch), data=data)

    return await services.work(work, request)
