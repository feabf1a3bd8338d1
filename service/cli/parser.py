"""The commands of `convlens` and their flags. What runs them is imported once one is run."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from service import __version__
from service.models.manifest import Channels, Scores, Task
from service.models.usual import PREPROCESSINGS, usual
from service.settings import Settings
from service.synthesis.names import PresetName

Commands = Any  # argparse's own type for subparsers is private


def parser() -> argparse.ArgumentParser:
    """All commands with their flags. Each has as its ``command`` the function that runs it, as ``module:function``."""
    convlens = argparse.ArgumentParser(
        prog="convlens",
        description="Makes convolutional networks understandable.",
        epilog="With --server a command asks a server, and the environment variable CONVLENS_API_KEY holds the key for "
        "it. All else needs the service itself: pip install 'convlens[cpu]', or 'convlens[gpu]'.",
    )
    convlens.add_argument("--version", action="version", version=f"convlens {__version__}")
    commands = convlens.add_subparsers(required=True, metavar="command")
    _add_services(commands)
    _add_visualize(commands)
    _add_explain(commands)
    _add_models(commands)
    _add_own(commands)
    key = commands.add_parser("key", help="make an API key, and the line for the file of keys")
    key.add_argument("name", help="whom it stands for")
    key.add_argument("--admin", action="store_true", help="it may reload, upload and remove models")
    key.set_defaults(command="keys:make")
    return convlens


def _add_services(commands: Commands) -> None:
    """The commands that take every setting as a flag."""
    for name, command, help_text, description in (
        ("serve", "serving:serve", "start the service", "Start the service. Every setting is a flag too."),
        ("worker", "serving:work", "run jobs of a queue that several machines share", "Run jobs. Needs --queue-url."),
        ("doctor", "doctor:tell", "look whether providers, models, queue, store, disk and keys are well", None),
    ):
        parser = commands.add_parser(name, help=help_text, description=description)
        _add_settings(parser)
        parser.set_defaults(command=command)


def _add_visualize(commands: Commands) -> None:
    draw = commands.add_parser("visualize", help="draw what the network believes a class looks like")
    draw.add_argument("--class", dest="class_name", required=True, help="id of the class, or part of its name")
    draw.add_argument("--server", help="address of a convlens server; without it the picture is made in this process")
    draw.add_argument("--preset", choices=get_args(PresetName), help="the recipe")
    for name, kind in (("iterations", int), ("learning-rate", float), ("size", int), ("seed", int)):
        draw.add_argument(f"--{name}", type=kind, help="see POST /visualize")
    draw.add_argument("--model", help="name of the model")
    draw.add_argument("--models-dir", help="the folder of the models")
    draw.add_argument(
        "-o", "--output", type=Path, help="where the picture goes; by default the name of the class with .png"
    )
    draw.set_defaults(command="drawing:visualize")


def _add_explain(commands: Commands) -> None:
    new = commands.add_parser(
        "explain",
        help="saliency maps of the photographs of a folder",
        description="Explain all photographs of folders, archives (zip, tar) or files: maps, overlays, an index and a "
        "report. What is there already is not made again, so the same command goes on where one was stopped. Exit "
        "status: 0 if all are explained, 1 if some have failed, 2 if nothing could be done.",
    )
    new.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="a folder, an archive or a photograph")
    new.add_argument("--out", required=True, type=Path, help="the folder for the results")
    _add_question(new)
    new.add_argument("--server", help="address of a convlens server; without it this machine computes")
    new.add_argument("--key", help="the API key for the server; by default that of CONVLENS_API_KEY")
    new.add_argument(
        "--workers",
        dest="processes",
        type=_natural,
        help="photographs at a time; by default one per core, of a server 4",
    )
    new.add_argument("--limit", type=_natural, help="only so many photographs, the first ones")
    again = new.add_mutually_exclusive_group()
    again.add_argument("--retry", action="store_true", help="try again what has failed")
    again.add_argument("--force", action="store_true", help="begin anew, whatever is there")
    new.add_argument("--no-report", dest="report", action="store_false", help="write no report and contact sheet")
    _add_settings(new, ("models_dir", "data_dir", "providers", "max_pixels"))
    new.set_defaults(command="explaining:explain")


def _add_question(new: argparse.ArgumentParser) -> None:
    """What is asked of each photograph, and the form of the results."""
    new.add_argument("--method", dest="methods", action="append", help="see GET /methods; may be given several times")
    new.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the methods that take it, as in --set steps=32, or of one: --set rise.masks=2000",
    )
    what = new.add_mutually_exclusive_group()
    what.add_argument("--class", dest="class_name", help="id of the class, or part of its name; by default the top one")
    what.add_argument("--target", help="what is explained instead of a class, as in log_odds:285")
    new.add_argument("--model", help="name of the model")
    new.add_argument("--resize", choices=("squash", "crop", "native"), default="squash", help="see POST /saliency")
    new.add_argument("--decode", choices=("exact", "fast"), default="exact", help="see POST /saliency")
    new.add_argument(
        "--format", dest="formats", action="append", choices=("npy", "png"), help="maps, overlays; by default both"
    )
    new.add_argument("--side", type=_natural, help="the longest side of an overlay, in pixels; by default 512")


def _natural(text: str) -> int:
    """A whole number from 1 on."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _add_settings(parser: argparse.ArgumentParser, names: Sequence[str] = tuple(Settings.model_fields)) -> None:
    for name in names:
        field = Settings.model_fields[name]
        flag, help_text = (
            f"--{name.replace('_', '-')}",
            f"{field.description} Default: {field.default}. Environment: CONVLENS_{name.upper()}",
        )
        action: dict[str, Any] = {"action": argparse.BooleanOptionalAction} if isinstance(field.default, bool) else {}
        parser.add_argument(flag, dest=name, help=help_text.replace("%", "%%"), default=None, **action)


def _add_models(commands: Commands) -> None:
    """The commands around the models folder."""
    make = commands.add_parser("build", help="write the default model into the models folder")
    make.add_argument("--weights", type=Path, help="a copy of the pretrained weights instead of the installed one")
    make.set_defaults(command="models:build_models")

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
    new.set_defaults(command="models:add")

    models = commands.add_parser("models", help="list the models")
    models.set_defaults(command="models:show")
    for parser in (make, new, models):
        parser.add_argument("--models-dir", help="the folder")
    new.add_argument(
        "--check-seconds", type=float, help="time for a trial, in seconds; adding may take five times that"
    )

    look = commands.add_parser("inspect", help="what an ONNX file holds and which of its operators have a rule")
    _add_choices(look)
    look.set_defaults(command="models:inspect")


def _add_own(commands: Commands) -> None:
    """What the service runs in processes of its own."""
    taking = commands.add_parser("take")
    taking.add_argument("order", type=Path)
    taking.add_argument("--models-dir")
    taking.add_argument("--check-seconds", type=float)
    taking.add_argument("--check-bytes", type=int)
    taking.set_defaults(command="models:take")
    trial = commands.add_parser("check")
    trial.add_argument("manifest", type=Path)
    trial.add_argument("--memory-bytes", type=int)
    trial.set_defaults(command="models:check")


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the ONNX file")
    parser.add_argument("--name", help="name of the model in URLs; by default that of the file")
    parser.add_argument(
        "--labels",
        help="a text file with the class names, one a line, or `imagenet`; by default ImageNet's for 1,000 classes",
    )
    parser.add_argument("--output", help="the output with the scores, where there are several")
    parser.add_argument(
        "--fix",
        action="append",
        default=[],
        metavar="NAME=NUMBERS",
        help="another input of the graph, and what it is held fixed to, as in --fix 'im_shape=[[224, 224]]'",
    )
    parser.add_argument("--task", choices=get_args(Task), help="what the network tells")
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
