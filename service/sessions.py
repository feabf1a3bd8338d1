"""Sessions by key: made once, by whoever needs one first, and let go when many others have been used since."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock

import onnx

from service.engine import Engine, Session


class Sessions:
    """At most ``most`` sessions; the longest unused one is let go. Safe to use from several threads."""

    def __init__(self, engine: Engine, most: int) -> None:
        self._engine = engine
        self._most = most
        self._lock = Lock()
        self._made: OrderedDict[Hashable, Future[Session]] = OrderedDict()

    def get(self, key: Hashable, build: Callable[[], onnx.ModelProto]) -> Session:
        """The session of the key; the first caller builds its graph, others with the same key wait for it.

        Raises what ``build`` raises, and `EngineError` when the runtime refuses the graph; then the next caller tries again.
        """
        with self._lock:
            future = self._made.get(key)
            mine = future is None
            if future is None:
                future = self._made[key] = Future()
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
            else:
                self._made.move_to_end(key)
        if mine:
            try:
                future.set_result(self._engine.load(build()))
            except BaseException as error:  # noqa: BLE001 - nobody must wait for ever
                with self._lock:
                    if self._made.get(key) is future:
                        del self._made[key]
                future.set_exception(error)
        return future.result()
