"""`POST /predict`: what a network says of photographs, in the way of its task."""

import base64

import numpy as np
from fastapi import APIRouter, Request, Response

from service.api.deps import ServicesDep
from service.api.negotiation import JSON, PNG, negotiate
from service.api.parameters import ClassifyParameters
from service.api.predict_schemas import Covered, Mask, Object, PredictAnswer, PredictResult
from service.api.problems import BINARY, RESPONSES
from service.api.responses import classified, meta, prediction
from service.api.uploads import FILES, OTHER, Photographs, read_photographs_and, request_described
from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Pixels
from service.pictures.images import Fitted
from service.pictures.tints import framed, painted
from service.saliency.detections import Detected
from service.saliency.intake import read_and_fit
from service.saliency.predict import Predicted, mask_picture, predict, run_lengths, shares
from service.settings import Settings
from service.telemetry.timing import Stopwatch

OPACITY = 0.6
APPLIES = 0.5  # the least probability of a class that applies

router = APIRouter(tags=["photographs"])


@router.post(
    "/predict",
    responses={200: {"model": PredictAnswer, "content": {PNG: BINARY}}, **RESPONSES},
    openapi_extra=request_described(
        ClassifyParameters, {**FILES, OTHER: "Pictures to compare with, for an embedding: one for each image."}
    ),
)
async def predict_photographs(request: Request, services: ServicesDep) -> Response:
    """What the network says of photographs: classes, those that apply, numbers, a mask, boxes, or a vector.

    That depends on its `task`, see `GET /models/{name}`. `Accept: image/png` gives the mask or the boxes over
    the photograph.
    """
    media = negotiate(request, JSON, PNG)
    sent, parameters = await read_photographs_and(
        request, ClassifyParameters, services.settings.max_images, beside=(OTHER,)
    )
    network = services.network(parameters.model)
    task = network.model.manifest.task
    if media == PNG and (task not in ("segmentation", "detection") or len(sent.images) > 1):
        raise InvalidParameter(
            f"{media} shows one segmentation or detection; {network.model.name} has the task {task}, and "
            f"{len(sent.images)} were sent"
        )
    if sent.others and task != "embedding":
        raise InvalidParameter(f"pictures are compared by an embedding; {network.model.name} has the task {task}")
    return await services.work(lambda: _answer(network, sent, parameters, media, services.settings), request)


def _answer(
    network: Network, sent: Photographs, parameters: ClassifyParameters, media: str, settings: Settings
) -> Response:
    watch = Stopwatch()
    intake = parameters.intake(settings)
    taken, others = (read_and_fit(network, files, intake, watch) for files in (sent.images, sent.others))
    with watch.stage("run"):
        found = [predict(network, fitted.pixels) for _, fitted in taken]
        compared: list[Predicted | None] = [predict(network, fitted.pixels) for _, fitted in others]
    if media == PNG:
        ((photograph, fitted),) = taken
        seen = images.cut(photograph, fitted.box, settings.max_side)
        return Response(images.encode_png(_drawn(seen, found[0])), media_type=PNG)
    data = [
        _result(network, one, fitted, other)
        for one, (_, fitted), other in zip(found, taken, compared or [None] * len(taken), strict=True)
    ]
    return Response(PredictAnswer(meta=meta(network, parameters, watch), data=data).model_dump_json(), media_type=JSON)


def _drawn(seen: Pixels, one: Predicted) -> Pixels:
    """The mask or the boxes over what the network sees of the photograph."""
    if one.mask is not None:
        return painted(seen, one.mask, OPACITY)
    height, width = seen.shape[:2]
    boxes = [(b[0] * width, b[1] * height, b[2] * width, b[3] * height) for b in (each.box for each in one.boxes or [])]
    return framed(seen, boxes, [each.class_id for each in one.boxes or []])


def _result(network: Network, one: Predicted, fitted: Fitted, other: Predicted | None) -> PredictResult:
    task, labels = network.model.manifest.task, network.model.manifest.labels
    if task == "regression":
        return PredictResult(task=task, values=dict(zip(labels, map(float, one.values), strict=True)))
    if task == "embedding":
        return PredictResult(task=task, vector=one.values.tolist(), similarity=_cosine(one, other))
    if task == "multilabel":
        order = np.argsort(-one.values, kind="stable")
        chosen = [int(i) for i in order if one.values[i] >= APPLIES]
        return PredictResult(task=task, predictions=[prediction(network, i, one.values) for i in chosen])
    if one.boxes is not None:
        return PredictResult(task=task, objects=[_object(network, each, fitted) for each in one.boxes])
    if one.mask is None:
        return PredictResult(task=task, predictions=classified(network, one.values).predictions)
    return PredictResult(task=task, mask=_mask(network, one, fitted))


def _object(network: Network, one: Detected, fitted: Fitted) -> Object:
    left, upper, right, lower = fitted.sent_box
    width, height = right - left, lower - upper
    x0, y0, x1, y1 = one.box
    return Object(
        class_id=one.class_id,
        name=network.model.manifest.labels[one.class_id],
        probability=one.probability,
        box=(left + x0 * width, upper + y0 * height, left + x1 * width, upper + y1 * height),
    )


def _mask(network: Network, one: Predicted, fitted: Fitted) -> Mask:
    assert one.mask is not None
    covered = shares(one.mask, network.classes)
    classes = [
        Covered(
            class_id=int(i),
            name=network.model.manifest.labels[i],
            share=float(covered[i]),
            run_lengths=run_lengths(one.mask, int(i)),
        )
        for i in np.argsort(-covered, kind="stable")
        if covered[i] > 0
    ]
    height, width = one.mask.shape
    png = base64.b64encode(mask_picture(one.mask)).decode()
    return Mask(width=width, height=height, box=fitted.sent_box, classes=classes, png=png)


def _cosine(one: Predicted, other: Predicted | None) -> float | None:
    if other is None:
        return None
    lengths = float(np.linalg.norm(one.values) * np.linalg.norm(other.values))
    return float(one.values @ other.values) / lengths if lengths else 0.0
