"""Trying out models before they are served, in processes of their own."""

import ctypes
import hashlib
import platform
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Lock

from service import __version__
from service.errors import ModelError
from service.models import manifest as manifests
from service.models.files import write_if_changed
from service.models.library import Model
from service.runtime.engine import VERSION

MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class Limits:
    """The limits for trying out one model.

    Attributes:
        seconds: The time that it may take.
        memory_bytes: The address space of the process that tries it out.
    """

    seconds: float
    memory_bytes: int


def check_in_child(manifest_path: Path, limits: Limits) -> str | None:
    """Try out a model in a child process that may crash, hang or run out of memory.

    Returns the reason why the model cannot be served, or None if it can.
    """
    command = [
        sys.executable,
        "-m",
        "service",
        "check",
        str(manifest_path.resolve()),
        "--memory-bytes",
        str(limits.memory_bytes),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limits.seconds, check=False)  # noqa: S603 - our own command
    except subprocess.TimeoutExpired:
        return f"trying it out took longer than {limits.seconds:g} seconds"
    if done.returncode == 0:
        return None
    return message_of(done.stderr, done.returncode)


def message_of(told: str, status: int) -> str:
    """Why a process of ours has failed, from what it told and its exit status."""
    return told.partition("convlens: ")[2].strip() or f"trying it out killed the process (exit status {status})"


class Tried:
    """The models that have been tried out with success on this machine, by a hash of all that was tried.

    The hashes are kept in the models folder, if it can be written to.

    Args:
        folder: The models folder.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / ".tried"
        self._lock = Lock()

    def check(self, manifest_path: Path, limits: Limits) -> str | None:
        """`check_in_child`, unless the model has passed it before."""
        try:
            digest = _digest(manifest_path)
        except (OSError, ModelError):  # a file that cannot be read fails its trial too
            return check_in_child(manifest_path, limits)
        if digest in self._known():
            return None
        problem = check_in_child(manifest_path, limits)
        if problem is None:
            self._remember(digest)
        return problem

    def remember(self, manifest_path: Path) -> None:
        """Take note that the model has been tried out."""
        self._remember(_digest(manifest_path))

    def _known(self) -> list[str]:
        try:
            return self._file.read_text("utf-8").split()
        except OSError:
            return []

    def _remember(self, digest: str) -> None:
        with self._lock, suppress(OSError):  # a folder that cannot be written to costs a second trial, no more
            kept = [*self._known(), digest][-MOST_REMEMBERED:]
            write_if_changed(self._file, "\n".join(kept).encode())


def _digest(manifest_path: Path) -> str:
    """A hash of the model and the versions of what runs it."""
    manifest = manifests.read(manifest_path)
    model = Model(manifest, manifest_path.parent / manifest.file)
    surroundings = f"{__version__} {version('onnx')} {VERSION} {platform.machine()}"
    return hashlib.sha256(f"{surroundings} {model.identity}".encode()).hexdigest()


def die_with_parent() -> None:
    """Have the system kill this process when the one that started it ends; Linux only."""
    parent_death_signal = 1
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").prctl(parent_death_signal, signal.SIGKILL)
