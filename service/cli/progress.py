"""How far long work is: a bar where there is a terminal, else a line now and then."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

LINE_SECONDS = 10.0  # between two lines


class Progress:
    """Tells how many photographs are done. total: how many there are, None if that is not known."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._done = self._failed = 0
        self._since = self._told = time.monotonic()
        self._bar = tqdm(total=total, unit=" photographs", file=sys.stderr, disable=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def add(self, done: int, failed: int) -> None:
        """So many more are done, of which some have failed."""
        self._done += done
        self._failed += failed
        if failed:
            self._bar.set_postfix(failed=self._failed, refresh=False)
        self._bar.update(done)
        if self._bar.disable and time.monotonic() - self._told > LINE_SECONDS:
            self._told = time.monotonic()
            rate = self._done / (self._told - self._since)
            of = "" if self._total is None else f" of {self._total:,}"
            failures = f", {self._failed:,} failed" if self._failed else ""
            print(f"{self._done:,}{of} done{failures}, {rate:.1f} a second", file=sys.stderr, flush=True)
