"""Trying out a model in a separate process, so that no file can crash the service or keep it busy."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from service.attribution import Floats
from service.autodiff import missing_rules
from service.errors import ConvlensError, ModelError
from service.models import manifest as manifests
from service.models.library import Model
from service.networks.gradients import refused_as_model_error
from service.networks.network import Network
from service.networks.questions import PREDICTED
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from service.runtime.sessions import Sessions

SESSION_BYTES = 2**34
STEPS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # step lengths of central differences, in units of the pixel range [0, 1]


@contextmanager
def limited_memory(memory_bytes: int) -> Iterator[None]:
    """Limit the address space of this process within the ``with`` block."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def limit_memory(memory_bytes: int) -> None:
    """Limit the address space of this process from now on."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def check(manifest_path: Path) -> None:
    """Do once with a model what requests do. Raises `ModelError` or `EngineError` if that fails."""
    with any_failure_as_model_error():
        try_out(standalone(manifest_path))


@contextmanager
def any_failure_as_model_error() -> Iterator[None]:
    """Raise `ModelError` for whatever a malformed file makes libraries raise within the ``with`` block."""
    try:
        yield
    except ConvlensError:
        raise
    except MemoryError as error:
        raise ModelError("trying it out took too much memory") from error
    except Exception as error:
        raise ModelError(f"{type(error).__name__}: {str(error)[:300]}") from error


def try_out(network: Network) -> None:
    """Do once with a network what requests do. Raises what that raises."""
    at = network.value_and_grad(smooth_image(network.size)[None])
    if not np.isfinite(at.gradients).all():
        raise ModelError("its gradient is not finite")
    _ = network.layers


def standalone(manifest_path: Path, threads: int = 1) -> Network:
    """The network of a manifest, on its own engine."""
    manifest = manifests.read(manifest_path)
    engine = Engine("cpu", threads)
    return Network(
        Model(manifest, manifest_path.parent / manifest.file),
        Batcher(lanes=1, max_batch=1, max_queue=1000, seconds=600),
        Sessions(engine, SESSION_BYTES),
        engine,
    )


def smooth_image(size: tuple[int, int]) -> Floats:
    """A colourful picture (3, height, width) without noise."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    return np.stack([(np.sin(6 * x + 3 * y) + 1) / 2, (np.cos(9 * x * y) + 1) / 2, y]).astype(np.float32)


def uncovered(network: Network) -> list[str]:
    """The operators between image and logits without a differentiation rule, with the names of their nodes.

    Raises `ModelError` if the graph has no value of one of these names.
    """
    manifest = network.model.manifest
    with refused_as_model_error():
        return missing_rules(network.model.proto, manifest.logits, manifest.input)


def gradient_error(network: Network) -> float | None:
    """The relative difference between the gradient of the predicted class and central differences along it.

    Several step lengths are tried, and the smallest difference counts. Returns None if the score changes by less than
    float32 can resolve, so that differences are meaningless; a gradient of zero is such a case.
    """
    image = smooth_image(network.size)
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
