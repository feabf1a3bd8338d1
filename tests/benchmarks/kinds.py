"""Every kind of job against the loop in PyTorch that does the same.

Run: python -m tests.benchmarks.kinds.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from service.kinds import KINDS
from service.kinds.run import Visualization
from service.models.build import build
from service.networks.catalog import Networks
from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import fit
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from tests.benchmarks.measure import interleaved, table
from tests.conftest import PHOTOGRAPHS
from tests.models.torch_modules import squeezenet

CORES = torch.get_num_threads()
STEPS = 60
MEAN, STD = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

# Where the network of modules ends in a layer: conv1, fire2, fire3, fire4, fire5, fire7.
AT = {"relu_conv1": 2, "fire2": 4, "fire3": 5, "fire4": 7, "fire5": 8, "fire7": 11}


def channels_last(x: Tensor) -> Tensor:
    return x.detach().contiguous(memory_format=torch.channels_last).requires_grad_(True)


def ascend(score: Callable[[Tensor], Tensor]) -> None:
    """CS231n's visualization of whatever gives one score for an image."""
    z = (torch.rand(1, 3, 224, 224) - MEAN) / STD
    for _ in range(STEPS):
        shift = torch.randint(-16, 17, (2,)).tolist()
        z = channels_last(z.roll(shift, (2, 3)))
        (score(z * STD + MEAN) - 1e-3 * (z * z).sum()).backward()
        assert z.grad is not None
        z = (z.detach() + 25 * z.grad).roll([-s for s in shift], (2, 3)).clamp(-MEAN / STD, (1 - MEAN) / STD)


def fool(network: nn.Sequential, photo: Tensor, target: int) -> None:
    """Steps of one length, without an end, as ours are measured."""
    z = (photo - MEAN) / STD
    for _ in range(STEPS):
        z = channels_last(z)
        network(z * STD + MEAN)[0, target].backward()
        assert z.grad is not None
        z = (z.detach() + z.grad / z.grad.norm()).clamp(-MEAN / STD, (1 - MEAN) / STD)


def variation(z: Tensor) -> Tensor:
    return ((z[..., 1:, :] - z[..., :-1, :]) ** 2).sum() + ((z[..., :, 1:] - z[..., :, :-1]) ** 2).sum()


def gram(values: Tensor) -> Tensor:
    columns = values.flatten(2)[0]
    return columns @ columns.T / columns.numel()


def descend(z: Tensor, loss: Callable[[Tensor], Tensor]) -> None:
    """Adam on normalized pixels."""
    z = channels_last(z)
    optimizer = torch.optim.Adam([z], lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(z * STD + MEAN).backward()
        optimizer.step()
        z.data.clamp_(-1.5, 1.5)


def features(network: nn.Sequential, image: Tensor, layers: list[str]) -> list[Tensor]:
    """The values of layers, the first of them first."""
    found, value = [], image
    for i, module in enumerate(network[0][: AT[layers[-1]]], start=1):  # type: ignore[index]
        value = module(value)
        if any(AT[layer] == i for layer in layers):
            found.append(value)
    return found


def invert(network: nn.Sequential, photo: Tensor) -> None:
    with torch.no_grad():
        (target,) = features(network, photo, ["fire3"])

    def loss(image: Tensor) -> Tensor:
        (found,) = features(network, image, ["fire3"])
        return ((found - target) ** 2).sum() / (target**2).sum() + 0.5 * variation(image) / image[0, 0].numel()

    descend((torch.rand(1, 3, 224, 224) - MEAN) / STD, loss)


def transfer(network: nn.Sequential, photo: Tensor, style: Tensor) -> None:
    layers = ["relu_conv1", "fire2", "fire3", "fire4", "fire5"]
    with torch.no_grad():
        content = features(network, photo, layers)[1]
        grams = [gram(values) for i, values in enumerate(features(network, style, layers)) if i != 1]

    def loss(image: Tensor) -> Tensor:
        found = features(network, image, layers)
        of_style = [gram(values) for i, values in enumerate(found) if i != 1]
        total = 0.2 * ((found[1] - content) ** 2).sum() / (content**2).sum() + 0.5 * variation(image) / 224**2
        for ours, theirs in zip(of_style, grams, strict=True):
            total = total + 0.25 * ((ours - theirs) ** 2).sum() / (theirs**2).sum()
        return total

    descend((photo - MEAN) / STD, loss)


def dream(network: nn.Sequential, photo: Tensor) -> None:
    """One octave at the picture's own size."""
    z = photo
    for _ in range(STEPS):
        shift = torch.randint(-32, 33, (2,)).tolist()
        x = channels_last(z.roll(shift, (2, 3)))
        (network[0][: AT["fire7"]](x) ** 2).mean().backward()  # type: ignore[index]
        assert x.grad is not None
        z = (x.detach() + 1.5 / 255 * x.grad / x.grad.abs().mean()).roll([-s for s in shift], (2, 3)).clamp(0, 1)


def ours(network: Network, inputs: dict[str, Any], kind: str, **parameters: Any) -> Callable[[], None]:
    """All steps of a job of the kind, without what is around them."""
    given = KINDS[kind].parameters.model_validate({"kind": kind, "seed": 0, "size": 224, **parameters})
    complete = given.completed(network)

    def run() -> None:
        for _ in Visualization(network, complete, inputs).steps():
            pass

    return run


def main() -> None:
    """Print the table."""
    torch.set_num_threads(CORES)
    module = squeezenet().to(memory_format=torch.channels_last)
    photo, style = (
        fit(decode((PHOTOGRAPHS / name).read_bytes(), 10**7), (224, 224), 1.0, "crop").pixels
        for name in ("chelsea.png", "coffee.png")
    )
    x, y = (torch.tensor(picture[None]) for picture in (photo, style))
    pictures = {"image": photo, "style_image": style}
    jobs: dict[str, tuple[dict[str, Any], Callable[[], object]]] = {
        "class": (
            {"class_id": 76, "preset": "cs231n", "iterations": STEPS},
            partial(ascend, lambda image: module(image)[0, 76]),
        ),
        "neuron": (
            {"layer": "fire7", "channel": 5, "preset": "cs231n", "iterations": STEPS},
            partial(ascend, lambda image: features(module, image, ["fire7"])[0][0, 5].mean()),
        ),
        "fooling": (
            {"class_id": 76, "iterations": STEPS, "learning_rate": 1e-4},  # too short ones to arrive
            partial(fool, module, x, 76),
        ),
        "inversion": ({"iterations": STEPS}, partial(invert, module, x)),
        "deepdream": ({"octaves": 1, "steps_per_octave": STEPS}, partial(dream, module, x)),
        "style": ({"iterations": STEPS}, partial(transfer, module, x, y)),
    }
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        batcher = Batcher(lanes=CORES, max_batch=1, max_queue=1000, seconds=600)
        networks = Networks(Path(folder), Engine("cpu"), batcher, 2**32, "squeezenet1_1")
        network = networks["squeezenet1_1"]
        rows: list[list[object]] = []
        for kind, (parameters, theirs) in jobs.items():
            inputs = {name: pictures[name] for name in KINDS[kind].parameters.images}
            ms = interleaved({"ours": ours(network, inputs, kind, **parameters), "theirs": theirs}, 2, warm_up=1)
            rows.append([kind, ms["ours"] / STEPS, ms["theirs"] / STEPS, ms["theirs"] / ms["ours"]])
        networks.close()
    table("Kinds of jobs, ms per step", ["kind", "ours", "PyTorch channels_last", "ratio"], rows)


if __name__ == "__main__":
    main()
