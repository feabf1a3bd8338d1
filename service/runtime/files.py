"""Graphs in files, as the runtime has optimized them.

A session from such a file starts at once and maps the weights into memory instead of copying them, so that several
sessions share them. Files that are kept make the next start fast.
"""

import atexit
import hashlib
import logging
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import onnxruntime as ort

logger = logging.getLogger(__name__)

_GRAPH, _WEIGHTS = "graph.onnx", "graph.weights"
_OPTIMIZED, OPTIMIZED_WEIGHTS = "optimized.onnx", "optimized.weights"
_TEXT = "text"
_OWN = "convlens-"
_LARGE_TENSOR_BYTES = 1024  # smaller ones stay in the graph

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

    Graph = ir.Model | onnx.ModelProto


def save(model: "Graph", folder: Path) -> Path:
    """Write the graph and its weights, and return the path of the graph."""
    import onnx  # where there is a graph they have been imported already
    import onnx_ir as ir

    graph = ir.from_proto(model) if isinstance(model, onnx.ModelProto) else model
    ir.save(graph, folder / _GRAPH, external_data=_WEIGHTS, size_threshold_bytes=_LARGE_TENSOR_BYTES)
    return folder / _GRAPH


def optimize(model: "Graph", folder: Path, options: ort.SessionOptions, providers: list[str]) -> Path:
    """Write what the runtime makes of a graph, and return the path."""
    graph, target = save(model, folder), folder / _OPTIMIZED
    options.optimized_model_filepath = str(target)
    # Weights in the order in which matrix products read them are written too, instead of made by every session.
    for key, value in (
        ("session.save_external_prepacked_constant_initializers", "1"),
        ("session.optimized_model_external_initializers_file_name", OPTIMIZED_WEIGHTS),
        ("session.optimized_model_external_initializers_min_size_in_bytes", str(_LARGE_TENSOR_BYTES)),
    ):
        options.add_session_config_entry(key, value)
    ort.InferenceSession(graph, options, providers=providers)
    for path in folder.glob(f"{graph.stem}.*"):
        path.unlink()
    return target


def size_of(graph: Path) -> int:
    """The bytes of a graph with its weights."""
    return sum(path.stat().st_size for path in graph.parent.glob(f"{graph.stem}.*"))


@cache
def own_folder() -> Path:
    """The folder of this process for temporary files, which goes with it.

    Those of processes that were killed are removed.
    """
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{_OWN}*-*"):
        pid = left.name.removeprefix(_OWN).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_OWN}{os.getpid()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class GraphCache:
    """Optimized graphs by name, in a folder; those that were not used for longest are removed.

    Names are to tell everything that the graph depends on but the runtime, the processor and this program, which are
    added here. A graph may be removed while it is used, since what is mapped outlives its name.

    Args:
        folder: Where they are kept. If it cannot be written to, or is None, nothing is kept.
        max_bytes: How much is kept.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int = 0) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._is_writable = folder is not None

    def find(self, name: str) -> Path | None:
        """The graph of that name; None if there is none."""
        return self._found(name, _OPTIMIZED)

    def text(self, name: str, make: Callable[[], str]) -> str:
        """The text of that name, which is made once and kept."""
        if (found := self._found(name, _TEXT)) is not None:
            with suppress(OSError, UnicodeDecodeError):
                return found.read_text("utf-8")
        made = make()

        def write(folder: Path) -> Path:
            (folder / _TEXT).write_text(made, "utf-8")
            return folder / _TEXT

        with suppress(OSError):
            self.keep(name, write)
        return made

    def has_text(self, name: str) -> bool:
        """Whether there is a text of that name."""
        return self._found(name, _TEXT) is not None

    @property
    def can_keep(self) -> bool:
        """Whether graphs can be kept, as far as is known."""
        return self._is_writable

    def _found(self, name: str, file: str) -> Path | None:
        if self._folder is None or not os.path.exists(found := self._place(name) / file):
            return None
        with suppress(OSError):
            os.utime(found.parent)
        return found

    def forget(self, name: str) -> None:
        """Remove the graph, which is of no use."""
        shutil.rmtree(self._place(name), ignore_errors=True)

    def keep(self, name: str, make: Callable[[Path], Path]) -> Path | None:
        """Have the graph made in a new folder, and keep it; None if it cannot be kept."""
        if self._folder is None or not self.can_keep:
            return None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=self._folder, prefix=_DRAFT))
        except OSError as error:
            if self._is_writable:
                logger.warning("graphs cannot be kept in %s: %s", self._folder, error.strerror)
            self._is_writable = False
            return None
        try:
            made = make(draft)
            place = self._place(name)
            with suppress(OSError):  # another process was faster
                draft.rename(place)
            self._remove_oldest(place)
            return place / made.name
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _place(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / hashlib.sha256(f"{_surroundings()} {name}".encode()).hexdigest()[:32]

    def _remove_oldest(self, but: Path) -> None:
        assert self._folder is not None
        found, total = [], 0
        for path in self._folder.iterdir():
            if not path.name.startswith(_DRAFT):
                found.append(path)
            elif time.time() + _age(path) > ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        for path in sorted(found, key=_age):
            total += size_of(path / _OPTIMIZED)
            if total > self._max_bytes and path != but:
                shutil.rmtree(path, ignore_errors=True)


_DRAFT = ".making-"
ABANDONED_SECONDS = 3600  # nobody makes a graph for so long: who began it was killed


def _age(path: Path) -> float:
    """What sorts the latest used first."""
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0


@cache
def _surroundings() -> str:
    """A hash of the runtime, the processor, and the code that makes graphs."""
    found = hashlib.sha256(f"{ort.__version__} {platform.machine()}".encode())
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        found.update(next((line for line in lines if line.startswith("flags")), "").encode())
    package = Path(__file__).parents[1]
    for room in ("autodiff", "graphs", "models", "networks", "runtime"):
        for path in sorted((package / room).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()
