"""From photographs to saliency maps: decode, fit, attribute. Joins images, networks and attribution; knows no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import softmax

from service import images
from service.attribution import METHODS, Evaluation
from service.errors import InvalidParameter
from service.images import Colormap, Fitted, Floats, Photograph, Pixels, Resize
from service.network import Network
from service.objectives import PREDICTED
from service.timing import Stopwatch

Output = Literal["overlay", "heatmap", "panel"]


@dataclass(frozen=True)
class Explanation:
    """One photograph, what the network makes of it, and the map of the pixels that the score depends on.

    photograph: as decoded. fitted: what the network saw of it. saliency: float32 (h, w), not normalized.
    probabilities: (classes,). score: of class_id, the differentiated value, taken before the final ReLU if ``before_relu``.
    """

    photograph: Photograph
    fitted: Fitted
    saliency: Floats
    probabilities: Floats
    class_id: int
    score: float
    before_relu: bool
    zero_gradient: bool


def read(files: Sequence[bytes], max_pixels: int, enough: int, watch: Stopwatch) -> list[Photograph]:
    """Decode the files in turn, no larger than needed where that is cheaper; see `service.images.decode`."""
    with watch.stage("decode"):
        return [images.decode(data, max_pixels, enough) for data in files]


def enough_for(network: Network, max_side: int = 0) -> int:
    """The short side that a photograph needs: twice what the network sees, so that scaling it down is still smooth, and what is drawn."""
    return max(2 * network.model.manifest.resize, max_side)


def fit_all(network: Network, photographs: Sequence[Photograph], resize: Resize, watch: Stopwatch) -> list[Fitted]:
    """Scale each photograph for the network."""
    manifest = network.model.manifest
    with watch.stage("resize"):
        return [images.fit(photograph.pixels, manifest.size, manifest.resize, resize) for photograph in photographs]


def classify(network: Network, fitted: Sequence[Fitted], watch: Stopwatch) -> list[Floats]:
    """The class probabilities (classes,) of each picture."""
    with watch.stage("run"):
        return [softmax(network.classify(one.pixels[None]), axis=1)[0] for one in fitted]


def explain(
    network: Network,
    photographs: Sequence[Photograph],
    fitted: Sequence[Fitted],
    method: str,
    class_id: int | None,
    watch: Stopwatch,
) -> list[Explanation]:
    """Attribute the score of the class, of each picture's predicted one by default, to the pixels of each picture."""
    check_class(network, class_id)
    wanted = np.array([PREDICTED if class_id is None else class_id])
    explanations = []
    for photograph, one in zip(photographs, fitted, strict=True):
        with watch.stage("run"):
            maps, at = METHODS[method](network.evaluate, one.pixels[None], wanted)
        explanations.append(_explanation(photograph, one, maps, at))
    return explanations


def check_class(network: Network, class_id: int | None) -> None:
    """Raise `InvalidParameter` when the network has no class of that id."""
    if class_id is not None and not 0 <= class_id < network.classes:
        raise InvalidParameter(f"class_id must be from 0 to {network.classes - 1} for {network.model.name}; it is {class_id}")


def _explanation(photograph: Photograph, fitted: Fitted, maps: Floats, at: Evaluation) -> Explanation:
    return Explanation(
        photograph=photograph,
        fitted=fitted,
        saliency=maps[0],
        probabilities=softmax(at.logits, axis=1)[0],
        class_id=int(at.class_ids[0]),
        score=float(at.scores[0]),
        before_relu=bool(at.before_relu[0]),
        zero_gradient=not at.gradients[0].any(),
    )


@dataclass(frozen=True)
class Style:
    """How a map is drawn. smoothing: sigma of a Gaussian, in pixels of the map. max_side: of an overlay, in pixels."""

    output: Output
    colormap: Colormap
    opacity: float
    smoothing: float
    max_side: int


def draw(explanation: Explanation, style: Style, watch: Stopwatch) -> bytes:
    """The PNG: ``overlay``, ``heatmap``, or as ``panel`` the photograph, the map and the overlay side by side."""
    with watch.stage("colour"):
        heat = images.normalize(explanation.saliency, style.smoothing)
        picture = None if style.output == "heatmap" else _over_photograph(explanation, heat, style)
    with watch.stage("encode"):
        return images.encode_heatmap(heat, style.colormap) if picture is None else images.encode_png(picture)


def _over_photograph(explanation: Explanation, heat: Floats, style: Style) -> Pixels:
    seen = images.cut(explanation.photograph.pixels, explanation.fitted.box, style.max_side)
    overlay = images.overlay(seen, heat, style.colormap, style.opacity)
    if style.output == "overlay":
        return overlay
    return images.beside(seen, images.scale_to(images.heatmap(heat, style.colormap), like=seen), overlay)
