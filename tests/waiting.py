"""Waiting for something that happens elsewhere, and failing when it does not; processes that hang."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from redis import Redis

from service.jobs.valkey import EmbeddedValkey

T = TypeVar("T")


def eventually(look: Callable[[], T], holds: Callable[[T], object] = bool, seconds: float = 60.0) -> T:
    """What ``look`` returns once it ``holds``; fails with the last that was seen after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} seconds; last seen: {seen!r}"
        time.sleep(0.01)
    return seen


@contextmanager
def frozen(valkey: EmbeddedValkey) -> Iterator[None]:
    """Within the ``with`` block the Valkey is there, but does not answer."""
    with Redis(unix_socket_path=str(valkey.socket)) as redis:
        process = int(redis.info("server")["process_id"])  # type: ignore[index]
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)
