"""The commands around the models folder."""

import argparse
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from service.cli import reports
from service.errors import InvalidParameter
from service.models import importing
from service.models.build import build
from service.models.drafting import Choices, draft
from service.models.evidence import PREPROCESSINGS, usual
from service.models.labels import read_labels
from service.models.library import Library
from service.models.manifest import Channels, Scores
from service.models.reading import read_onnx
from service.networks import checking
from service.networks.trials import Tried
from service.settings import Settings

Commands = Any  # argparse's own type for subparsers is private
CHOSEN_BY_FLAG = ("name", "output", "scores", "preprocessing", "mean", "std", "scale", "channels")


def add_to(commands: Commands) -> None:
    """Add the commands to the command line."""
    make = commands.add_parser("build", help="write the default model into the models folder")
    make.add_argument("--weights", type=Path, help="a copy of the pretrained weights instead of the installed one")
    make.set_defaults(command=_build)

    new = commands.add_parser(
        "add", help="take an ONNX file into the models folder, with a first draft of its manifest"
    )
    _add_choices(new)
    new.add_argument(
        "--try",
        dest="photograph",
        type=Path,
        help="a photograph: print what the network sees in it under each usual preprocessing, and add nothing",
    )
    new.set_defaults(command=_add)

    models = commands.add_parser("models", help="list the models")
    models.set_defaults(command=_models)
    for parser in (make, new, models):
        parser.add_argument("--models-dir", help="the folder")
    new.add_argument(
        "--check-seconds", type=float, help="time for a trial, in seconds; adding may take five times that"
    )

    look = commands.add_parser("inspect", help="what an ONNX file holds and which of its operators have a rule")
    _add_choices(look)
    look.set_defaults(command=_inspect)

    trial = commands.add_parser("check")  # what the service runs in a process of its own
    trial.add_argument("manifest", type=Path)
    trial.add_argument("--memory-bytes", type=int)
    trial.set_defaults(command=_check)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the ONNX file")
    parser.add_argument("--name", help="name of the model in URLs; by default that of the file")
    parser.add_argument(
        "--labels",
        help="a text file with the class names, one a line, or `imagenet`; by default ImageNet's for 1,000 classes",
    )
    parser.add_argument("--output", help="the output with the scores, where there are several")
    parser.add_argument("--scores", choices=get_args(Scores), help="what makes probabilities of the scores")
    parser.add_argument(
        "--size",
        type=int,
        nargs="+",
        help="height and width that the network was trained on, one number for a square; "
        "by default those of the graph, or 224",
    )
    parser.add_argument(
        "--preprocessing", choices=sorted(PREPROCESSINGS | usual("L")), help="a usual one, in the place of a guess"
    )
    parser.add_argument("--scale", type=float, help="what the network wants instead of 1 for a full pixel, e.g. 255")
    parser.add_argument("--mean", type=float, nargs="+", help="mean that is taken off each channel, after --scale")
    parser.add_argument("--std", type=float, nargs="+", help="deviation by which each channel is divided")
    parser.add_argument("--channels", choices=get_args(Channels), help="the channels in their order; L is grey")


def _build(settings: Settings, options: argparse.Namespace) -> None:
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
    return Choices(**given, labels=read_labels(options.labels) if options.labels else (), size=size)


def _add(settings: Settings, options: argparse.Namespace) -> None:
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


def _inspect(settings: Settings, options: argparse.Namespace) -> None:
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


def _check(_: Settings, options: argparse.Namespace) -> None:
    checking.die_with_parent()
    if options.memory_bytes:
        checking.limit_memory(options.memory_bytes)
    checking.check(options.manifest)


def _models(settings: Settings, _: Any) -> None:
    for model in Library(settings.models_dir):
        print(f"{model.name}\t{model.manifest.title}\t{len(model.manifest.labels)} classes")


ADDING_SHARE = 5  # of the time for a trial: adding draws up a manifest and measures, too
