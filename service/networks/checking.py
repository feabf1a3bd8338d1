"""Trying out a model in a process of its own, so that no file can take the service down or keep it busy."""

import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.attribution import Floats
from service.autodiff import missing_rules
from service.errors import ConvlensError, ModelError
from service.models import manifest as manifests
from service.models.library import Model
from service.networks.network import Network, refused_as_model_error
from service.networks.objectives import PREDICTED
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from service.runtime.sessions import Sessions

SESSION_BYTES = 2**34
STEPS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # of central differences, as lengths in pixels of [0, 1]


@dataclass(frozen=True)
class Limits:
    """seconds: for one model. memory_bytes: of the process that tries it out."""

    seconds: float
    memory_bytes: int


def check_in_child(manifest_path: Path, limits: Limits) -> str | None:
    """Why a model cannot be served, None if it can: found out by a process that may crash, hang or swell."""
    command = [
        sys.executable,
        "-m",
        "service",
        "check",
        str(manifest_path.resolve()),
        "--memory-bytes",
        str(limits.memory_bytes),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limits.seconds, check=False)  # noqa: S603 - our own command
    except subprocess.TimeoutExpired:
        return f"trying it out took longer than {limits.seconds:g} seconds"
    if done.returncode == 0:
        return None
    message = done.stderr.partition("convlens: ")[2].strip()
    return message or f"trying it out killed the process (exit status {done.returncode})"


def limit_memory(memory_bytes: int) -> None:
    """Of this process, from now on."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def check(manifest_path: Path) -> None:
    """Do with a model all that a request does, once. Raises `ModelError` or `EngineError`."""
    try:
        network = standalone(manifest_path)
        side = network.model.manifest.size
        at = network.value_and_grad(smooth_image(side)[None])
        if not np.isfinite(at.gradients).all():
            raise ModelError("its gradient is not finite")
        _ = network.layers
    except ConvlensError:
        raise
    except MemoryError as error:
        raise ModelError("trying it out took too much memory") from error
    except Exception as error:  # whatever a strange file causes in the tools that read it
        raise ModelError(f"{type(error).__name__}: {str(error)[:300]}") from error


def standalone(manifest_path: Path) -> Network:
    """The network of a manifest on an engine of its own."""
    manifest = manifests.read(manifest_path)
    engine = Engine("cpu", 1)
    return Network(
        Model(manifest, manifest_path.parent / manifest.file),
        Batcher(lanes=1, max_batch=1, max_queue=1000, seconds=600),
        Sessions(engine, SESSION_BYTES),
        engine,
    )


def smooth_image(side: int) -> Floats:
    """A colourful picture (3, side, side) without noise."""
    y, x = np.mgrid[0:side, 0:side] / side
    return np.stack([(np.sin(6 * x + 3 * y) + 1) / 2, (np.cos(9 * x * y) + 1) / 2, y]).astype(np.float32)


def uncovered(network: Network) -> list[str]:
    """The operators between image and logits that have no rule, with the names of their nodes. Raises `ModelError`."""
    manifest = network.model.manifest
    with refused_as_model_error():
        return missing_rules(network.model.proto, manifest.logits, manifest.input)


def gradient_error(network: Network) -> float | None:
    """How far the gradient of the predicted class is from central differences along it, relative to its size.

    Several steps are tried and the best one counts. None where the score moves less than float32 can tell, so that differences say
    nothing; a gradient of zero is such a case.
    """
    image = smooth_image(network.model.manifest.size)
    at = network.value_and_grad(image[None], np.array([PREDICTED]))
    class_id, gradient = int(at.class_ids[0]), at.gradients[0].astype(np.float64)
    slope = float(np.sqrt((gradient**2).sum()))
    if 2 * slope * STEPS[-1] <= 10 * np.finfo(np.float32).eps * abs(float(at.scores[0])):
        return None
    direction, errors = gradient / slope, []
    for step in STEPS:
        ahead, behind = (
            float(network.classify((image + s * direction)[None].astype(np.float32))[0, class_id])
            for s in (step, -step)
        )
        errors.append(abs((ahead - behind) / (2 * step) - slope) / slope)
    return min(errors)
