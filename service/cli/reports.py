"""What the command line tells of a model."""

import tempfile
from pathlib import Path

import numpy as np

from service.models.drafting import Choices, Drafted, draft
from service.models.importing import place
from service.models.reading import read_onnx
from service.models.usual import usual
from service.networks import checking
from service.networks.network import Network
from service.networks.reporting import contents_of, measured
from service.pictures.decode import decode
from service.saliency.explain import classify
from service.saliency.intake import fit
from service.telemetry.timing import Stopwatch


def tell(network: Network) -> None:
    """Print what the graph holds, the layers, the cost, and how good the gradient is.

    Raises `ModelError` if operators lack a rule.
    """
    contents = contents_of(network)
    width, height = (side or "any" for side in (contents.width, contents.height))
    size = "any size" if contents.any_size else f"{width} x {height}"
    batch = f", {contents.batch} at a time" if contents.batch else ""
    print(f"input       {contents.input}: {contents.layout}, {size}{batch}")
    print(f"scores      {contents.logits}: {contents.classes} classes, {contents.scores}")
    print(f"pixels      {contents.preprocessing}")
    print(f"weights     {contents.weights:,} numbers")
    print("operators   " + ", ".join(f"{name} {count}" for name, count in contents.operators.items()))
    print(f"layers      {contents.layers}, for class activation maps: {contents.cam_layer or 'none'}")
    found = measured(network)
    print(f"cost        {found.forward_ms:.1f} ms forward, {found.gradient_ms:.1f} ms with gradient, on one core")
    if found.quantized:
        print("gradient    passes roundings as if they were not there, so differences do not tell how good it is")
    elif found.gradient_error is None:
        print("gradient    too small at the trial picture to be checked: the score hardly depends on the pixels there")
    else:
        print(f"gradient    differs from central differences by {found.gradient_error:.1e} of its size")


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
