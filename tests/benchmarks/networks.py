"""Networks at their real widths against PyTorch: the second table of docs/networks.md. Part of `make networks`."""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode
from transformers import ViTConfig, ViTForImageClassification

from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import standalone
from tests.benchmarks.measure import interleaved

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
HEADING = "## Real sizes"
SIZE, CLASS, CORES = 224, 5, os.cpu_count() or 1
Floats = npt.NDArray[np.float32]


def vit_s16() -> Any:
    """ViT-S/16; torchvision has none of that size."""
    config = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "intermediate_size": 1536}
    return ViTForImageClassification(ViTConfig(num_labels=1000, **config))


NETWORKS: dict[str, Callable[[], Any]] = {
    "ResNet-50": torchvision.models.resnet50,
    "ViT-S/16": vit_s16,
    "ConvNeXt-T": torchvision.models.convnext_tiny,
    "MobileNetV2": torchvision.models.mobilenet_v2,
    "EfficientNet-B0": torchvision.models.efficientnet_b0,
    "DenseNet-121": torchvision.models.densenet121,
    "Swin-T": torchvision.models.swin_t,
}


class Logits(torch.nn.Module):  # type: ignore[misc] # torch is optional
    """A network whose output is its scores."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Any) -> Any:
        """The scores of an image that is normalized already."""
        out = self.network(image)
        return out if isinstance(out, torch.Tensor) else out.logits


def made(name: str) -> Any:
    """The network with random weights, and with statistics of batches that keep its values in a realistic range."""
    torch.manual_seed(0)
    network = Logits(NETWORKS[name]())
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # a cumulative average
    with torch.no_grad():
        network.train()(torch.randn(4, 3, SIZE, SIZE))
    return network.eval().requires_grad_(False)


def exported(network: Any, path: Path) -> None:
    """Write the network as an ONNX file with an open batch."""
    torch.onnx.export(
        network,
        (torch.rand(1, 3, SIZE, SIZE),),
        path,
        dynamo=False,
        input_names=["image"],
        output_names=["logits"],
        opset_version=17,
        dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
    )


def in_float64(name: str, image: Floats) -> npt.NDArray[np.float64]:
    """PyTorch's gradient without the rounding of float32, which decides Relus and pools where values are close."""
    x = torch.tensor(image).double().requires_grad_()
    made(name).double()(x)[0, CLASS].backward()
    gradient: npt.NDArray[np.float64] = x.grad.numpy()
    return gradient


def relative_error(found: Floats, exact: npt.NDArray[np.float64]) -> float:
    """The norm of the difference, divided by that of what is exact."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def autograd(network: Any, image: Floats, memory_format: Any) -> Floats:
    """PyTorch's gradient of one score with respect to the image."""
    x = torch.tensor(image).to(memory_format=memory_format).requires_grad_()
    network(x)[0, CLASS].backward()
    gradient: Floats = x.grad.numpy()
    return gradient


FRESH = """
import json, re, sys, time
start = time.perf_counter()
import numpy as np
from pathlib import Path
from service.models import manifest as manifests
from service.models.library import Model
from service.networks.network import Network
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from service.runtime.files import GraphCache
from service.runtime.sessions import Sessions
place, cache = map(Path, sys.argv[1:3])
manifest, engine = manifests.read(place), Engine("cpu", cache=GraphCache(cache, 2**34))
batcher = Batcher(lanes=1, max_batch=1, max_queue=100, seconds=600)
network = Network(Model(manifest, place.parent / manifest.file), batcher, Sessions(engine, 2**34), engine)
network.value_and_grad(np.zeros((1, 3, *network.size), np.float32))
seconds = time.perf_counter() - start
pss = int(re.search(r"Pss:\\s+(\\d+)", Path("/proc/self/smaps_rollup").read_text())[1]) / 1024
print(json.dumps([seconds, pss]))
"""


def in_a_fresh_process(place: Path, cache: Path) -> tuple[float, float]:
    """Seconds from the first import to the first gradient, and MiB of memory then, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(place), str(cache)], capture_output=True, text=True, check=True
    )
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def sgemm_rate() -> float:
    """GFLOP/s of a large matrix product."""
    a = torch.rand(2048, 2048)
    ms = interleaved({"sgemm": lambda: a @ a}, 9)["sgemm"]
    return float(2 * 2048**3 / ms / 1e6)


def row(name: str, folder: Path, sgemm: float) -> str:
    """Measure one network."""
    network = made(name)
    path = folder / f"{name.replace('/', '-')}.onnx"
    exported(network, path)
    place = add(path, folder / "models", Choices(preprocessing="unit"))
    first, memory = in_a_fresh_process(place, folder / "cache")
    again, _ = in_a_fresh_process(place, folder / "cache")
    ours = standalone(place, threads=CORES)
    image = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    last = made(name).to(memory_format=torch.channels_last)
    runs: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours.value_and_grad(image, np.array([CLASS])).gradients,
        "contiguous": lambda: autograd(network, image, torch.contiguous_format),
        "channels_last": lambda: autograd(last, image, torch.channels_last),
    }
    exact = in_float64(name, image)
    errors = {run: relative_error(gradient(), exact) for run, gradient in runs.items()}
    ms = interleaved(runs, 11)
    theirs = min(ms["contiguous"], ms["channels_last"])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.tensor(image))
    rate = 2 * counter.get_total_flops() / ms["ours"] / 1e6  # forward, and as much again for the image
    weights = path.stat().st_size / 2**20
    print(name, errors, ms, rate / sgemm, memory, first, again, flush=True)
    return (
        f"| {name} | {weights:.0f} | {errors['ours']:.0e} | {errors['contiguous']:.0e} | {ms['ours']:.0f} | "
        f"{theirs:.0f} | {theirs / ms['ours']:.2f} | "
        f"{rate / sgemm:.2f} | {memory:.0f} ({3 * weights + 150:.0f}) | {first:.1f} | {again:.1f} |"
    )


def main() -> None:
    """Write the table."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(CORES)
    sgemm = sgemm_rate()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, Path(folder), sgemm) for name in sys.argv[1:] or NETWORKS]
    columns = [
        "network",
        "weights, MiB",
        "error, ours",
        "error, PyTorch",
        "ms, ours",
        "ms, PyTorch",
        "ratio",
        "share of sgemm",
        "memory, MiB",
        "first gradient, s",
        "in the cache, s",
    ]
    text = f"""{HEADING}

Networks that people have, with random weights, at 224 x 224, on {CORES} cores, by turns with PyTorch (the faster of its
two memory formats, without gradients of parameters). Errors: of the gradient, relative to PyTorch's in float64. Share
of sgemm: the arithmetic of convolutions and matrix products, forward and backward, per second, in that of a product of
large matrices ({sgemm:.0f} GFLOP/s). Memory: of a process after its first gradient (`Pss`; in parentheses thrice the
weights plus 150). First gradient: from the first import on; and once the optimized graph is in the cache.

| {" | ".join(columns)} |
|{" --- |" * len(columns)}
"""
    before, _, after = PAGE.read_text().partition(HEADING)
    notes = after[after.index(NOTES) :] if NOTES in after else ""
    PAGE.write_text(before.rstrip() + "\n\n" + text + "\n".join(rows) + "\n" + ("\n" + notes if notes else ""))


NOTES = "### What stands in the way"  # written by hand, kept


if __name__ == "__main__":
    main()
