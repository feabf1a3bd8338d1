"""`convlens explain`: saliency maps of the photographs of a folder, in this process or by a server."""

import argparse
import fcntl
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Protocol

from service import __version__
from service.cli.progress import Progress
from service.errors import Conflict, InvalidParameter
from service.folders.asked import Asked, remember
from service.folders.index import INDEX, Index
from service.folders.places import SETTINGS, WORK, Output
from service.folders.run import Pool, Run
from service.folders.sources import BYTES_OF_A_PIXEL, Sources
from service.folders.survey import survey
from service.folders.texts import shown
from service.settings import Settings

STOPPED = 130  # the exit status of what a Ctrl-C has ended
LISTED = 20  # failures that are told


class Place(Protocol):
    """What explains: this machine, or a server."""

    def asked(self, options: argparse.Namespace) -> Asked:
        """What is asked. Raises `ConvlensError` for what cannot be asked."""

    def pool(self, asked: Asked, output: Output) -> AbstractContextManager[Pool]:
        """What explains photographs."""

    def close(self) -> None:
        """Let go of it."""


def explain(settings: Settings, options: argparse.Namespace) -> int:
    """Explain the photographs; returns the exit status: 0 if all are explained, 1 if some have failed."""
    options.methods = list(dict.fromkeys(options.methods or ["gradient"]))
    options.formats = sorted(set(options.formats or ("npy", "png")))
    options.key = options.key or os.environ.get("CONVLENS_API_KEY")
    output = Output(options.out)
    sources = Sources(options.sources, output.folder, settings.max_pixels * BYTES_OF_A_PIXEL)
    if (total := sources.count()) == 0:
        raise InvalidParameter(f"there are no photographs in {', '.join(map(str, options.sources))}")
    place_of = import_module(f"service.cli.{'explaining_there' if options.server else 'explaining_here'}").Place
    with _held(output.folder), _stoppable() as stopping:
        place: Place
        with closing(place_of(_placed(settings, output), options, stopping)) as place:
            asked = place.asked(options)
            index = _index(output, asked, options)
            with closing(index), Progress(_least(total, options.limit)) as progress, place.pool(asked, output) as pool:
                run = Run(index, options.methods, pool, progress.add, stopping)
                run.go(iter(sources), options.limit)
        if stopping.is_set():
            print("stopped; the same command goes on from here", file=sys.stderr)
            return STOPPED
        _conclude(output, index, asked, sources, run.failed, options)
    return 1 if run.failed else 0


def _index(output: Output, asked: Asked, options: argparse.Namespace) -> Index:
    """The index of the results that are there. Raises `Conflict` if they answer something else."""
    if options.force:
        for file in (INDEX, SETTINGS):
            (output.folder / file).unlink(missing_ok=True)
    output.write(SETTINGS, remember(output.folder, asked, __version__))
    return Index(output.folder, options.retry)


def _least(total: int | None, limit: int | None) -> int | None:
    return total if total is None or limit is None else min(total, limit)


def _conclude(
    output: Output, index: Index, asked: Asked, sources: Sources, failed: set[str], options: argparse.Namespace
) -> None:
    """Tell what has come out, and write the report."""
    found = survey(index, options.methods, failed)
    for record in found.errors[:LISTED]:
        print(f"{shown(record['item'])}: {shown(record['error']['detail'])}", file=sys.stderr)
    if len(found.errors) > LISTED:
        print(f"… and others; {output.folder / INDEX} has all", file=sys.stderr)
    told = f"{found.photographs:,} explained, {found.failed:,} failed"
    if sources.left_out_count:
        told += f", {sources.left_out_count:,} left out since they are no photographs"
    print(f"{told}; results in {output.folder}")
    if options.report:
        try:
            reports = import_module("service.folders.report")
        except ModuleNotFoundError as error:
            print(f"no report, since {error.name} is not installed; pip install 'convlens[cpu]' brings it")
            return
        written = reports.write_report(output, found, asked, sources, _command(options))
        print(f"report: {', '.join(str(output.folder / name) for name in written)}")


def _placed(settings: Settings, output: Output) -> Settings:
    """The settings; where there is no data folder, graphs are kept with what is not finished."""
    if settings.data_dir.is_dir():
        return settings
    return settings.model_copy(update={"data_dir": output.folder / WORK})


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder of results is this process's alone. Raises `Conflict` if another one has it."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"another process writes to {folder}; wait for its end, or name another folder") from None
        work = folder / WORK
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield
        finally:
            shutil.rmtree(work, ignore_errors=True)
            with suppress(OSError):  # it holds results
                folder.rmdir()
    finally:
        os.close(handle)


@contextmanager
def _stoppable() -> Iterator[Event]:
    """An event that is set by a first Ctrl-C; a second one ends the process."""
    stopping = Event()

    def stop(*_: object) -> None:
        if stopping.is_set():
            os._exit(STOPPED)
        stopping.set()
        print("\nfinishing what was begun; once more to stop at once", file=sys.stderr)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _command(options: argparse.Namespace) -> str:
    """The command that was given, without the key."""
    given = shlex.join(["convlens", *sys.argv[1:]])
    return given.replace(options.key, "KEY") if options.key else given
