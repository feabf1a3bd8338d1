"""`POST /classify`: what the network sees in photographs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.api.answers import classified, meta
from service.api.deps import ServicesDep
from service.api.parameters import ClassifyParameters
from service.api.problems import RESPONSES
from service.api.schemas import ClassifyAnswer
from service.api.uploads import merged, read_upload, request_body
from service.saliency import classify, enough_for, fit_all, read
from service.timing import Stopwatch

router = APIRouter(tags=["photographs"])


@router.post("/classify", responses=RESPONSES, openapi_extra=request_body(ClassifyParameters))
async def classify_photographs(request: Request, services: ServicesDep, query: Annotated[ClassifyParameters, Query()]) -> ClassifyAnswer:
    """The five most probable classes of each photograph."""
    upload = await read_upload(request, services.settings.max_images)
    parameters = merged(query, upload.fields)
    network = services.network(parameters.model)
    watch = Stopwatch()

    def work() -> ClassifyAnswer:
        photographs = read(upload.files, services.settings.max_pixels, enough_for(network), watch)
        probabilities = classify(network, fit_all(network, photographs, parameters.resize, watch), watch)
        data = [classified(network, each) for each in probabilities]
        return ClassifyAnswer(meta=meta(network, parameters, watch), data=data)

    return await services.work(work)
