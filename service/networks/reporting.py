"""Making the report of a network."""

import time
from collections.abc import Callable

import numpy as np

from service.errors import ModelError
from service.models.adapt import weight_count
from service.models.importing import operators
from service.networks.checking import gradient_error, smooth_image, uncovered
from service.networks.network import Network
from service.networks.report import Contents, Measured

FEW = 10  # nodes that a message lists


def contents_of(network: Network) -> Contents:
    """What the graph holds. Raises `ModelError` if it cannot be used."""
    manifest, facts, proto = network.model.manifest, network.facts, network.model.proto
    return Contents(
        task=manifest.task,
        input=manifest.input,
        layout=manifest.layout,
        height=facts.height,
        width=facts.width,
        any_size=facts.takes_any_size,
        batch=facts.batch,
        logits=manifest.logits,
        classes=network.classes,
        scores=manifest.scores,
        preprocessing=str(manifest.preprocessing),
        weights=weight_count(proto),
        operators=dict(sorted(operators(proto).items())),
        layers=len(network.layers),
        cam_layer=network.cam_layer,
    )


def measured(network: Network) -> Measured:
    """Run it. Raises `ModelError` if operators lack a rule."""
    if missing := uncovered(network):
        more = f" and {len(missing) - FEW} others" if len(missing) > FEW else ""
        raise ModelError(f"no gradient rule for {', '.join(missing[:FEW])}{more}; README.md says how to add one")
    image = smooth_image(network.size)[None]
    quantized = network.facts.quantized
    return Measured(
        forward_ms=_milliseconds(lambda: network.classify(image)),
        gradient_ms=_milliseconds(lambda: network.value_and_grad(image)),
        quantized=quantized,
        gradient_error=None if quantized else gradient_error(network),
    )


def _milliseconds(run: Callable[[], object]) -> float:
    """The median of five runs."""
    durations = []
    for _ in range(6):
        start = time.perf_counter()
        run()
        durations.append((time.perf_counter() - start) * 1e3)
    return float(np.median(durations[1:]))
