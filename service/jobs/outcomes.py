"""What the scripts of the ledger answer."""

from enum import StrEnum


class Claim(StrEnum):
    """Whether a job is to be run by the worker that claimed it, and if not, why not."""

    RUN = "run"
    BUSY = "busy"  # another worker holds it and sends heartbeats
    CANCELLED = "cancelled"
    EXHAUSTED = "exhausted"  # too many workers have died while they ran it
    FINISHED = "finished"
    GONE = "gone"  # deleted


class Stop(StrEnum):
    """Why a worker must stop running a job, beside its state in the ledger."""

    LOST = "lost"  # another worker holds the lease
    GONE = "gone"  # deleted
    DEADLINE = "deadline"
