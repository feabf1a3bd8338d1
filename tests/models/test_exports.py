"""Networks exported from PyTorch with random weights, compared with autograd; writes docs/networks.md.

Optional: make networks.
"""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import pytest

from service.models import manifest as manifests
from service.models.drafting import Choices
from service.models.importing import add, operators
from service.models.library import Model
from service.networks.network import Network
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from service.runtime.sessions import Sessions

torch = pytest.importorskip("torch", reason="optional: make networks")
transformers = pytest.importorskip("transformers", reason="optional: make networks")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")]
SIZE, CLASSES = 64, 10
T = transformers
PAGE = Path(__file__).parents[2] / "docs" / "networks.md"


def of(family: str, **config: Any) -> Callable[[], Any]:
    """A classifier of `transformers` with a small configuration."""
    cls, settings = getattr(T, f"{family}ForImageClassification"), getattr(T, f"{family}Config")
    return lambda: cls(settings(num_labels=CLASSES, **config))


def transformer(family: str) -> Callable[[], Any]:
    sizes = {
        "hidden_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 96,
        "image_size": SIZE,
        "patch_size": 8,
    }
    return of(family, attn_implementation="eager", **sizes)


def vgg() -> Any:
    n = torch.nn
    parts = [
        n.Conv2d(3, 16, 3, padding=1),
        n.ReLU(),
        n.MaxPool2d(2),
        n.Conv2d(16, 32, 3, padding=1),
        n.ReLU(),
        n.MaxPool2d(2),
    ]
    return n.Sequential(
        *parts, n.AdaptiveAvgPool2d(4), n.Flatten(), n.Linear(512, 64), n.ReLU(), n.Dropout(), n.Linear(64, CLASSES)
    )


def densenet() -> Any:
    n = torch.nn

    class Dense(n.Module):  # type: ignore[misc, name-defined]
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.layers = n.ModuleList(
                n.Sequential(n.BatchNorm2d(channels + 8 * i), n.ReLU(), n.Conv2d(channels + 8 * i, 8, 3, padding=1))
                for i in range(3)
            )

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = torch.cat([x, layer(x)], 1)
            return x

    head = [n.AdaptiveAvgPool2d(1), n.Flatten(), n.Linear(64, CLASSES)]
    return n.Sequential(n.Conv2d(3, 16, 7, 2, 3), n.MaxPool2d(3, 2, 1), Dense(16), n.AvgPool2d(2), Dense(40), *head)


HIERARCHY = {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 2, 1]}
NETWORKS: dict[str, Callable[[], Any]] = {
    "ResNet": of("ResNet", embedding_size=16, layer_type="bottleneck", **HIERARCHY),
    "ResNeXt-like (RegNet X)": of("RegNet", embedding_size=16, groups_width=8, layer_type="x", **HIERARCHY),
    "RegNet Y": of("RegNet", embedding_size=16, groups_width=8, **HIERARCHY),
    "MobileNet V1": of("MobileNetV1", depth_multiplier=0.25, image_size=SIZE),
    "MobileNet V2": of("MobileNetV2", depth_multiplier=0.35, image_size=SIZE),
    "EfficientNet": of("EfficientNet", image_size=SIZE, width_coefficient=0.5, depth_coefficient=0.5, hidden_dim=640),
    "ConvNeXt": of("ConvNext", **HIERARCHY),
    "ConvNeXt V2": of("ConvNextV2", **HIERARCHY),
    "BiT": of("Bit", embedding_size=32, hidden_sizes=[128, 128, 256, 256], depths=[1, 1, 1, 1]),
    "ViT": transformer("ViT"),
    "DeiT": transformer("DeiT"),
    "Swin": of("Swin", image_size=SIZE, patch_size=4, embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=4),
    "LeViT": of(
        "Levit",
        image_size=SIZE,
        hidden_sizes=[32, 48, 64],
        num_attention_heads=[2, 3, 4],
        depths=[1, 1, 1],
        key_dim=[8, 8, 8],
    ),
    "PoolFormer": of("PoolFormer", **HIERARCHY),
    "CvT": of("Cvt", embed_dim=[16, 32, 48], num_heads=[1, 2, 3], depth=[1, 2, 3], drop_path_rate=[0.0, 0.0, 0.0]),
    "FocalNet": of("FocalNet", image_size=SIZE, embed_dim=16, **HIERARCHY),
    "VGG-like": vgg,
    "DenseNet-like": densenet,
}
ROWS: dict[str, list[str]] = {}


def made(name: str) -> Any:
    """The network with weights and statistics that keep its activations at a useful scale."""
    torch.manual_seed(0)
    network = NETWORKS[name]()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)

    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # a cumulative average
    with torch.no_grad():
        network.train()(torch.rand(8, 3, SIZE, SIZE))
    network.requires_grad_(False)  # so that autograd computes only the gradient of the image, as we do

    class Scores(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: Any) -> Any:
            out = self.network(image)
            return out if isinstance(out, torch.Tensor) else out.logits

    return Scores().eval()


def exported(network: Any, dynamo: bool) -> onnx.ModelProto:
    image = torch.rand(1, 3, SIZE, SIZE)
    if dynamo:
        program = torch.onnx.export(
            network, (image,), dynamo=True, input_names=["image"], output_names=["logits"], verbose=False
        )
        proto: onnx.ModelProto = program.model_proto
        return proto
    buffer = io.BytesIO()
    torch.onnx.export(
        network, (image,), buffer, dynamo=False, input_names=["image"], output_names=["logits"], opset_version=17
    )
    return onnx.load_from_string(buffer.getvalue())


def milliseconds(run: Callable[[], Any]) -> float:
    run()
    durations = []
    for _ in range(9):
        start = time.perf_counter()
        run()
        durations.append((time.perf_counter() - start) * 1e3)
    return median(durations)


def by_differences(network: Any, image: Any, direction: Any, target: int) -> float:
    """The slope of the score along a direction, by central differences in float64."""
    double = network.double()
    with torch.no_grad():
        ahead, behind = (double(torch.tensor(image + s * direction))[0, target].item() for s in (1e-6, -1e-6))
    return float(ahead - behind) / 2e-6


@pytest.fixture(scope="module", autouse=True)
def page() -> Iterator[None]:
    yield
    head = [
        "# Networks",
        "",
        "Made by `make networks`: classifiers of `transformers`, and two of a few lines of torch, "
        "with random weights and small",
        "configurations, exported by both exporters of PyTorch, taken in by `convlens add`, "
        "at 64 x 64 pixels, one thread. Agreement:",
        "relative difference of the gradient of one class score to that of PyTorch's autograd, in float32.",
        "",
        "| network | exporter | operators | agreement | ms, ours | ms, autograd |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    _, heading, rest = PAGE.read_text().partition("## Real sizes")
    small = "\n".join(head + [row for rows in ROWS.values() for row in rows]) + "\n"
    PAGE.write_text(f"{small}\n{heading}{rest}" if heading else small)


@pytest.mark.parametrize("dynamo", [False, True], ids=["old", "new"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_exported_networks(tmp_path: Path, name: str, dynamo: bool) -> None:
    torch.set_num_threads(1)
    network, exporter = made(name), "new" if dynamo else "old"
    rows = ROWS.setdefault(name, [])
    try:
        proto = exported(network, dynamo)
    except Exception as error:  # noqa: BLE001 - PyTorch's exporter can fail with any exception
        rows.append(f"| {name} | {exporter} | PyTorch cannot export it: {type(error).__name__} | | | |")
        pytest.skip(f"PyTorch cannot export it: {type(error).__name__}")
    onnx.save(proto, tmp_path / "net.onnx")
    place = add(tmp_path / "net.onnx", tmp_path / "models", Choices(mean=(0, 0, 0)))
    manifest, engine = manifests.read(place), Engine("cpu", 1)
    ours = Network(
        Model(manifest, place.parent / manifest.file),
        Batcher(lanes=1, max_batch=1, max_queue=100, seconds=600),
        Sessions(engine, 2**34),
        engine,
    )
    image = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)

    def autograd() -> Any:
        for module in network.modules():  # LeViT keeps parts of the graph between runs
            if hasattr(module, "attention_bias_cache"):
                module.attention_bias_cache = {}
        x = torch.tensor(image, requires_grad=True)
        network(x)[0, 3].backward()
        return x.grad.numpy()

    expected, found = autograd(), ours.value_and_grad(image, np.array([3])).gradients
    error = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    times = milliseconds(lambda: ours.value_and_grad(image, np.array([3]))), milliseconds(autograd)
    note = ""
    if error > 1e-3:  # decide by central differences
        v = np.random.default_rng(1).normal(size=image.shape)
        slope = by_differences(network, image.astype(np.float64), v, 3)
        mine, theirs = float((found * v).sum()), float((expected * v).sum())
        assert abs(mine - slope) < 1e-3 * abs(slope), f"{mine} and {theirs}, central differences {slope}"
        note = (
            f"; along a random direction central differences give {slope:.4g}, ours {mine:.4g}, autograd {theirs:.4g}"
        )
    names = ", ".join(sorted(operators(ours.model.proto)))
    rows.append(f"| {name} | {exporter} | {names} | {error:.0e}{note} | {times[0]:.1f} | {times[1]:.1f} |")
    print(name, exporter, f"{error:.1e}", times)
