"""Folders that the service writes to."""

import os
import tempfile
from pathlib import Path

from service.errors import QueueError


def writable(folder: Path, mode: int = 0o777) -> Path:
    """The folder, which is made if it is missing. Raises `QueueError` if nothing can be written there."""
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise QueueError(unwritable(folder, error)) from error
    return folder


def unwritable(path: Path, error: OSError) -> str:
    """What to say of a file or folder of the data folder that cannot be written to, and what to do about it."""
    reason = (error.strerror or str(error)).lower()
    return (
        f"{path} cannot be written to by user {os.getuid()}: {reason}; "
        "CONVLENS_DATA_DIR or --data-dir names the folder for data"
    )
