"""The gradient of SqueezeNet compared with PyTorch's autograd, with the same weights and threads.

Run: python -m tests.benchmarks.engine.
"""

import json
import os
import tempfile
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import torch
from captum.attr import Saliency

from service.autodiff import RULES, differentiate
from service.autodiff.nchwc import NCHWC_RULES
from service.kinds.plan import measure_class
from service.models.build import build
from service.models.weights import squeezenet_weights
from service.networks.catalog import Networks
from service.networks.network import Network
from service.networks.questions import CLASS_ID, D_SCORE, SCORE
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine, Session
from service.synthesis.ascent import ascend, begin
from service.synthesis.presets import PRESETS
from tests.autodiff.graphs import graph
from tests.benchmarks.measure import PAUSE, interleaved, rate, table
from tests.models.torch_squeezenet import forward, tensors

CORES = os.cpu_count() or 1
Weights = dict[str, tuple[torch.Tensor, torch.Tensor]]


def torch_gradient(weights: Weights, images: torch.Tensor) -> torch.Tensor:
    """The gradient of the highest score of each image."""
    x = images.detach().requires_grad_(True)
    forward(torch, weights, x).max(dim=1).values.sum().backward()
    assert x.grad is not None
    return x.grad


def latency(network: Network, plain: Weights, channels_last: Weights) -> None:
    """(a) Latency: one batch after the other."""
    rows: list[list[object]] = []
    for n, rounds in ((1, 30), (8, 10), (32, 4)):
        images = np.random.default_rng(0).random((n, 3, 224, 224), np.float32)
        x = torch.tensor(images)
        last = x.contiguous(memory_format=torch.channels_last)
        ours = {"ours": lambda images=images: network.value_and_grad(images)}
        theirs = {
            "contiguous": lambda x=x: torch_gradient(plain, x),
            "channels_last": lambda last=last: torch_gradient(channels_last, last),
        }
        ms = interleaved(ours | theirs, rounds)
        best = min(ms["contiguous"], ms["channels_last"])
        rows.append([n, ms["ours"], ms["contiguous"], ms["channels_last"], best / ms["ours"]])
    table(
        "Gradient, ms", ["batch", "ours", "PyTorch contiguous", "PyTorch channels_last", "best of PyTorch / ours"], rows
    )


def compiled(network: Network, plain: Weights) -> None:
    """(a) Latency compared with torch.compile and Captum's Saliency."""
    image = np.random.default_rng(0).random((1, 3, 224, 224), np.float32)
    x = torch.tensor(image)
    scores = torch.compile(lambda images: forward(torch, plain, images).max(dim=1).values.sum())

    def theirs() -> None:
        inputs = x.detach().requires_grad_(True)
        scores(inputs).backward()

    saliency = Saliency(lambda images: forward(torch, plain, images))
    captum = {"Captum": lambda: saliency.attribute(x, target=285)}
    ms = interleaved({"ours": lambda: network.value_and_grad(image), "torch.compile": theirs} | captum, 20)
    rows: list[list[object]] = [[name, ms[name], ms[name] / ms["ours"]] for name in ms]
    table("Gradient at batch 1", ["what", "ms", "of ours"], rows)


def throughput(network: Network, channels_last: Weights) -> None:
    """(b) Throughput: images per second with all cores."""
    image = np.random.default_rng(0).random((1, 3, 224, 224), np.float32)
    x = torch.tensor(image).contiguous(memory_format=torch.channels_last)

    functions = {"ours": lambda: network.value_and_grad(image), "theirs": lambda: torch_gradient(channels_last, x)}
    rows: list[list[object]] = []
    for callers in (1, 2, 16):
        found: dict[str, list[float]] = {name: [] for name in functions}
        for _ in range(4):
            for name, function in functions.items():
                time.sleep(PAUSE)
                found[name].append(rate(function, callers, 96))
        ours, theirs = (median(rates[1:]) for rates in found.values())  # the first round is the warm-up
        rows.append([callers, ours, theirs, ours / theirs])
    table("Images per second", ["callers", "ours", "PyTorch channels_last", "ratio"], rows)


def visualization(network: Network, channels_last: Weights) -> None:
    """(c) Visualization: 200 steps of cs231n."""
    preset = PRESETS["cs231n"]
    made = preset.recipe(preset.defaults, (224, 224), "uniform")
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    low, high = -mean / std, (1 - mean) / std

    def theirs() -> None:
        z = (torch.rand(1, 3, 224, 224) - mean) / std
        for _ in range(200):
            oy, ox = torch.randint(-16, 17, (2,)).tolist()
            z = z.roll((oy, ox), (2, 3)).contiguous(memory_format=torch.channels_last).requires_grad_(True)
            (forward(torch, channels_last, z * std + mean)[0, 76] - 1e-3 * (z * z).sum()).backward()
            assert z.grad is not None
            z = (z.detach() + 25 * z.grad).roll((-oy, -ox), (2, 3)).clamp(low, high)

    def ours() -> None:
        for _ in ascend(measure_class(network, 76), made, begin(made, 0)):
            pass

    ms = interleaved({"ours": ours, "theirs": theirs}, 3, warm_up=0)
    rows: list[list[object]] = [
        ["200 steps of cs231n (ours with blur)", ms["ours"] / 1e3, ms["theirs"] / 1e3, ms["theirs"] / ms["ours"]]
    ]
    table("Visualization, s", ["what", "ours", "PyTorch channels_last", "ratio"], rows)


def growth(network: Network) -> None:
    """(f) Cost depending on the size of the image."""
    rows: list[list[object]] = []
    for size in (112, 224, 448):
        image = np.random.default_rng(0).random((1, 3, size, size), np.float32)
        ms = interleaved({"ours": lambda image=image: network.value_and_grad(image)}, 15)["ours"]
        rows.append([size, ms, ms / size**2 * 1e6])
    table("Gradient against the side of the image", ["side", "ms", "ns per pixel"], rows)


def pools() -> None:
    """The two forms of the gradient of a max pool between two 1x1 convolutions, on one core."""
    rows: list[list[object]] = []
    for channels, side in ((64, 111), (128, 55), (256, 27)):
        x = np.random.default_rng(0).random((1, 16, side, side), np.float32)
        constants = {
            "v": np.random.default_rng(1).normal(size=(channels, 16, 1, 1)),
            "w": np.ones((16, channels, 1, 1)),
        }
        body = (
            "a = Conv(x, v) p = MaxPool<kernel_shape=[3,3], strides=[2,2]>(a) "
            "b = Conv(p, w) y = ReduceSum<keepdims=0>(b)"
        )
        model = graph(body, {"x": x}, constants, "float")
        by_indices = RULES | NCHWC_RULES | {"MaxPool": RULES["MaxPool"]}
        made = {
            "forward": model,
            "indices": differentiate(model, "y", "x", by_indices),
            "comparisons": differentiate(model, "y", "x", RULES | NCHWC_RULES),
        }
        sessions = {name: Engine("cpu", 1).load(proto) for name, proto in made.items()}
        feeds = {"x": x, "d_y": np.array(1, np.float32)}

        def run(name: str, sessions: dict[str, Session] = sessions, feeds: dict[str, Any] = feeds) -> list[Any]:
            return (
                sessions[name].run(["y"], {"x": feeds["x"]})
                if name == "forward"
                else sessions[name].run(["d_x"], feeds)
            )

        ms = interleaved({name: partial(run, name) for name in made}, 20)
        rows.append([f"{channels} x {side} x {side}", *ms.values()])
    table(
        "A max pool over 3 x 3 with stride 2, ms",
        ["of", "forward only", "with ScatterElements", "by comparisons, in phases"],
        rows,
    )


def profile(network: Network) -> None:
    """The time of one gradient by operator, on one core, measured by ONNX Runtime's profiler."""
    options = ort.SessionOptions()
    options.enable_profiling, options.intra_op_num_threads = True, 1
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(
            ir.to_proto(network.gradient_model((224, 224))).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        feeds = {
            "image": np.random.default_rng(0).random((1, 3, 224, 224), np.float32),
            CLASS_ID: np.array([-1]),
            D_SCORE: np.ones(1, np.float32),
        }
        for _ in range(50):
            session.run([SCORE, "d_image"], feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    runs: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, str] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            runs[event["name"]].append(event["dur"] / 1e3)
            kinds[event["name"]] = _kind(event["args"])
    by_kind: dict[str, float] = defaultdict(float)
    for name, durations in runs.items():
        by_kind[kinds[name]] += median(durations)
    total, convolutions = sum(by_kind.values()), by_kind["Conv"]
    largest = sorted(by_kind.items(), key=lambda item: -item[1])[:10]
    table(
        "Profile of one gradient",
        ["operator", "ms", "of the convolutions"],
        [[n, ms, ms / convolutions] for n, ms in largest],
    )
    print(f"\nall kernels {total:.2f} ms, {total / convolutions:.2f} times the convolutions")


def _kind(arguments: dict[str, Any]) -> str:
    """The operator. Depthwise convolutions count separately: only the gradients of the pools contain them here."""
    name: str = arguments["op_name"]
    if name != "Conv":
        return name
    kernel = next(iter(arguments["input_type_shape"][1].values()))
    return "Conv, depthwise" if kernel[1] == 1 else "Conv"


def main() -> None:
    """Print all tables."""
    torch.set_num_threads(CORES)
    plain: Weights = tensors(torch, squeezenet_weights())
    channels_last = {name: (k.contiguous(memory_format=torch.channels_last), b) for name, (k, b) in plain.items()}
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        batcher = Batcher(lanes=CORES, max_batch=1, max_queue=1000, seconds=600)
        networks = Networks(Path(folder), Engine("cpu"), batcher, 2**32, "squeezenet1_1")
        network = networks["squeezenet1_1"]
        network.warm_up()
        print(f"{CORES} cores, torch {torch.__version__}, onnxruntime {ort.__version__}")
        latency(network, plain, channels_last)
        compiled(network, plain)
        throughput(network, channels_last)
        visualization(network, channels_last)
        growth(network)
        pools()
        profile(network)
        networks.close()


if __name__ == "__main__":
    main()
