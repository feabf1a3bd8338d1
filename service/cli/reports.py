"""What the command line tells of a model."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from service.errors import ModelError
from service.models.adapt import weight_count
from service.models.drafting import Choices, Drafted, draft
from service.models.importing import operators, place
from service.models.reading import read_onnx
from service.models.usual import usual
from service.networks import checking
from service.networks.checking import gradient_error, smooth_image, uncovered
from service.networks.network import Network
from service.pictures.decode import decode
from service.saliency.explain import classify
from service.saliency.intake import fit
from service.telemetry.timing import Stopwatch

FEW = 10  # nodes that a message lists


def tell(network: Network) -> None:
    """Print what the graph holds, the layers, the cost, and how good the gradient is.

    Raises `ModelError` if operators lack a rule.
    """
    manifest, facts, proto = network.model.manifest, network.facts, network.model.proto
    width, height = (side or "any" for side in (facts.width, facts.height))
    size = "any size" if facts.takes_any_size else f"{width} x {height}"
    batch = f", {facts.batch} at a time" if facts.batch else ""
    print(f"input       {manifest.input}: {manifest.layout}, {size}{batch}")
    print(f"scores      {manifest.logits}: {network.classes} classes, {manifest.scores}")
    print(f"pixels      {manifest.preprocessing}")
    print(f"weights     {weight_count(proto):,} numbers")
    print("operators   " + ", ".join(f"{name} {count}" for name, count in sorted(operators(proto).items())))
    print(f"layers      {len(network.layers)}, for class activation maps: {network.cam_layer or 'none'}")
    if missing := uncovered(network):
        more = f" and {len(missing) - FEW} others" if len(missing) > FEW else ""
        raise ModelError(f"no gradient rule for {', '.join(missing[:FEW])}{more}; README.md says how to add one")
    image = smooth_image(network.size)[None]
    forward, gradient = (
        _milliseconds(lambda: network.classify(image)),
        _milliseconds(lambda: network.value_and_grad(image)),
    )
    print(f"cost        {forward:.1f} ms forward, {gradient:.1f} ms with gradient, on one core")
    if network.facts.quantized:
        print("gradient    passes roundings as if they were not there, so differences do not tell how good it is")
        return
    error = gradient_error(network)
    if error is None:
        print("gradient    too small at the trial picture to be checked: the score hardly depends on the pixels there")
    else:
        print(f"gradient    differs from central differences by {error:.1e} of its size")


def tell_guesses(drafted: Drafted) -> None:
    """Print what the manifest only guesses."""
    if drafted.guesses:
        print("look these over:")
    for name, why in drafted.guesses.items():
        print(f"{name:11} " + why.replace("\n", f"\n{'':12}"))


def tell_alternatives(path: Path, choices: Choices, photograph: bytes, max_pixels: int) -> None:
    """Print the classes that the network sees in a photograph under each usual preprocessing."""
    with tempfile.TemporaryDirectory() as folder:
        drafted = draft(read_onnx(path), path, choices)
        guess = drafted.manifest.preprocessing
        known = usual(guess.channels)
        for name, preprocessing in (known if guess in known.values() else {"as chosen": guess, **known}).items():
            manifest = drafted.manifest.model_copy(update={"preprocessing": preprocessing})
            print(f"{name}{', the guess' if preprocessing == guess else ''}")
            written = place(path, Path(folder), Drafted(manifest))
            _tell_classes(checking.standalone(written), photograph, max_pixels)


TOP = 5


def _tell_classes(network: Network, photograph: bytes, max_pixels: int) -> None:
    """Print the most probable classes of a photograph."""
    (seen,) = classify(network, [fit(network, decode(photograph, max_pixels), "crop")], Stopwatch())
    for i in np.argsort(-seen)[:TOP]:
        print(f"  {seen[i]:7.4f}  {network.model.manifest.labels[i]}")


def _milliseconds(run: Callable[[], object]) -> float:
    """The median of five runs."""
    durations = []
    for _ in range(6):
        start = time.perf_counter()
        run()
        durations.append((time.perf_counter() - start) * 1e3)
    return float(np.median(durations[1:]))
