"""All networks that the service offers, and the problems of those that it cannot offer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from service.errors import NotServed, Unready
from service.models.library import Library, Model
from service.models.uploaded import changes_of
from service.networks.network import Network
from service.runtime.batcher import Batcher
from service.runtime.cores import cores
from service.runtime.engine import Engine
from service.runtime.sessions import Sessions

MOST_CHECKS = 4
Check = Callable[[Path], str | None]  # from the path of a manifest to the reason why the model cannot be served, if any


class Networks:
    """The networks of a models folder on one engine, by model name.

    Args:
        folder: The models folder.
        engine: The engine that all networks share.
        batcher: Runs the sessions of all networks.
        session_bytes: The memory that all sessions together may take.
        trusted: The name of the model that is served without a check.
        check: Tries out every other model before it is served for the first time; None serves all without a check.
    """

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        batcher: Batcher,
        session_bytes: int,
        trusted: str,
        check: Check | None = None,
    ) -> None:
        self._folder = folder
        self.engine = engine
        self._batcher = batcher
        self._sessions = Sessions(engine, session_bytes)
        self._trusted = trusted
        self._check = check
        self._lock, self._refreshing = Lock(), Lock()
        self._networks: dict[str, Network] = {}
        self._unchecked: set[str] = set()
        self._checking: set[str] = set()
        self._stamps: dict[str, tuple[object, ...]] = {}
        self.problems: dict[str, str] = {}
        self._changes = changes_of(folder)
        self._take(Library(folder))

    @property
    def library(self) -> Library:
        """The models folder as it was last read."""
        return self._library

    def __getitem__(self, name: str) -> Network:
        """The network of that name.

        Raises:
            NotFound: There is no such model; the message lists the names.
            NotServed: The model cannot be used.
            Unready: The model is still being tried out.
        """
        if (problem := self.problems.get(name)) is not None:
            raise NotServed(f"the model {name!r} is not served: {problem}")
        model = self._library[name]
        if model.name in self._unchecked:
            raise Unready(f"the model {name!r} is being tried out; try again in a moment", retry_after=5)
        return self._networks[model.name]

    def is_served(self, name: str) -> bool:
        """Whether the model can be used at the moment."""
        return name in self._networks and name not in self._unchecked and name not in self.problems

    def check_all(self) -> None:
        """Try out the models that have not been tried out yet, a few side by side, the smallest first."""
        with self._lock:
            names = sorted(self._unchecked, key=lambda name: _bytes(self._library[name]))
        with ThreadPoolExecutor(min(cores(), MOST_CHECKS), "checks") as pool:
            list(pool.map(self._check_one, names))

    def _check_one(self, name: str) -> None:
        with self._lock:
            if name in self._checking or name not in self._unchecked:  # another call has it, or it is gone
                return
            self._checking.add(name)
            stamp, path = self._stamps[name], self._folder / self._library.manifests[name]
        problem: str | None = "trying it out has failed"
        try:
            problem = self._check(path) if self._check is not None else None
        finally:
            with self._lock:
                self._checking.discard(name)
                if self._stamps.get(name) == stamp:  # else the files are others by now, which wait for their own check
                    self._unchecked.discard(name)
                    if problem is not None:
                        self.problems[name] = problem

    @property
    def is_outdated(self) -> bool:
        """Whether an uploaded model has come or gone since the models folder was read, whichever process took it in."""
        return changes_of(self._folder) != self._changes

    def refresh(self) -> None:
        """Read the models folder again if it is outdated, and try out what is new.

        Whoever else does so meanwhile waits until that is over.
        """
        with self._refreshing:
            if self.is_outdated:
                self.reload()
                self.check_all()

    def reload(self) -> None:
        """Read the models folder again.

        Models whose files have not changed keep their sessions. Raises `ModelError` if there is none.
        """
        changes = changes_of(self._folder)
        self._take(Library(self._folder))
        self._changes = changes

    def _take(self, library: Library) -> None:
        with self._lock:
            self._library = library
            stamps = {model.name: _stamp(model) for model in library}
            same = {name for name, stamp in stamps.items() if self._stamps.get(name) == stamp}
            for name in set(self._networks) - same:
                self._networks.pop(name).unload()
            for model in library:
                if model.name not in same:
                    self._networks[model.name] = Network(model, self._batcher, self._sessions, self.engine)
            new = set(stamps) - same
            self._unchecked = (self._unchecked & same) | ((new - {self._trusted}) if self._check is not None else set())
            self.problems = {name: why for name, why in self.problems.items() if name in same} | library.broken
            self._stamps = stamps

    def close(self) -> None:
        """Wait for runs in progress and stop."""
        self._batcher.close()
        self.engine.close()


def _bytes(model: Model) -> int:
    """The size of the ONNX file, 0 if there is none."""
    try:
        return model.path.stat().st_size
    except OSError:
        return 0


def _stamp(model: Model) -> tuple[object, ...]:
    """A value that changes whenever the files of the model change."""
    try:
        stat = model.path.stat()
    except OSError:
        return (model.manifest, None)
    return (model.manifest, stat.st_mtime_ns, stat.st_size)
