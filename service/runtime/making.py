"""A process of its own that makes graphs: what that takes, several times the weights, ends with it."""

import logging
import subprocess
import sys
import weakref
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Lock, Timer
from typing import TYPE_CHECKING

from service.errors import EngineError
from service.runtime.files import GraphCache

if TYPE_CHECKING:
    from service.runtime.files import Graph

logger = logging.getLogger(__name__)

IDLE_SECONDS = 30.0  # after which the process ends; to start it takes a second
DIED = "the process that makes graphs has died; it may have lacked memory"


class Maker:
    """Has a process make what a cache is to keep, one after the other. Safe to use from several threads.

    The process is started when there is something to make, and ends when there was nothing for a while.

    Args:
        cache: Keeps what is made.
        idle_seconds: The while.
    """

    def __init__(self, cache: GraphCache, idle_seconds: float = IDLE_SECONDS) -> None:
        self._cache = cache
        self._idle_seconds = idle_seconds
        self._lock = Lock()
        self._connection: Connection | None = None
        self._end: Callable[[], object] = lambda: None
        self._timer: Timer | None = None

    def make(self, name: str, build: "Callable[[], Graph | str]") -> None:
        """Have the cache keep what ``build`` makes, which can be pickled.

        Where no process can be started, or what is made cannot be kept, nothing happens. Raises what ``build`` raises,
        and `EngineError` when the process dies.
        """
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            try:
                connection = self._connection or self._started()
            except OSError as error:
                logger.warning("no process that makes graphs can be started: %s", error.strerror)
                return
            try:
                connection.send((name, build))
                problem = connection.recv()
            except (EOFError, OSError) as error:
                self._stop()
                raise EngineError(DIED) from error
            self._timer = Timer(self._idle_seconds, self.stop)
            self._timer.daemon = True
            self._timer.start()
        if problem is not None:
            raise problem

    def stop(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        self._end()
        self._connection = None

    def _started(self) -> Connection:
        ours, its = Pipe()
        command = [sys.executable, "-m", "service.runtime.maker_process", str(its.fileno())]
        try:  # a session of its own: the signals of a terminal are not for it
            process = subprocess.Popen(command, pass_fds=[its.fileno()], start_new_session=True)  # noqa: S603 - our own command
        finally:
            its.close()
        self._end = weakref.finalize(self, _end, ours, process)
        ours.send(self._cache)
        self._connection = ours
        return ours


def _end(connection: Connection, process: "subprocess.Popen[bytes]") -> None:
    """A process without a connection ends."""
    connection.close()
    process.wait()
