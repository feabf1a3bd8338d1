"""What is uploaded into the models folder: a folder of records beside the models, which all processes share.

.uploads/NAME/record.json   what is known of it
.uploads/NAME/files/        its files, until they are taken in or refused
.uploads/changes            a file that is renewed whenever a model has come or gone
"""

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from service.errors import Conflict, InvalidParameter, NotFound, TooManyBytes
from service.models.files import write_if_changed
from service.models.library import Library

MOST_RECORDS = 1000
COPY_BYTES = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WEIGHTS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")
_OURS = (".onnx", ".toml")  # endings that mean something in the models folder

State = Literal["waiting", "trying", "added", "failed"]


class Record(BaseModel):
    """An uploaded model.

    Attributes:
        name: The name of the model.
        state: Whether it waits for its trial, is tried out, is a model of the folder, or was refused.
        bytes: The size of its files.
        files: Their names in the models folder, once they are there.
        begun: When it was uploaded, in seconds since 1970.
        seconds: How long it took to be tried out.
        problem: Why it was refused.
        report: What the trial tells.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    state: State = "waiting"
    bytes: int
    files: tuple[str, ...] = ()
    begun: float
    seconds: float | None = None
    problem: str | None = None
    report: dict[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen by itself any more."""
        return self.state in ("added", "failed")


def check_name(name: str) -> None:
    """Raise `InvalidParameter` for what cannot be the name of a model."""
    if not _NAME.fullmatch(name):
        raise InvalidParameter(
            f"a name has letters, digits, points, dashes and underscores, at most 64, and begins with one of the first "
            f"two; this does not: {name[:100]!r}"
        )


def check_weights(names: Sequence[str]) -> None:
    """Raise `InvalidParameter` for what cannot be the names of files with weights."""
    for name in names:
        if not _WEIGHTS.fullmatch(name) or name.endswith(_OURS):
            raise InvalidParameter(
                "files with weights have the names that the ONNX file says, without folders, and neither .onnx nor "
                f".toml at their end; this has not: {name[:100]!r}"
            )
    if len(set(names)) < len(names):
        raise InvalidParameter("two files with weights have the same name")


class Uploaded:
    """The records of a models folder.

    Args:
        models_dir: The models folder.
        most_bytes: What all uploaded models may take together.
    """

    def __init__(self, models_dir: Path, most_bytes: int) -> None:
        self.models_dir = models_dir
        self._folder = models_dir / ".uploads"
        self._most_bytes = most_bytes

    @property
    def used_bytes(self) -> int:
        """What all uploaded models take together."""
        return sum(record.bytes for record in self.all())

    def all(self) -> list[Record]:
        """All records, the newest first."""
        names = [path.name for path in self._folder.glob("*") if path.is_dir()]
        found = []
        for name in names:
            with suppress(NotFound, InvalidParameter):
                found.append(self[name])
        return sorted(found, key=lambda record: -record.begun)

    def __getitem__(self, name: str) -> Record:
        """The record of that name. Raises `NotFound`."""
        check_name(name)
        try:
            record = Record.model_validate_json((self._folder / name / "record.json").read_bytes())
        except (OSError, ValidationError):
            raise NotFound(f"no model of the name {name!r} was uploaded") from None
        if not record.is_over and self._is_abandoned(name):
            return record.model_copy(update={"state": "failed", "problem": "it was interrupted; upload it again"})
        return record

    def write(self, record: Record) -> None:
        """Renew a record."""
        write_if_changed(self._folder / record.name / "record.json", record.model_dump_json().encode())

    def files_of(self, name: str) -> Path:
        """The folder of the files that wait."""
        return self._folder / name / "files"

    @contextmanager
    def reserved(self, name: str, files: dict[str, IO[bytes]]) -> Iterator[Record]:
        """Keep the name and copy the files; within the ``with`` block nobody else has them.

        A process that dies leaves a record that counts as failed.

        Raises:
            Conflict: There is a model of that name, or one is being tried out.
            TooManyBytes: There is no room for it.
        """
        size = sum(_size(file) for file in files.values())
        with self._alone():
            self._check_free(name)
            self._check_room(name, size)
            place = self._folder / name
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            lock = (place / "lock").open("wb")
            fcntl.flock(lock, fcntl.LOCK_EX)
            record = Record(name=name, bytes=size, begun=time.time())
            self.write(record)
        with lock:
            try:
                self.files_of(name).mkdir()
                for file_name, file in files.items():
                    file.seek(0)
                    with (self.files_of(name) / file_name).open("wb") as copy:
                        shutil.copyfileobj(file, copy, COPY_BYTES)
                yield record
            finally:
                self._clear(name)

    def remove(self, name: str) -> None:
        """Take a model out of the folder, or forget one that was refused.

        Raises `NotFound`, or `Conflict` while it is being tried out.
        """
        record = self[name]
        if not record.is_over:
            raise Conflict(f"{name} is being tried out; remove it once that is over")
        for file in sorted(record.files, key=lambda file: not file.endswith(".toml")):  # the manifest first
            if Path(file).name == file:
                (self.models_dir / file).unlink(missing_ok=True)
        shutil.rmtree(self._folder / name, ignore_errors=True)
        self.tell_changes()

    def tell_changes(self) -> None:
        """Have all processes see that a model has come or gone."""
        self._folder.mkdir(exist_ok=True)
        write_if_changed(self._folder / "changes", secrets.token_hex(8).encode())

    def _clear(self, name: str) -> None:
        """Remove all of a model but its record."""
        for path in (self._folder / name).iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix != ".json" or path.stem != "record":
                path.unlink(missing_ok=True)

    def _is_abandoned(self, name: str) -> bool:
        """Whether the process that had reserved it is gone."""
        try:
            with (self._folder / name / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process reserves anything within the ``with`` block."""
        self._folder.mkdir(exist_ok=True)
        with (self._folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _check_free(self, name: str) -> None:
        library = Library(self.models_dir)
        files = {model.manifest.file for model in library}
        there = name in library.manifests or f"{name}.onnx" in files
        if there or any((self.models_dir / f"{name}{ending}").exists() for ending in _OURS):
            raise Conflict(f"there is a model {name!r} already; choose another name, or remove that one first")
        with suppress(NotFound):
            if not self[name].is_over:
                raise Conflict(f"a model {name!r} is being tried out; choose another name")

    def _check_room(self, name: str, size: int) -> None:
        others = [record for record in self.all() if record.name != name]
        taken = sum(record.bytes for record in others)
        if taken + size > self._most_bytes or len(others) >= MOST_RECORDS:
            raise TooManyBytes(
                f"uploaded models may take {self._most_bytes:,} bytes together and {taken:,} are taken; this has "
                f"{size:,}. Remove one, or have the operator raise CONVLENS_UPLOADED_MODELS_BYTES"
            )


def changes_of(models_dir: Path) -> tuple[int, int] | None:
    """A value that differs whenever an uploaded model has come or gone; None if there was none yet."""
    try:
        stat = (models_dir / ".uploads" / "changes").stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino


def _size(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)
