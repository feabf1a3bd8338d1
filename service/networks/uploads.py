"""Uploaded models: tried out one after the other in a process of their own, then served."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import IO, Any

from pydantic import BaseModel, ConfigDict

from service.errors import ConvlensError, ModelError, Overloaded
from service.models.uploaded import Record, Uploaded
from service.networks.report import Report
from service.networks.trials import Limits, message_of

logger = logging.getLogger(__name__)

MOST_ARRIVING = 2  # models that are uploaded at the same time to one process
MOST_WAITING = 4  # models of one process
ADDING_SHARE = 5  # of the time for a trial: adding draws up a manifest and measures, too
GRACE_SECONDS = 10  # beyond that for a process that does not end by itself


class Order(BaseModel):
    """What the process that takes a model in is told.

    Attributes:
        file: The ONNX file.
        choices: What the user says of it, see `Choices`; what is left out is None or empty.
        report: Where it writes a `Taken`.
    """

    model_config = ConfigDict(frozen=True)

    file: Path
    choices: dict[str, Any]
    report: Path


class Taken(BaseModel):
    """What it tells. files: their names in the models folder."""

    files: tuple[str, ...]
    report: Report


class Uploads:
    """Takes uploaded models in.

    Args:
        uploaded: The records.
        limits: Of a trial.
        is_taken: Called once a model has come or gone.
    """

    def __init__(self, uploaded: Uploaded, limits: Limits, is_taken: Callable[[], None]) -> None:
        self.records = uploaded
        self._limits = limits
        self._is_taken = is_taken
        self._pool = ThreadPoolExecutor(1, "uploads")
        self._lock = Lock()
        self._waiting = 0
        self._arriving = 0
        self._child: subprocess.Popen[str] | None = None
        self._is_closed = False

    def take(self, name: str, files: Mapping[str, IO[bytes]], choices: Mapping[str, Any]) -> Record:
        """Copy the files of a model, the ONNX file first, and have it tried out in the background.

        choices: What the user says of it, as `Choices` takes it.

        Raises `Conflict`, `TooManyBytes`, `Overloaded`, or `ModelError` if the folder cannot be written to.
        """
        with self._lock:
            if self._waiting >= MOST_WAITING:
                raise Overloaded("several models wait for their trial already; try again in a minute", retry_after=60)
            self._waiting += 1
        held = ExitStack()
        try:
            record = held.enter_context(self.records.reserved(name, dict(files)))
        except OSError as error:
            self._is_done()
            raise ModelError(f"the models folder cannot take it: {error.strerror}") from error
        except BaseException:
            self._is_done()
            raise
        self._pool.submit(self._try, held, record, next(iter(files)), choices)
        return record

    def remove(self, name: str) -> None:
        """Take a model out again. Raises `NotFound`, `Conflict`, or `ModelError` if the folder cannot be written to."""
        try:
            self.records.remove(name)
        except OSError as error:
            raise ModelError(f"the models folder cannot be written to: {error.strerror}") from error
        self._is_taken()

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """A model arrives within the ``with`` block. Raises `Overloaded` if others do, which fill the disk."""
        with self._lock:
            if self._arriving >= MOST_ARRIVING:
                raise Overloaded("other models are being uploaded; try again in a minute", retry_after=60)
            self._arriving += 1
        try:
            yield
        finally:
            with self._lock:
                self._arriving -= 1

    def close(self) -> None:
        """Give up what is being tried out."""
        with self._lock:
            self._is_closed = True
            if self._child is not None:
                self._child.kill()
        self._pool.shutdown()

    def _is_done(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _try(self, held: ExitStack, record: Record, file: str, choices: Mapping[str, Any]) -> None:
        """Try it out and write down what came of it."""
        start = time.monotonic()
        try:
            with held:
                self.records.write(record := record.model_copy(update={"state": "trying"}))
                try:
                    taken = self._run(record.name, file, choices)
                    found: dict[str, Any] = {"files": taken.files, "report": taken.report.model_dump(mode="json")}
                    found["state"] = "added"
                except ConvlensError as error:
                    found = {"state": "failed", "problem": str(error), "bytes": 0}
                seconds = round(time.monotonic() - start, 1)
                self.records.write(record.model_copy(update={**found, "seconds": seconds}))
            if found["state"] == "added":
                self.records.tell_changes()
                self._is_taken()
        except Exception:
            logger.exception("taking in the model %s failed", record.name)
        finally:
            self._is_done()

    def _run(self, name: str, file: str, choices: Mapping[str, Any]) -> Taken:
        """Take it in by a process of its own. Raises `ModelError` with the reason if it cannot be used."""
        folder = self.records.files_of(name).parent.resolve()
        order = Order(file=folder / "files" / file, choices={**choices, "name": name}, report=folder / "report.json")
        (folder / "order.json").write_text(order.model_dump_json())
        seconds = ADDING_SHARE * self._limits.seconds
        flags = {
            "--models-dir": self.records.models_dir.resolve(),
            "--check-seconds": self._limits.seconds,
            "--check-bytes": self._limits.memory_bytes,
        }
        command = [sys.executable, "-m", "service", "take", str(folder / "order.json")]
        command += [str(part) for flag in flags.items() for part in flag]
        with self._lock:
            if self._is_closed:
                raise ModelError("the service was stopped; upload it again")
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command
            self._child = child
        try:
            _, told = child.communicate(timeout=seconds + GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            raise ModelError(f"taking it in took longer than {seconds:g} seconds") from None
        finally:
            with self._lock:
                self._child = None
        if child.returncode != 0:
            raise ModelError(message_of(told, child.returncode))
        try:
            return Taken.model_validate(json.loads(order.report.read_bytes()))
        except (OSError, ValueError) as error:
            raise ModelError("the process that took it in told nothing") from error
