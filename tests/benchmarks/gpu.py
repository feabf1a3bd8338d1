"""CUDA against the CPU and against PyTorch on the same card; ends with status 1 if anything is not as it must be.

Run: python -m tests.benchmarks.gpu. With ``--provider cpu`` it compares the CPU with itself, which tests this program.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from PIL import Image

from service.attribution import METHODS
from service.errors import ConvlensError
from service.kinds.plan import measure_class
from service.models.build import build
from service.models.weights import squeezenet_weights
from service.networks.catalog import Networks
from service.networks.network import Network
from service.pictures.images import Floats
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from service.runtime.files import GraphCache
from service.saliency.view import View
from service.synthesis.ascent import ascend, begin
from service.synthesis.presets import PRESETS
from tests.benchmarks.measure import interleaved, table
from tests.conftest import PHOTOGRAPHS
from tests.models.torch_squeezenet import forward, tensors

TABBY, TARANTULA = 281, 76
FEW = {
    "samples": 10,
    "steps": 8,
    "masks": 64,
    "channels": 8,
    "permutations": 1,
    "designs": 4,
    "cells": 4,
}  # so that the check is quick
ALLOWED = 0.02  # of the greatest value: sums in another order, and the convolutions of cuDNN
ALLOWED_HALF = 0.2  # for float16
STEPS = 20
RUNS, GROWTH_MIB = 2000, 32
BATCHES = (1, 8, 32, 128)


@dataclass
class Findings:
    """Rows of the table of checks, and what failed."""

    rows: list[list[object]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def check(self, what: str, found: float, allowed: float) -> None:
        """Note a number that must not exceed another."""
        well = bool(found <= allowed)
        self.rows.append([what, f"{found:.2g}", f"{allowed:.2g}", "ok" if well else "**FAIL**"])
        if not well:
            self.failed.append(what)


@dataclass(frozen=True)
class Bench:
    """The network on several engines, by name: ``cpu``, ``plain``, ``float16``, ``cuda graphs``."""

    networks: dict[str, Network]
    image: Floats

    @property
    def plain(self) -> Network:
        """On the device, with nothing switched on."""
        return self.networks["plain"]


def opened(folder: Path, provider: str, **options: Any) -> Network:
    """SqueezeNet on an engine of its own. Raises `EngineError` where the provider does not start."""
    engine = Engine(provider, **options)
    on_cpu = engine.provider == "cpu"
    batcher = Batcher(lanes=1, max_batch=1 if on_cpu else max(BATCHES), max_queue=1000, seconds=600)
    return Networks(folder, engine, batcher, 2**33, "squeezenet1_1")["squeezenet1_1"]


def difference(found: Any, expected: Any) -> float:
    """The greatest difference, in parts of the greatest value."""
    expected = np.asarray(expected, np.float64)
    return float(np.abs(np.asarray(found, np.float64) - expected).max() / max(np.abs(expected).max(), 1e-12))


def agreement(bench: Bench, findings: Findings) -> None:
    """Gradients, all methods and a visualization: the device as the CPU."""
    cpu = bench.networks["cpu"]
    wanted = cpu.value_and_grad(bench.image[None], np.array([TABBY]))
    for name, network in bench.networks.items():
        at = network.value_and_grad(bench.image[None], np.array([TABBY]))
        allowed = ALLOWED_HALF if name == "float16" else ALLOWED
        findings.check(f"gradient, {name}", difference(at.gradients, wanted.gradients), allowed)
        findings.check(f"scores, {name}", difference(at.logits, wanted.logits), allowed)
    for name, method in METHODS.items():
        if method.needs is not None:
            continue
        few = {key: number for key, number in FEW.items() if key in method.parameters.model_fields}
        parameters = method.parameters.model_validate(few)
        found, expected = (
            method.run(View(network, None), bench.image, TABBY, parameters).map for network in (bench.plain, cpu)
        )
        findings.check(f"map, {name}", difference(found, expected), ALLOWED)
    findings.check("visualization", difference(visualized(bench.plain), visualized(cpu)), ALLOWED)


def visualized(network: Network) -> Floats:
    """The picture after a few steps."""
    preset = PRESETS["cs231n"]
    recipe = preset.recipe(replace(preset.defaults, iterations=STEPS), (224, 224), "uniform")
    *_, last = ascend(measure_class(network, TARANTULA), recipe, begin(recipe, 0))
    return np.asarray(last.image(), np.float32)


def growth(bench: Bench, findings: Findings, runs: int) -> None:
    """Memory of the device between the first tenth of the runs and the last."""
    for name in ("plain", "cuda graphs"):
        if name not in bench.networks:
            continue
        for _ in range(runs // 10):
            bench.networks[name].value_and_grad(bench.image[None])
        before = memory_mib()
        for _ in range(runs - runs // 10):
            bench.networks[name].value_and_grad(bench.image[None])
        findings.check(f"MiB more after {runs} runs, {name}", memory_mib() - before, GROWTH_MIB)


def memory_mib() -> float:
    """What the device holds for this process, or, without a device, the resident memory."""
    if (used := told_by_card("memory.used")) is not None:
        return float(used.split()[0])
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def told_by_card(fields: str) -> str | None:
    """What ``nvidia-smi`` tells, without units; None where there is no card."""
    asked = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def speed(bench: Bench, batches: tuple[int, ...], rounds: int) -> None:
    """Images a second, ours in all forms and PyTorch's on the same card."""
    rows: list[list[object]] = []
    for n in batches:
        images = np.repeat(bench.image[None], n, axis=0)
        ours: dict[str, Callable[[], object]] = {
            name: lambda network=network, images=images: network.value_and_grad(images)
            for name, network in bench.networks.items()
            if name != "cpu" or n == 1
        }
        theirs = dict(torch_gradients(images))
        ms = interleaved(ours | theirs, rounds)
        best = min((ms[name] for name in theirs), default=float("nan"))
        rows += [[n, name, taken, n / taken * 1e3, best / taken] for name, taken in ms.items()]
    table("Gradient on the device", ["batch", "what", "ms", "images/s", "best of PyTorch / this"], rows)


def torch_gradients(images: Floats) -> Iterator[tuple[str, Callable[[], object]]]:
    """PyTorch's gradients, with the pictures sent to the card and the gradients fetched, as ours are."""
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return
    if not torch.cuda.is_available():
        return
    plain = {name: tuple(t.cuda() for t in pair) for name, pair in tensors(torch, squeezenet_weights()).items()}
    last = torch.channels_last

    def gradient(weights: Any, of: Callable[[Any], Any], kind: Any, layout: Any) -> Callable[[], object]:
        def run() -> object:
            x = torch.from_numpy(images).cuda().to(kind).contiguous(memory_format=layout).requires_grad_(True)
            of(weights)(x).max(dim=1).values.sum().backward()
            return x.grad.float().cpu().numpy()

        return run

    def eager(weights: Any) -> Callable[[Any], Any]:
        return lambda x: forward(torch, weights, x)

    compiled = torch.compile(eager(plain))
    half = {name: (k.half().contiguous(memory_format=last), b.half()) for name, (k, b) in plain.items()}
    channels_last = {name: (k.contiguous(memory_format=last), b) for name, (k, b) in plain.items()}
    yield "torch eager", gradient(plain, eager, torch.float32, torch.contiguous_format)
    yield "torch channels_last", gradient(channels_last, eager, torch.float32, last)
    yield "torch compile", gradient(plain, lambda _: compiled, torch.float32, torch.contiguous_format)
    yield "torch float16", gradient(half, eager, torch.float16, last)


def photograph(size: tuple[int, int]) -> Floats:
    """A cat, as the network takes it."""
    with Image.open(PHOTOGRAPHS / "chelsea.png") as picture:
        small = picture.convert("RGB").resize((size[1], size[0]))
    return np.ascontiguousarray(np.asarray(small, np.float32).transpose(2, 0, 1) / 255)


def measured(
    provider: str, runs: int, batches: tuple[int, ...], rounds: int, graphs: GraphCache | None = None
) -> list[str]:
    """Print all tables; what failed. Raises `EngineError` where the provider does not start."""
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        open_on = partial(opened, Path(folder), cache=graphs)
        networks = {
            "cpu": open_on("cpu"),
            "plain": open_on(provider),
            "float16": open_on(provider, precision="float16"),
        }
        if provider == "cuda":
            networks["cuda graphs"] = open_on(provider, cuda_graphs=True)
        bench = Bench(networks, photograph(networks["cpu"].size))
        card = told_by_card("name,driver_version") or "no GPU"
        print(f"onnxruntime {ort.__version__} on {bench.plain.provider}; {card}")
        if bench.plain.provider != provider:
            findings.failed.append(f"runs on {bench.plain.provider} instead of {provider}")
        agreement(bench, findings)
        growth(bench, findings, runs)
        table("Checks", ["what", "found", "allowed", ""], findings.rows)
        speed(bench, batches, rounds)
    return findings.failed


def main() -> int:
    """Measure, and tell what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provider", choices=["cuda", "cpu"], default="cuda")
    provider = parser.parse_args().provider
    try:
        failed = measured(provider, RUNS, BATCHES, rounds=10)
    except ConvlensError as error:
        failed = [str(error)]
    print("\n" + ("\n".join(f"FAILED: {what}" for what in failed) or "all is well"))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
