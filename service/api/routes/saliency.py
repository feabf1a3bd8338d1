"""`POST /saliency`: the pixels that a classification depends on."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Header, Request, Response

from service.api.access import CallerDep, count_jobs
from service.api.beside import besides, check_others, check_regions
from service.api.deps import Services, ServicesDep
from service.api.negotiation import JPEG, JSON, NPY, PICTURES, PNG, WEBP, negotiate
from service.api.parameters import SaliencyParameters
from service.api.problems import BINARY, RESPONSES
from service.api.responses import meta, saliency_result, style
from service.api.saliency_jobs import saliency_drafts
from service.api.schemas import SaliencyAnswer
from service.api.submission import accepted, fingerprint, submitted
from service.api.uploads import FILES_BESIDE, MASK, OTHER, Photographs, read_photographs_and, request_described
from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures.images import Media
from service.pictures.npy import encode_npy
from service.saliency.effort import RunsNeeded, check_effort, effort, greatest_effort
from service.saliency.explain import Explanation, Question, draw_all, explain, question_of, warning_of
from service.saliency.intake import read_and_fit
from service.settings import Settings
from service.telemetry.timing import Stopwatch

router = APIRouter(tags=["photographs"])

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The map, in the form that the Accept header asks for.",
        "model": SaliencyAnswer,
        "content": {PNG: BINARY, WEBP: BINARY, JPEG: BINARY, NPY: BINARY},
    }
}


@router.post(
    "/saliency", responses=ANSWERS | RESPONSES, openapi_extra=request_described(SaliencyParameters, FILES_BESIDE)
)
async def explain_photographs(
    request: Request,
    services: ServicesDep,
    owner: CallerDep,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, description="With `mode=job`, as for `POST /visualize`.")
    ] = None,
) -> Response:
    """A heatmap of the pixels that the score of a class depends on.

    `Accept: image/png`, `image/webp` or `image/jpeg` gives a picture, `application/json` the numbers and the map,
    `application/x-npy` the raw map (float32, not normalized). Several classes give several maps: in a picture side by
    side, in JSON one after the other.
    The same image and parameters give the same picture, byte for byte.

    `mode=job` answers 202 with a job, or with a batch for several images or classes; the job's picture is at
    `/visualize/{id}/image`, its raw map at `/visualize/{id}/artifacts/map.npy`.
    """
    media = negotiate(request, JSON, *PICTURES, NPY)
    sent, parameters = await read_photographs_and(
        request, SaliencyParameters, services.settings.max_images, (MASK, OTHER)
    )
    files, parameters = sent.images, parameters.completed(media)
    check_regions(sent, parameters.box, parameters.target)
    check_others(sent, parameters.target)
    network = services.network(parameters.model)
    questions = _questions(network, parameters)
    if parameters.mode == "job":
        return await _as_jobs(request, services, network, sent, questions, parameters, idempotency_key, owner)
    if media != JSON and len(files) > 1:
        raise InvalidParameter(f"{media} holds one image, {len(files)} were sent; ask for {JSON} or send one at a time")
    if media == NPY and len(questions) > 1:
        raise InvalidParameter(
            f"{media} holds the map of one class, {len(questions)} were asked for; "
            f"ask for {JSON} or one class at a time"
        )
    effort = greatest_effort(network, _runs_of(questions), len(files), parameters.resize)
    return await services.work(
        lambda: _answer(network, sent, questions, parameters, media, services.settings), request, effort
    )


def _questions(network: Network, parameters: SaliencyParameters) -> list[Question]:
    """One for each class asked for."""
    wanted: list[int | None] = [*parameters.class_id] if parameters.class_id else [None]
    method, values, other = parameters.method, parameters.method_values, parameters.other_class_id
    return [question_of(network, method, values, class_id, other, parameters.target) for class_id in wanted]


async def _as_jobs(
    request: Request,
    services: Services,
    network: Network,
    sent: Photographs,
    questions: list[Question],
    parameters: SaliencyParameters,
    key: str | None,
    owner: str | None,
) -> Response:
    made = await services.work(
        lambda: saliency_drafts(network, sent, questions, parameters, services.settings), request
    )
    await count_jobs(request, services, len(made))
    body = fingerprint(parameters.model_dump_json(), sent.named())
    return accepted(*await submitted(services, services.job_service, made, len(made) > 1, key, body, owner))


def _answer(
    network: Network,
    sent: Photographs,
    questions: list[Question],
    parameters: SaliencyParameters,
    media: str,
    settings: Settings,
) -> Response:
    watch = Stopwatch()
    taken = read_and_fit(network, sent.images, parameters.intake(settings), watch)
    beside = besides(network, sent, parameters.box, taken, parameters.intake(settings), watch)
    sizes = [(fitted.pixels.shape[1], fitted.pixels.shape[2]) for _, fitted in taken]
    needed = effort(network, _runs_of(questions), sizes)
    check_effort(needed, settings.max_evaluations, "send it with mode=job, or ask for less")
    explained = [
        [explain(network, photograph, one, question, watch, along) for question in questions]
        for (photograph, one), along in zip(taken, beside, strict=True)
    ]
    content = _render(network, explained, parameters, media, settings.max_side, watch)
    first = explained[0][0]
    headers = {
        "Vary": "Accept",
        "Server-Timing": ", ".join(f"{stage};dur={ms:.1f}" for stage, ms in watch.milliseconds.items()),
        "Convlens-Provider": network.provider,
        "Convlens-Zero-Gradient": str(first.is_empty).lower(),
        **_of_classes(network, explained[0]),
    }
    if warning := warning_of(network, parameters.method):
        headers["Convlens-Warning"] = warning
    return Response(content, media_type=media, headers=headers)


def _of_classes(network: Network, explained: list[Explanation]) -> dict[str, str]:
    """The headers that tell which classes were explained; none for another target."""
    ids = [one.class_id for one in explained if one.class_id is not None]
    headers = {"Convlens-Class-Id": ", ".join(map(str, ids))} if ids else {}
    found = [network.probability(one.probabilities[k]) for one, k in zip(explained, ids, strict=False)]
    if found and None not in found:
        headers["Convlens-Probability"] = ", ".join(f"{probability:.4f}" for probability in found)
    return headers


def _runs_of(questions: list[Question]) -> RunsNeeded:
    return lambda height, width: sum(question.runs_needed(height, width) for question in questions)


def _render(
    network: Network,
    explained: list[list[Explanation]],
    parameters: SaliencyParameters,
    media: str,
    max_side: int,
    watch: Stopwatch,
) -> bytes:
    if media == NPY:
        return encode_npy(explained[0][0].saliency)
    drawn = style(parameters, max_side)
    if media in PICTURES:
        return draw_all(explained[0], drawn, watch, cast(Media, media))
    warning = warning_of(network, parameters.method)
    data = [
        saliency_result(network, i, one, warning, drawn, watch, parameters.raw)
        for i, of_image in enumerate(explained)
        for one in of_image
    ]
    return SaliencyAnswer(meta=meta(network, parameters, watch), data=data).model_dump_json().encode()
