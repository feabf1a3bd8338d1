"""Running ONNX graphs."""

import logging
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from service.errors import EngineError
from service.runtime import files
from service.runtime.buffers import BoundRuns
from service.runtime.cores import cores, on_a_core_of_its_own
from service.runtime.memory import let_go_of_mapped
from service.runtime.providers import PROVIDERS, SHORT, options_of, share_memory, tiny, usable

if TYPE_CHECKING:
    from service.runtime.making import Maker

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
Precision = Literal["float32", "float16"]
Runs: TypeAlias = ort.InferenceSession | BoundRuns

LARGE_BYTES = 2 * 2**20  # of an input or output, which usual pictures and their gradients do not reach
VERSION: str = ort.__version__


class Session:
    """One graph, ready to run; safe to use from several threads at once.

    On a CPU there can be two of it: one that runs on all cores, for a run that is alone, and one on a single core, for
    runs side by side. Each is opened when it is first needed. Their results are the same, bit for bit, and they share
    the memory of the weights.

    Args:
        open_on: Opens the graph on a number of threads.
        threads: Those of a run that is alone.
        size: The bytes of the graph with its weights.
    """

    def __init__(self, open_on: Callable[[int], Runs], threads: int, size: int) -> None:
        self._open_on = open_on
        self._threads = threads
        self._lock = Lock()
        self._opened: dict[int, Runs] = {}
        self.size = size

    @property
    def outputs(self) -> list[str]:
        """The names of all outputs of the graph."""
        some = next(iter(self._opened.values()), None) or self.on(1)
        return [output.name for output in some.get_outputs()]

    def on(self, threads: int) -> Runs:
        """The session that runs on so many threads."""
        if (found := self._opened.get(threads)) is None:
            with self._lock:
                found = self._opened.get(threads) or self._open_on(threads)
                self._opened[threads] = found
        return found

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Array], all_cores: bool = True) -> list[Array]:
        """The named outputs for the named inputs. Raises `EngineError` when the runtime fails."""
        try:
            threads = self._threads if all_cores else 1
            session = self.on(threads)
            with on_a_core_of_its_own(threads):
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
    maker: makes what the cache does not have yet in another process; this one does if it is None.
    """

    def __init__(
        self,
        providers: str = "auto",
        threads: int = 0,
        precision: Precision = "float32",
        cuda_graphs: bool = False,
        cache: files.GraphCache | None = None,
        maker: "Maker | None" = None,
    ) -> None:
        share_memory()
        self._threads = threads or cores()
        self._providers = usable(providers)
        self.provider = SHORT[self._providers[0]]
        self.precision = precision
        self._cuda_graphs = cuda_graphs and self.provider == "cuda"
        self._cache = cache or files.GraphCache()
        self._maker = maker

    def remembered(self, name: str, make: Callable[[], str]) -> str:
        """What ``make`` tells, which the cache of graphs keeps under that name."""
        if not self._cache.has_text(name):
            self._make_apart(name, make)
        return self._cache.text(name, make)

    def load(self, model: "files.Graph") -> Session:
        """A session for the model. Raises `EngineError` when the runtime refuses it."""
        folder = Path(tempfile.mkdtemp(dir=files.own_folder()))
        try:
            session = self._loaded(model, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(session, shutil.rmtree, folder, ignore_errors=True)
        return session

    def load_named(self, name: str, build: "Callable[[], files.Graph]") -> Session:
        """A session for the model that ``build`` makes, unless the cache has it already.

        Raises what ``build`` raises, and `EngineError` when the runtime refuses the model.
        """
        if self.provider != "cpu":
            return self.load(build())
        kept = self._cache.find(name) or self._kept(name, build)
        if not isinstance(kept, Path):
            return self.load(kept)

        def opened(threads: int) -> Runs:
            try:
                return self._opened(kept, threads)
            except Exception:  # a file that was cut, or has been removed
                logger.warning("a graph of the cache cannot be used and is made anew", exc_info=True)
                self._cache.forget(name)
                again = self._kept(name, build)
                return self._opened(again, threads) if isinstance(again, Path) else self.load(again).on(threads)

        return Session(opened, self._threads, files.size_of(kept))

    def keep(self, name: str, build: "Callable[[], files.Graph | str]") -> None:
        """Have the cache keep the graph or text that ``build`` makes in this process."""
        made = build()
        if isinstance(made, str):
            self._cache.text(name, lambda: made)
        else:
            self._cache.keep(name, partial(self._optimized, made))

    def _make_apart(self, name: str, build: "Callable[[], files.Graph | str]") -> None:
        """Have another process make what the cache is to keep, if there is one and it can be kept."""
        if self._maker is not None and self._cache.can_keep:
            self._maker.make(name, build)

    def close(self) -> None:
        """End the process that makes graphs, if there is one."""
        if self._maker is not None:
            self._maker.stop()

    def _kept(self, name: str, build: "Callable[[], files.Graph]") -> "Path | files.Graph":
        """What ``build`` makes, in the cache if it can be kept."""
        self._make_apart(name, build)
        if (found := self._cache.find(name)) is not None:
            return found
        made = build()
        return self._cache.keep(name, partial(self._optimized, made)) or made

    def _loaded(self, model: "files.Graph", folder: Path) -> Session:
        if self.provider == "cpu":
            optimized = self._optimized(model, folder)
            return Session(partial(self._opened, optimized), self._threads, files.size_of(optimized))
        graph = files.save(model, folder)
        recorded = self._recorded(graph) if self._cuda_graphs else None
        try:
            runs = recorded or ort.InferenceSession(graph, options_of(1), providers=self._providers)
        except Exception as error:
            raise EngineError(f"the runtime refuses the model: {error}") from error
        return Session(lambda _: runs, 1, files.size_of(graph))

    def _optimized(self, model: "files.Graph", folder: Path) -> Path:
        try:
            return files.optimize(model, folder, options_of(1), self._providers)
        except Exception as error:
            raise EngineError(f"the runtime refuses the model: {error}") from error

    def _opened(self, optimized: Path, threads: int) -> ort.InferenceSession:
        options = options_of(threads)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # they are done
        return ort.InferenceSession(optimized, options, providers=self._providers)

    def _recorded(self, graph: Path) -> BoundRuns | None:
        """Runs that CUDA replays; None for graphs that it cannot record: with open sizes, or nodes on the CPU."""
        cuda = (PROVIDERS["cuda"], {"enable_cuda_graph": "1"})
        try:
            return BoundRuns(ort.InferenceSession(graph, options_of(1), providers=[cuda]), "cuda")
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
    tiny(PROVIDERS["cpu"]).run(None, {"x": np.ones(1, np.float32)}, options)
