"""How many event streams there may be: each holds a connection to the server and one to the queue."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from service.errors import Overloaded

MAX_STREAMS, MAX_PER_CALLER = 500, 100


class Streams:
    """The streams that are open, by caller. Used by the event loop only."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def take(self, caller: str) -> AbstractContextManager[None]:
        """A place for a stream, which counts within the ``with`` block. Raises `Overloaded` if there is none."""
        if self._open.total() >= MAX_STREAMS or self._open[caller] >= MAX_PER_CALLER:
            raise Overloaded("too many event streams are open; close some, or poll the job instead", retry_after=5)
        return self._counted(caller)

    @contextmanager
    def _counted(self, caller: str) -> Iterator[None]:
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]
