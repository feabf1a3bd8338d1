"""Where results are written, and how: whole files or none."""

import errno
import os
import re
import threading
from hashlib import blake2b
from pathlib import Path

from service.errors import ConvlensError, InvalidParameter

SETTINGS = "convlens.json"  # what was asked, and so the mark of a folder of results
WORK = ".work"  # what is not finished
MOST_PART, MOST_PATH = 240, 1000  # bytes of a name and of a path, with room for what is added
_TAKEN = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY)


class Unwritable(ConvlensError):
    """Results cannot be written."""


def place(item: str) -> str:
    """The path of the results of an item, without a suffix, which no other item has.

    It is the name of the item, unless that could lead elsewhere or is too long for a file.
    """
    parts = item.split("/")
    if all(_is_plain(part) for part in parts) and len(item.encode()) <= MOST_PATH:
        return item
    tail = re.sub(r"[^\w.-]+", "_", parts[-1], flags=re.ASCII)[-80:]
    return f"_/{blake2b(item.encode(), digest_size=8).hexdigest()}-{tail}"


def _is_plain(part: str) -> bool:
    return part not in ("", ".", "..", "_") and "\0" not in part and len(part.encode()) <= MOST_PART


class Output:
    """The folder of the results. It may be handed to other processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, relative: str, data: bytes) -> str:
        """Write a file, so that it is there as a whole or not at all; returns its path.

        Raises:
            InvalidParameter: Another file is in the way.
            Unwritable: Nothing can be written.
        """
        target = self.folder / relative
        draft = self.folder / WORK / f"{os.getpid()}-{threading.get_ident()}"
        try:
            draft.write_bytes(data)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(draft, target)
        except OSError as error:
            if error.errno in _TAKEN:
                raise InvalidParameter(f"{relative} cannot be written: {error.strerror}") from error
            raise Unwritable(f"{target} cannot be written: {error.strerror}") from error
        return relative
