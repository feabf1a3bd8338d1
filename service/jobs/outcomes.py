"""What the scripts of the ledger answer."""

from enum import StrEnum


class Stop(StrEnum):
    """Why a worker must stop running a job, beside its state in the ledger."""

    LOST = "lost"  # another worker holds the lease
    GONE = "gone"  # deleted
    DEADLINE = "deadline"
