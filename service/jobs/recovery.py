"""Mends the append-only file of a Valkey whose machine lost its power: a tail of zeros or garbage is cut off."""

import logging
import mmap
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from service.errors import QueueError

logger = logging.getLogger(__name__)

_INCREMENT = re.compile(r"file (\S+) seq \d+ type i\b")  # a line of the manifest
_COUNT, _LENGTH = re.compile(rb"\*(\d{1,9})\r\n"), re.compile(rb"\$(\d{1,9})\r\n")
_NAME = re.compile(rb"[A-Za-z][\w.|-]*")

Bytes = bytes | mmap.mmap


@dataclass(frozen=True)
class Damage:
    """Where a file of commands cannot be read.

    Attributes:
        kept: The end of the last command, or of the transaction with it, that is whole.
        at: Where the damage begins.
        resumes: Where the first whole command after the damage begins, None if there is none.
    """

    kept: int
    at: int
    resumes: int | None


def mend(folder: Path) -> bool:
    """Cut off what cannot be read at the end of the last file of commands, after making a copy of it.

    folder: of a Valkey that does not run. Returns whether there was something to cut. Raises `QueueError` if the
    damage is not at the end, or the file cannot be written to.
    """
    try:
        files = _files(folder / "appendonlydir")
        for file in files:
            if (damage := examine(file)) is None:
                continue
            if damage.resumes is not None or file != files[-1]:
                raise QueueError(_refusal(folder, file, damage))
            _cut(file, damage.kept)
            return True
    except OSError as error:
        raise QueueError(f"the files of the queue in {folder} cannot be mended: {error.strerror or error}") from error
    return False


def examine(file: Path) -> Damage | None:
    """The damage of a file of commands, None if there is none."""
    if not file.stat().st_size:
        return None
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        kept = at = 0
        in_transaction = False
        while (command := _command(data, at)) is not None:
            at, name = command
            in_transaction = name == b"MULTI" or (in_transaction and name != b"EXEC")
            if not in_transaction:
                kept = at
        return None if kept == len(data) else Damage(kept, at, _next_command(data, at))


def _files(folder: Path) -> list[Path]:
    """The files of commands, in the order in which they were written."""
    manifest = folder / "appendonly.aof.manifest"
    if not manifest.exists():
        return []
    return [folder / name for name in _INCREMENT.findall(manifest.read_text("utf-8", errors="replace"))]


def _command(data: Bytes, start: int) -> tuple[int, bytes] | None:
    """The end and the name, in capitals, of the whole command that begins there; None if there is none."""
    if (count := _COUNT.match(data, start)) is None:
        return None
    at, name = count.end(), b""
    for number in range(int(count[1])):
        if (length := _LENGTH.match(data, at)) is None:
            return None
        end = length.end() + int(length[1])
        if data[end : end + 2] != b"\r\n":
            return None
        if number == 0:
            name = data[length.end() : end]
        at = end + 2
    return (at, name.upper()) if _NAME.fullmatch(name) else None


def _next_command(data: Bytes, start: int) -> int | None:
    """Where the next whole command begins."""
    starts = (found.start() for found in _COUNT.finditer(data, start))
    return next((at for at in starts if _command(data, at) is not None), None)


def _cut(file: Path, size: int) -> None:
    """Copy the file, and cut it to so many bytes."""
    copy = file.with_name(f"{file.name}.broken-{time.strftime('%Y%m%dT%H%M%S')}")
    shutil.copy2(file, copy)
    with copy.open("rb") as opened:
        os.fsync(opened.fileno())
    with file.open("r+b") as opened:
        lost = file.stat().st_size - size
        opened.truncate(size)
        os.fsync(opened.fileno())
    logger.warning(
        "the file of the queue %s ended in %d bytes that cannot be read, as after a power cut; they were cut off, and "
        "a copy with them is %s",
        file,
        lost,
        copy,
    )


def _refusal(folder: Path, file: Path, damage: Damage) -> str:
    follows = "other files follow" if damage.resumes is None else f"commands follow from byte {damage.resumes} on"
    return (
        f"the file of the queue {file} is damaged at byte {damage.at}, and {follows}, so it is not cut off there; "
        f"restore {folder} from a backup, or make a copy and accept that all after byte {damage.kept} is lost: "
        f"'truncate -s {damage.kept} {file}', or move {folder} away to begin without jobs"
    )
