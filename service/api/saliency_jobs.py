"""Saliency maps of photographs as jobs to be submitted."""

from collections.abc import Sequence
from dataclasses import replace

from service.api.beside import besides
from service.api.parameters import SaliencyParameters
from service.api.responses import style
from service.api.uploads import Photographs
from service.jobs.ledger import Draft
from service.networks.network import Network
from service.pictures import images
from service.pictures.decode import Photograph
from service.pictures.turns import Turn
from service.runtime.demand import current
from service.saliency.explain import Question
from service.saliency.grammar import Wanted
from service.saliency.intake import read_and_fit_one
from service.saliency.job import KIND, SEEN, SaliencyJobParameters, pictures_beside
from service.saliency.targets import resolve
from service.settings import Settings
from service.telemetry.timing import Stopwatch


def saliency_drafts(
    network: Network,
    sent: Photographs,
    questions: Sequence[Question],
    parameters: SaliencyParameters,
    settings: Settings,
) -> list[Draft]:
    """A job for each photograph and question. Raises for every fault that can be seen before it runs."""
    stored = SaliencyJobParameters(
        model=network.model.name,
        method=parameters.method,
        values=parameters.method_values,
        resize=parameters.resize,
        other_class_id=parameters.other_class_id,
        target=parameters.target,
        style=style(parameters, settings.max_side),
    ).model_dump(mode="json")
    target = questions[0].target
    pictures = [_pictures(network, sent, i, target, parameters, settings) for i in range(len(sent.images))]
    return [
        Draft(KIND, question.class_id, stored, question.runs_needed(*network.size), picture)
        for picture in pictures
        for question in questions
    ]


def _pictures(
    network: Network,
    sent: Photographs,
    i: int,
    target: Wanted | None,
    parameters: SaliencyParameters,
    settings: Settings,
) -> dict[str, bytes]:
    """The pictures of a job, as PNGs to be stored: what is drawn on, what the network sees, what is sent along."""
    intake, watch = parameters.intake(settings), Stopwatch()
    with Turn(current().check) as turn:
        photograph, fitted = read_and_fit_one(network, sent.images[i], intake, watch, turn)
        network.check_size(*fitted.pixels.shape[1:])
        drawn = images.cut(photograph, photograph.box, 2 * settings.max_side)
        small = replace(Photograph.of(drawn), size=photograph.size)
        del photograph
    edges = None if parameters.box is None else parameters.box[4 * i : 4 * i + 4]
    (beside,) = besides(network, sent.only(i), edges, [(small, fitted)], intake, watch)
    if target is not None:
        resolve(network, fitted.pixels, target, beside)  # the network may not see what is to be explained
    return {
        "image": images.encode_png(drawn),
        SEEN: images.encode_png(images.to_pixels(fitted.pixels)),
        **pictures_beside(beside),
    }
