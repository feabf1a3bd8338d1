"""How many event streams there may be: each holds a connection to the server."""

import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from service.errors import Overloaded

MAX_STREAMS, MAX_PER_CALLER = 10_000, 1000


class Streams:
    """The streams that are open, by caller. Used by the event loop only.

    They take at most half of the files that the process may have open, and those of a caller a fifth of that.
    """

    def __init__(self) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = MAX_STREAMS if files == resource.RLIM_INFINITY else min(MAX_STREAMS, files // 2)
        self._open: Counter[str] = Counter()

    def take(self, caller: str) -> AbstractContextManager[None]:
        """A place for a stream, which counts within the ``with`` block. Raises `Overloaded` if there is none."""
        most_per_caller = min(MAX_PER_CALLER, self._most // 5)
        if self._open.total() >= self._most or self._open[caller] >= most_per_caller:
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
