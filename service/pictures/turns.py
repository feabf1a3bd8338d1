"""Large pictures one after the other, so that they are not all in memory at the same time."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


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
