"""Who asked for the work of a thread, and whether anybody still waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Event

from service.errors import Abandoned


@dataclass(frozen=True, eq=False)
class Demand:
    """One request, or one job.

    Attributes:
        caller: Whose it is.
        unattended: Set once nobody waits for it: its work ends with the next run of a network.
    """

    caller: str = ""
    unattended: Event = field(default_factory=Event)

    def check(self) -> None:
        """Raise `Abandoned` if nobody waits for it."""
        if self.unattended.is_set():
            raise Abandoned("nobody waits for this any more")


_CURRENT: ContextVar[Demand | None] = ContextVar("demand", default=None)
_NOBODYS = Demand()  # of work that no request and no job asked for


@contextmanager
def working_for(demand: Demand) -> Iterator[None]:
    """Within the ``with`` block, and in threads that it starts, the work is for that demand."""
    token = _CURRENT.set(demand)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Demand:
    """What the present work is for."""
    return _CURRENT.get() or _NOBODYS
