"""Whether anybody still waits for the work of a thread, so that it can end with the next run of a network."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

from service.errors import Abandoned

_UNATTENDED: ContextVar[Event | None] = ContextVar("unattended", default=None)


@contextmanager
def ends_with(unattended: Event) -> Iterator[None]:
    """Within the ``with`` block, and in threads that it starts, work ends once the event is set."""
    token = _UNATTENDED.set(unattended)
    try:
        yield
    finally:
        _UNATTENDED.reset(token)


def current() -> Event | None:
    """The event that ends the present work, if there is one."""
    return _UNATTENDED.get()


def check(unattended: Event | None) -> None:
    """Raise `Abandoned` if the event is set."""
    if unattended is not None and unattended.is_set():
        raise Abandoned("nobody waits for this any more")
