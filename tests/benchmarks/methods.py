"""Every method against its peer: the same network, picture and samples.

Run: python -m tests.benchmarks.methods.
"""

import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from service.attribution import METHODS
from service.models.build import build
from service.networks.catalog import Networks
from service.pictures.decode import decode
from service.pictures.images import fit
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from service.saliency.view import View
from tests.benchmarks.measure import interleaved, table
from tests.benchmarks.peers import PEERS
from tests.conftest import PHOTOGRAPHS
from tests.models.torch_modules import squeezenet

CORES = torch.get_num_threads()
CLASS = 285
PARAMETERS: dict[str, dict[str, Any]] = {"rise": {"masks": 96}}  # of the others the defaults
FEW = ("smoothgrad", "vargrad", "integrated_gradients", "blur_integrated_gradients", "occlusion", "rise")


def measured(view: View, image: np.ndarray[Any, Any], name: str) -> list[object]:
    """One row: ours, and the faster of the peer's two memory formats."""
    method, (whose, peer) = METHODS[name], PEERS[name]
    parameters = method.parameters(**PARAMETERS.get(name, {}))
    functions: dict[str, Any] = {"ours": lambda: method.run(view, image, CLASS, parameters)}
    for memory in (torch.contiguous_format, torch.channels_last):
        network = squeezenet().to(memory_format=memory)
        x = torch.tensor(image[None]).contiguous(memory_format=memory)
        functions[str(memory)] = partial(peer, network, x, CLASS)
    ms = interleaved(functions, 3 if name in FEW else 15, warm_up=1)
    theirs = min(value for key, value in ms.items() if key != "ours")
    return [name, parameters.runs_needed(*image.shape[1:]), ms["ours"], whose, theirs, theirs / ms["ours"]]


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")  # Captum's, of hooks and inputs
    torch.set_num_threads(CORES)
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        batcher = Batcher(lanes=CORES, max_batch=1, max_queue=1000, seconds=600)
        networks = Networks(Path(folder), Engine("cpu"), batcher, 2**32, "squeezenet1_1")
        network = networks["squeezenet1_1"]
        photograph = decode((PHOTOGRAPHS / "chelsea.png").read_bytes(), 10**7)
        image = fit(photograph, (224, 224), 256 / 224, "squash").pixels
        rows = [measured(View(network, None), image, name) for name in PEERS]
        table("Methods, ms", ["method", "runs", "ours", "peer", "peer's", "ratio"], rows)
        networks.close()


if __name__ == "__main__":
    main()
