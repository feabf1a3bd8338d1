"""Explaining photographs on this machine: a process for each core."""

import argparse
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from threading import Event
from typing import TypeVar

from service.cli import explaining_worker as worker
from service.errors import ConvlensError, InvalidParameter
from service.folders.asked import Asked
from service.folders.index import Record
from service.folders.places import Output
from service.folders.run import Task
from service.settings import Settings

RUNTIME = "onnxruntime"  # which the processes import
AHEAD = 2  # tasks for each process, so that none waits for the next
T = TypeVar("T")


class Place:
    """The machine that this runs on. All that takes time and memory to be imported is the processes' own."""

    def __init__(self, settings: Settings, options: argparse.Namespace, _: Event) -> None:
        if find_spec(RUNTIME) is None:
            raise ModuleNotFoundError(f"{RUNTIME} is not installed", name=RUNTIME)
        self._processes = Processes(settings, options, options.processes or _cores())
        self._is_chosen = options.processes is not None

    def asked(self, options: argparse.Namespace) -> Asked:  # noqa: ARG002 - the processes know them
        """See `service.cli.explaining.Place`."""
        try:
            found = self._processes.ask()
        except BrokenExecutor as error:
            raise ConvlensError(f"the processes that explain do not start: {error}") from error
        if found.problem is not None:
            raise InvalidParameter(found.problem)
        assert found.asked is not None
        if found.provider != "cpu" and not self._is_chosen:
            self._processes.limit(1)
        return found.asked

    @contextmanager
    def pool(self, asked: Asked, output: Output) -> Iterator["Processes"]:  # noqa: ARG002 - as above
        """See `service.cli.explaining.Place`."""
        yield self._processes

    def close(self) -> None:
        """See `service.cli.explaining.Place`."""
        self._processes.close()


class Processes:
    """A `Pool` of processes, each with a network of its own on one core."""

    def __init__(self, settings: Settings, options: argparse.Namespace, workers: int) -> None:
        self._arguments = (settings, options)
        self._workers = workers
        self._start()

    @property
    def depth(self) -> int:
        """See `Pool`."""
        return AHEAD * self._workers

    def ask(self) -> "worker.Found":
        """What the options ask of the network. Raises `BrokenExecutor`."""
        return self._submit(worker.ask).result()

    def limit(self, workers: int) -> None:
        """Go on with so many processes."""
        self._workers = workers
        self.renew()

    def _start(self) -> None:
        self._executor = ProcessPoolExecutor(self._workers, get_context("spawn"), worker.begin, self._arguments)

    def submit(self, task: Task) -> "Future[list[Record]]":
        """See `Pool`."""
        return self._submit(worker.explain, task)

    def _submit(self, function: Callable[..., T], *arguments: object) -> "Future[T]":
        """A Ctrl-C is for this process only: those that it starts do not hear of it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._executor.submit(function, *arguments)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def renew(self) -> None:
        """See `Pool`."""
        self.close()
        self._start()

    def close(self) -> None:
        """Wait for what is being done."""
        self._executor.shutdown(cancel_futures=True)


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
