"""The commands around the models folder."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.cli import reports
from service.errors import InvalidParameter
from service.models import importing
from service.models.build import build
from service.models.drafting import Choices, draft
from service.models.files import external_files
from service.models.labels import read_labels
from service.models.library import Library
from service.models.reading import read_onnx
from service.networks import checking
from service.networks.report import Report
from service.networks.reporting import contents_of, measured
from service.networks.trials import Tried, die_with_parent
from service.networks.uploads import ADDING_SHARE, Order, Taken
from service.settings import Settings

CHOSEN_BY_FLAG = ("name", "output", "task", "scores", "preprocessing", "mean", "std", "scale", "channels")


def build_models(settings: Settings, options: argparse.Namespace) -> None:
    """Write the default model."""
    written = build(settings.models_dir, options.weights)
    for path in written:
        print(f"wrote {path}")
    if not written:
        print(f"{settings.models_dir} is up to date")


def _choices(options: argparse.Namespace) -> Choices:
    given = {name: getattr(options, name) for name in CHOSEN_BY_FLAG}
    size = options.size and tuple(options.size if len(options.size) == 2 else options.size * 2)
    if size and len(size) != 2:
        raise InvalidParameter("--size takes one number, or height and width")
    fixed = dict(_fixed(text) for text in options.fix)
    return Choices(**given, fixed=fixed, labels=read_labels(options.labels) if options.labels else (), size=size)


def _fixed(text: str) -> tuple[str, Any]:
    """The name of an input and its numbers."""
    name, _, numbers = text.rpartition("=")
    try:
        return name, json.loads(numbers)
    except ValueError as error:
        raise InvalidParameter(
            f"--fix takes NAME=NUMBERS, as in 'im_shape=[[224, 224]]'; this is none: {text[:100]}"
        ) from error


def add(settings: Settings, options: argparse.Namespace) -> None:
    """Take a file into the models folder, or show what it sees."""
    with _bounded(settings):
        choices = _choices(options)
        if options.photograph:
            reports.tell_alternatives(options.file, choices, options.photograph.read_bytes(), settings.max_pixels)
            return
        drafted = draft(read_onnx(options.file), options.file, choices)
        written = importing.place(
            options.file, settings.models_dir, drafted, lambda place: reports.tell(checking.standalone(place))
        )
        Tried(settings.models_dir).remember(written)
        print(f"\nwrote {written}")
        reports.tell_guesses(drafted)


def inspect(settings: Settings, options: argparse.Namespace) -> None:
    """Print what a file holds."""
    with _bounded(settings):
        drafted = draft(read_onnx(options.file), options.file, _choices(options))
        with tempfile.TemporaryDirectory() as folder:
            reports.tell(checking.standalone(importing.place(options.file, Path(folder), drafted)))
        reports.tell_guesses(drafted)


@contextmanager
def _bounded(settings: Settings) -> Iterator[None]:
    """End this process if a file keeps it busy for too long, and bound its memory meanwhile."""
    ended = threading.Event()

    def end() -> None:
        ended.set()
        print(f"convlens: this takes longer than {seconds:g} seconds; see --check-seconds", file=sys.stderr, flush=True)
        for _ in range(REMOVALS):  # the other thread may be writing into the folder that is taken away
            for left in settings.models_dir.glob(f"{importing.STAGING}*"):
                shutil.rmtree(left, ignore_errors=True)
        os._exit(2)

    seconds = ADDING_SHARE * settings.check_seconds
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        with checking.limited_memory(settings.check_bytes):
            yield
    finally:
        timer.cancel()
        if ended.is_set():  # what fails now does so since its files were taken away
            threading.Event().wait()


def take(settings: Settings, options: argparse.Namespace) -> None:
    """Take an uploaded file in; what the service runs in a process of its own."""
    die_with_parent()
    with _bounded(settings), checking.any_failure_as_model_error():
        order = Order.model_validate_json(options.order.read_bytes())
        drafted = draft(read_onnx(order.file), order.file, Choices(**order.choices))
        made: list[Report] = []

        def look(place: Path) -> None:
            network = checking.standalone(place)
            checking.try_out(network)
            parts = contents_of(network).model_dump() | measured(network).model_dump()
            made.append(Report(**parts, guesses=drafted.guesses))

        staging = order.report.parent
        written = importing.place(order.file, settings.models_dir, drafted, look, staging)
        Tried(settings.models_dir).remember(written)
        files = (written.name, drafted.manifest.file, *external_files(order.file))
        order.report.write_text(Taken(files=files, report=made[0]).model_dump_json())


def check(_: Settings, options: argparse.Namespace) -> None:
    """Try a model out; what the service runs in a process of its own."""
    die_with_parent()
    if options.memory_bytes:
        checking.limit_memory(options.memory_bytes)
    checking.check(options.manifest)


def show(settings: Settings, _: argparse.Namespace) -> None:
    """Print the models."""
    for model in Library(settings.models_dir):
        print(f"{model.name}\t{model.manifest.title}\t{len(model.manifest.labels)} classes")


REMOVALS = 20  # tries: each costs little when nothing is left
