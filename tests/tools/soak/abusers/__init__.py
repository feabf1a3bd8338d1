"""The kinds of abuse."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from tests.tools.soak.abusers import expensive, faults, heads, memory, queue, readers, shares
from tests.tools.soak.installation import Installation
from tests.tools.soak.scene import Action

Fault = Callable[[Installation, Event], str]


@dataclass(frozen=True)
class Abuse:
    """A kind of abuse. actions: of clients. faults: of the installation, until the event; each tells what it did.

    cancels: whether the owner cancels what is unfinished in the end; else it must finish by itself.
    neighbour: whether another caller submits a job. moves_clocks: whether it needs an installation whose clocks can be
    moved.
    """

    name: str
    what: str
    actions: tuple[Action, ...]
    faults: tuple[Fault, ...] = ()
    cancels: bool = True
    neighbour: bool = False
    moves_clocks: bool = False


KINDS = (
    Abuse("expensive", "dear requests whose clients leave after a second", expensive.ACTIONS),
    Abuse("heads", "heads and bodies without end or sense", heads.ACTIONS),
    Abuse("memory", "ever other sizes, and flat pictures of 49 megapixels", memory.ACTIONS),
    Abuse("shares", "a key that fills the queue, and lists it", shares.ACTIONS, neighbour=True),
    Abuse("readers", "event streams and pictures that are read slowly or not at all", readers.ACTIONS),
    Abuse("valkey", "the Valkey frozen for 3 of every 8 seconds, wrong keys", queue.ACTIONS, queue.FAULTS),
    Abuse("workers", "a worker killed every 4 seconds", faults.ACTIONS, faults.KILLS, cancels=False, neighbour=True),
)
ALL = Abuse(
    "all",
    "all of these together",
    tuple(action for kind in KINDS for action in kind.actions),
    tuple(fault for kind in KINDS for fault in kind.faults),
    neighbour=True,
)
CLOCKS = Abuse(
    "clocks",
    "the clocks of API and one worker an hour forward and back",
    faults.ACTIONS,
    faults.JUMPS,
    cancels=False,
    neighbour=True,
    moves_clocks=True,
)
ABUSES = (*KINDS, ALL, CLOCKS)
