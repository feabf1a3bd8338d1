"""Explaining photographs on this machine: a process for each core."""

import argparse
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from threading import Event

from pydantic import ValidationError

from service.attribution import METHODS
from service.cli.drawing import chosen_class
from service.cli.method_values import Values, values_of
from service.errors import InvalidParameter
from service.folders.asked import Asked
from service.folders.explaining import Explainer
from service.folders.index import Record
from service.folders.places import Output
from service.folders.run import Task
from service.folders.sources import BYTES_OF_A_PIXEL
from service.networks.opening import open_networks
from service.networks.trials import die_with_parent
from service.runtime.engine import cores
from service.saliency.grammar import parse
from service.settings import Settings

SIDE = 512  # the longest of an overlay, in pixels
AHEAD = 2  # tasks for each process, so that none waits for the next


class Place:
    """The machine that this runs on."""

    def __init__(self, settings: Settings, options: argparse.Namespace, _: Event) -> None:
        model = options.model or settings.default_model
        # The one that is asked for counts as the default one, which is trusted: it is the caller's own.
        self._settings = settings.model_copy(update={"default_model": model, "threads": 1, "lanes": 1})
        self._workers = options.processes

    def asked(self, options: argparse.Namespace) -> Asked:
        """See `service.cli.explaining.Place`."""
        networks = open_networks(self._settings)
        network = networks[self._settings.default_model]
        _check_target(options.target)
        known = {name: method.parameters.model_fields for name, method in METHODS.items()}
        labels = list(enumerate(network.model.manifest.labels))
        asked = Asked(
            model=network.model.name,
            model_sha256=network.model.sha256,
            methods=_checked(values_of(options.set, options.methods, known)),
            class_id=chosen_class(options.class_name, labels) if options.class_name else None,
            target=options.target,
            resize=options.resize,
            decode=options.decode,
            formats=tuple(options.formats),
            side=options.side or SIDE,
        )
        Explainer(network, asked, Output(options.out), 0, 0)
        if self._workers is None:
            self._workers = cores() if network.provider == "cpu" else 1
        networks.close()
        return asked

    @contextmanager
    def pool(self, asked: Asked, output: Output) -> Iterator["Processes"]:
        """See `service.cli.explaining.Place`."""
        processes = Processes(self._settings, asked, output, self._workers)
        try:
            yield processes
        finally:
            processes.close()


class Processes:
    """A `Pool` of processes, each with a network of its own on one core."""

    def __init__(self, settings: Settings, asked: Asked, output: Output, workers: int) -> None:
        self._workers = workers
        self._arguments = (settings, asked, output)
        self.depth = AHEAD * workers
        self._start()

    def _start(self) -> None:
        self._executor = ProcessPoolExecutor(self._workers, get_context("spawn"), _open, self._arguments)

    def submit(self, task: Task) -> "Future[list[Record]]":
        """See `Pool`. A Ctrl-C is for this process only: what it starts does not hear of it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._executor.submit(_explain, task)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def renew(self) -> None:
        """See `Pool`."""
        self.close()
        self._start()

    def close(self) -> None:
        """Wait for what is being done."""
        self._executor.shutdown(cancel_futures=True)


_explainers: list[Explainer] = []  # of a process: one


def _open(settings: Settings, asked: Asked, output: Output) -> None:
    die_with_parent()
    network = open_networks(settings)[settings.default_model]
    _explainers.append(Explainer(network, asked, output, settings.max_pixels, settings.max_pixels * BYTES_OF_A_PIXEL))


def _explain(task: Task) -> list[Record]:
    return _explainers[0].records(task)


def _check_target(text: str | None) -> None:
    """Raise `InvalidParameter` for what is no target."""
    try:
        parse(text or "class:0")
    except ValueError as error:
        raise InvalidParameter(str(error)) from None


def _checked(values: Values) -> Values:
    """Raise `InvalidParameter` for values that methods do not take."""
    for method, given in values.items():
        try:
            METHODS[method].parameters.model_validate(given)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))} of {method}: {e['msg']}" for e in error.errors())
            raise InvalidParameter(wrong) from None
    return values
