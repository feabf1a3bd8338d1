"""Large pictures one after the other, so that they are not all in memory at the same time."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Condition
from types import TracebackType
from typing import Self

LARGE_PIXELS = 8_000_000  # of pictures that take turns, since each takes several times its size while it is decoded


class PixelTurns:
    """So many pixels are worked on at a time, in the order of arrival; a picture that has more of them, alone."""

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._taken = 0
        self._waiting: deque[object] = deque()
        self._changed = Condition()

    @contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Wait for the turn of a picture, which lasts for the ``with`` block."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._waiting[0] is ticket and self._has_room_for(pixels))
            self._waiting.popleft()
            self._taken += pixels
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()

    def _has_room_for(self, pixels: int) -> bool:
        return not self._taken or self._taken + pixels <= self._pixels


_TURNS = PixelTurns(64_000_000)


class Turn:
    """The turn of one picture: from when its size is known until the ``with`` block ends.

    Args:
        check: Called when the turn has come, and as the work goes on. What it raises ends the turn.
    """

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self.check = check
        self._taken = ExitStack()

    def begin(self, pixels: int) -> None:
        """Wait for the turn of a picture of that size, if it is a large one."""
        if pixels > LARGE_PIXELS:
            self._taken.enter_context(_TURNS.take(pixels))
        self.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._taken.close()
