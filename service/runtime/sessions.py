"""Sessions by key: made once, by whoever needs one first; when memory runs short the longest unused are let go."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from service.runtime.engine import Engine, Session
from service.runtime.memory import give_memory_back

if TYPE_CHECKING:
    from service.runtime.files import Graph

LARGE_BYTES = 16 * 2**20  # building such graphs takes memory that is worth returning
OVERHEAD = 32 * 2**20  # of a session beside its weights: the memory of its runs, roughly


@dataclass
class _Entry:
    future: "Future[Session]" = field(default_factory=Future)
    size: int = 0


class Sessions:
    """Sessions that take at most about ``max_bytes`` together, but at least one. Safe to use from several threads."""

    def __init__(self, engine: Engine, max_bytes: int) -> None:
        self._engine = engine
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._made: OrderedDict[Hashable, _Entry] = OrderedDict()

    def get(self, key: Hashable, build: "Callable[[], Graph]", name: str | None = None) -> Session:
        """The session of the key; the first caller builds its graph, others with the same key wait for it.

        name: what tells the graph from all others, in this and other processes; None if nothing does.
        Raises what ``build`` raises, and `EngineError` when the runtime refuses the graph; then the next caller tries
        again.
        """
        with self._lock:
            entry = self._made.get(key)
            mine = entry is None
            if entry is None:
                entry = self._made[key] = _Entry()
            else:
                self._made.move_to_end(key)
        if mine:
            self._fill(key, entry, build, name)
        return entry.future.result()

    def drop(self, owner: Hashable) -> None:
        """Release all sessions whose keys begin with ``owner``; current runs keep theirs."""
        with self._lock:
            for key in [k for k in self._made if isinstance(k, tuple) and k[0] == owner]:
                del self._made[key]

    def _fill(self, key: Hashable, entry: _Entry, build: "Callable[[], Graph]", name: str | None) -> None:
        try:
            session = self._engine.load(build()) if name is None else self._engine.load_named(name, build)
            if session.size > LARGE_BYTES:
                give_memory_back()
        except BaseException as error:  # noqa: BLE001 - nobody must wait for ever
            with self._lock:
                if self._made.get(key) is entry:
                    del self._made[key]
            entry.future.set_exception(error)
            return
        with self._lock:
            entry.size = OVERHEAD + session.size
            while len(self._made) > 1 and sum(e.size for e in self._made.values()) > self._max_bytes:
                oldest = next(iter(self._made))
                if oldest == key:
                    break
                del self._made[oldest]
        entry.future.set_result(session)
