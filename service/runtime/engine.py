"""Running ONNX graphs."""

import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from service.errors import EngineError
from service.runtime import files
from service.runtime.buffers import BoundRuns
from service.runtime.memory import let_go_of_mapped

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
Precision = Literal["float32", "float16"]

LARGE_BYTES = 2 * 2**20  # of an input or output, which usual pictures and their gradients do not reach
VERSION: str = ort.__version__

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
_SHORT = {long: short for short, long in _PROVIDERS.items()}


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Session:
    """One graph, ready to run; safe to use from several threads at once.

    On a CPU there are two of it: one that runs on all cores, for a run that is alone, and one on a single core, for
    runs side by side. Their results are the same, bit for bit, and they share the memory of the weights.

    Attributes:
        size: The bytes of the graph with its weights.
    """

    def __init__(
        self, wide: ort.InferenceSession | BoundRuns, narrow: ort.InferenceSession | BoundRuns, size: int
    ) -> None:
        self._wide = wide
        self._narrow = narrow
        self.size = size

    @property
    def outputs(self) -> list[str]:
        """The names of all outputs of the graph."""
        return [output.name for output in self._wide.get_outputs()]

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Array], all_cores: bool = True) -> list[Array]:
        """The named outputs for the named inputs. Raises `EngineError` when the runtime fails."""
        session = self._wide if all_cores else self._narrow
        try:
            result: list[Array] = session.run(list(outputs), dict(feeds))
        except Exception as error:  # the runtime raises a dozen types that share no base
            raise EngineError(f"the network could not be run: {error}") from error
        if isinstance(session, ort.InferenceSession) and _is_large([*feeds.values(), *result]):
            result = [np.array(array) for array in result]  # they were views of the memory that is given back
            _give_memory_back()
        return result


class Engine:
    """Makes sessions on the first execution provider that works.

    providers: names in order of preference (``cuda``, ``cpu``), or ``auto`` for CUDA where it starts, else the CPU.
    threads: of a run on the CPU that is alone; 0 for one per core. precision: of the scores of classes and their
    gradients.
    cuda_graphs: whether runs on CUDA are recorded and replayed. cache: keeps what the runtime makes of graphs on a CPU.
    """

    def __init__(
        self,
        providers: str = "auto",
        threads: int = 0,
        precision: Precision = "float32",
        cuda_graphs: bool = False,
        cache: files.GraphCache | None = None,
    ) -> None:
        _share_memory()
        self._threads = (
            threads or cores()
        )  # not the runtime's own 0: that pins threads to cores, on which others may be just then
        self._providers = _usable(providers)
        self.provider = _SHORT[self._providers[0]]
        self.precision = precision
        self._cuda_graphs = cuda_graphs and self.provider == "cuda"
        self._cache = cache or files.GraphCache()

    def remembered(self, name: str, make: Callable[[], str]) -> str:
        """What ``make`` tells, which the cache of graphs keeps under that name."""
        return self._cache.text(name, make)

    def remembers(self, name: str) -> bool:
        """Whether the cache of graphs has a text of that name, or could not keep one."""
        return self._cache.has_text(name)

    def load(self, model: "files.Graph") -> Session:
        """A session for the model. Raises `EngineError` when the runtime refuses it."""
        with tempfile.TemporaryDirectory(prefix="convlens-graph-") as folder:  # what is mapped outlives its name
            return self._loaded(model, Path(folder))

    def load_named(self, name: str, build: "Callable[[], files.Graph]") -> Session:
        """A session for the model that ``build`` makes, unless the cache has it already.

        Raises what ``build`` raises, and `EngineError` when the runtime refuses the model.
        """
        if self.provider != "cpu":
            return self.load(build())
        if (kept := self._cache.find(name)) is not None:
            try:
                return self._opened(kept)
            except Exception:  # a file that was cut, for instance
                logger.warning("a graph of the cache cannot be used and is made anew", exc_info=True)
                self._cache.forget(name)
        model = build()
        made = self._cache.keep(name, lambda folder: self._optimized(model, folder))
        return self._opened(made) if made is not None else self.load(model)

    def _loaded(self, model: "files.Graph", folder: Path) -> Session:
        if self.provider == "cpu":
            return self._opened(self._optimized(model, folder))
        graph = files.save(model, folder)
        recorded = self._recorded(graph) if self._cuda_graphs else None
        try:
            runs = recorded or ort.InferenceSession(graph, _options(1), providers=self._providers)
        except Exception as error:
            raise EngineError(f"the runtime refuses the model: {error}") from error
        return Session(runs, runs, files.size_of(graph))

    def _optimized(self, model: "files.Graph", folder: Path) -> Path:
        try:
            return files.optimize(model, folder, _options(1), self._providers)
        except Exception as error:
            raise EngineError(f"the runtime refuses the model: {error}") from error

    def _opened(self, optimized: Path) -> Session:
        def session(threads: int) -> ort.InferenceSession:
            options = _options(threads)
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # they are done
            return ort.InferenceSession(optimized, options, providers=self._providers)

        wide = session(self._threads)
        return Session(wide, wide if self._threads == 1 else session(1), files.size_of(optimized))

    def _recorded(self, graph: Path) -> BoundRuns | None:
        """Runs that CUDA replays; None for graphs that it cannot record: with open sizes, or nodes on the CPU."""
        cuda = (_PROVIDERS["cuda"], {"enable_cuda_graph": "1"})
        try:
            return BoundRuns(ort.InferenceSession(graph, _options(1), providers=[cuda]), "cuda")
        except Exception:
            logger.info("the runtime cannot record this graph; it is run without", exc_info=True)
            return None


def _is_large(arrays: Sequence[Array]) -> bool:
    """Whether a run with these inputs and outputs takes more memory than usual ones."""
    return max(array.nbytes for array in arrays) > LARGE_BYTES


def let_go_of_memory() -> None:
    """Let go of the memory that runs on a CPU have left behind, and of the pages of weights in files."""
    _give_memory_back()
    let_go_of_mapped(files.OPTIMIZED_WEIGHTS)


def _give_memory_back() -> None:
    """Have the arena free what no run uses: pictures of ever other sizes would each leave a piece of it behind.

    That can be asked for with a run only.
    """
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    _tiny(_PROVIDERS["cpu"]).run(None, {"x": np.ones(1, np.float32)}, options)


# <ir_version: 8, opset_import: ["": 18]> t (float[1] x) => (float[1] y) { y = Neg(x) }, as bytes: what parses the text
# takes time and memory to be imported.
_TINY = (
    b'\x08\x08:4\n\r\n\x01x\x12\x01y"\x03Neg:\x00\x12\x01tZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x12"
)


@cache
def _tiny(provider: str) -> ort.InferenceSession:
    """A session that does next to nothing."""
    return ort.InferenceSession(_TINY, _options(1), providers=[provider])


@cache
def _share_memory() -> None:
    """One arena for all sessions of the process, which grows by what is asked for.

    If each has its own they take more memory, and grow for longer.
    """
    same_as_requested = 1
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(0, same_as_requested, -1, -1))


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # one block per run and session takes a third more memory, and no less time
    options.log_severity_level = 3
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Threads that spin start sooner, but take the cores from runs side by side, and between runs from whatever else
    # computes: another session, or the request.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads != 1 else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _usable(providers: str) -> list[str]:
    """The runtime's names of the providers asked for, the ones that do not start left out of ``auto``."""
    installed = ort.get_available_providers()
    if providers == "auto":
        cuda = _PROVIDERS["cuda"]
        return [cuda, _PROVIDERS["cpu"]] if cuda in installed and _starts(cuda) else [_PROVIDERS["cpu"]]
    names = [name.strip().lower() for name in providers.split(",")]
    for name in names:
        if name not in _PROVIDERS:
            raise EngineError(f"unknown execution provider {name!r}; known are auto, {', '.join(_PROVIDERS)}")
        if _PROVIDERS[name] not in installed or not _starts(_PROVIDERS[name]):
            raise EngineError(
                f"the execution provider {name!r} does not start here; install the extra 'gpu' or use 'auto'"
            )
    return [_PROVIDERS[name] for name in names]


def _starts(provider: str) -> bool:
    """Whether a session really comes up on the provider: an installed one may lack its libraries or its device."""
    if provider == _PROVIDERS["cuda"] and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    try:
        session = _tiny(provider)
        session.run(None, {"x": np.ones(1, np.float32)})
    except Exception:  # noqa: BLE001 - whatever it is, the provider is of no use
        return False
    return bool(session.get_providers()[0] == provider)
