"""What the command line tells of a model."""

import time
from collections.abc import Callable

import numpy as np

from service.models.adapt import float_weights
from service.models.importing import operators
from service.networks.checking import gradient_error, smooth_image, uncovered
from service.networks.network import Network


def tell(network: Network) -> None:
    """Print what the graph holds, which operators lack a rule, the layers, the cost, and how good the gradient is."""
    manifest, adapted = network.model.manifest, network.model.adapted
    size = "x".join(map(str, adapted.image_size)) if adapted.image_size else "any size"
    batch = ", one image at a time" if adapted.one_by_one else ""
    print(f"input       {manifest.input}: {manifest.layout}, {size}{batch}")
    print(f"logits      {manifest.logits}: {network.classes} classes")
    print(f"pixels      {manifest.preprocessing}")
    print(f"weights     {float_weights(adapted.proto):,} numbers")
    print("operators   " + ", ".join(f"{name} {count}" for name, count in sorted(operators(adapted.proto).items())))
    print(f"layers      {len(network.layers)}, for class activation maps: {network.cam_layer}")
    if missing := uncovered(network):
        print("NO RULE     " + ", ".join(missing))
        print("The model cannot be served. README.md says how to add a rule.")
        return
    image = smooth_image(manifest.size)[None]
    forward, gradient = (
        _milliseconds(lambda: network.classify(image)),
        _milliseconds(lambda: network.value_and_grad(image)),
    )
    print(f"cost        {forward:.1f} ms forward, {gradient:.1f} ms with gradient, on one core")
    error = gradient_error(network)
    if error is None:
        print("gradient    too small at the trial picture to be checked: the score hardly depends on the pixels there")
    else:
        print(f"gradient    differs from central differences by {error:.1e} of its size")


def _milliseconds(run: Callable[[], object]) -> float:
    """The median of five runs."""
    durations = []
    for _ in range(6):
        start = time.perf_counter()
        run()
        durations.append((time.perf_counter() - start) * 1e3)
    return float(np.median(durations[1:]))
