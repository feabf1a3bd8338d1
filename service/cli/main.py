"""The command line: one parser and one function for each command of `convlens`."""

import argparse
import asyncio
import logging.config
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import uvicorn
from pydantic import ValidationError

from service import __version__
from service.api.connections import BoundedHttp, raise_file_limit
from service.api.keys import digest, new_key
from service.cli import doctor, drawing, reports
from service.errors import ConvlensError, InvalidParameter
from service.jobs.service import open_job_service, worker
from service.kinds.feature import FromNoise
from service.kinds.run import runner
from service.main import create_app, open_networks
from service.models import importing
from service.models.build import build
from service.models.drafting import Choices, draft
from service.models.evidence import PREPROCESSINGS, usual
from service.models.labels import read_labels
from service.models.library import Library
from service.models.manifest import Channels, Scores
from service.models.reading import read_onnx
from service.networks import checking
from service.settings import Settings
from service.synthesis.presets import PRESETS
from service.telemetry import logs, tracing

Commands = Any  # argparse's own type for subparsers is private


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. Errors are told in one line."""
    options = _parser().parse_args(arguments)
    try:
        flags = {
            name: value for name, value in vars(options).items() if name in Settings.model_fields and value is not None
        }
        options.command(Settings(**flags), options)
    except ValidationError as error:
        for wrong in error.errors():
            print(f"convlens: setting {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}", file=sys.stderr)
        return 2
    except ConvlensError as error:
        print(f"convlens: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="convlens", description="Makes convolutional networks understandable.")
    parser.add_argument("--version", action="version", version=f"convlens {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_services(commands)
    _add_visualize(commands)
    _add_models(commands)
    key = commands.add_parser("key", help="make an API key, and the line for the file of keys")
    key.add_argument("name", help="whom it stands for")
    key.set_defaults(command=_key)
    return parser


def _add_services(commands: Commands) -> None:
    """The commands that take every setting as a flag."""
    for name, command, help_text, description in (
        ("serve", _serve, "start the service", "Start the service. Every setting is a flag too."),
        ("worker", _worker, "run jobs of a queue that several machines share", "Run jobs. Needs --queue-url."),
        ("doctor", _doctor, "look whether providers, models, queue, store, disk and keys are well", None),
    ):
        parser = commands.add_parser(name, help=help_text, description=description)
        _add_settings(parser)
        parser.set_defaults(command=command)


def _add_visualize(commands: Commands) -> None:
    draw = commands.add_parser("visualize", help="draw what the network believes a class looks like")
    draw.add_argument("--class", dest="class_name", required=True, help="id of the class, or part of its name")
    draw.add_argument("--server", help="address of a convlens server; without it the picture is made in this process")
    draw.add_argument("--preset", choices=list(PRESETS), help="the recipe")
    for name, kind in (("iterations", int), ("learning-rate", float), ("size", int), ("seed", int)):
        draw.add_argument(f"--{name}", type=kind, help="see POST /visualize")
    draw.add_argument("--model", help="name of the model")
    draw.add_argument("--models-dir", help="the folder of the models")
    draw.add_argument(
        "-o", "--output", type=Path, help="where the picture goes; by default the name of the class with .png"
    )
    draw.set_defaults(command=_visualize)


def _add_models(commands: Commands) -> None:
    """The commands around the models folder."""
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


def _add_settings(parser: argparse.ArgumentParser) -> None:
    for name, field in Settings.model_fields.items():
        flag, help_text = (
            f"--{name.replace('_', '-')}",
            f"{field.description} Default: {field.default}. Environment: CONVLENS_{name.upper()}",
        )
        action: dict[str, Any] = {"action": argparse.BooleanOptionalAction} if isinstance(field.default, bool) else {}
        parser.add_argument(flag, dest=name, help=help_text.replace("%", "%%"), default=None, **action)


def _serve(settings: Settings, _: Any) -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    raise_file_limit()
    app = create_app(settings)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=logs.configuration(settings.log_format),
        access_log=False,  # `service.api.observation` does it
        timeout_graceful_shutdown=30,
        http=BoundedHttp,
    )


def _worker(settings: Settings, _: Any) -> None:
    if settings.queue_url is None:
        raise InvalidParameter(
            "a worker needs CONVLENS_QUEUE_URL or --queue-url, the Valkey or Redis that it shares with the API"
        )
    logging.config.dictConfig(logs.configuration(settings.log_format))
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    if settings.tracing:
        tracing.start()
    networks = open_networks(settings)
    await asyncio.to_thread(networks.check_all)
    async with open_job_service(settings) as job_service:
        running = asyncio.create_task(worker(job_service, settings, runner(networks)).run())
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, running.cancel)
        logging.getLogger(__name__).info("worker ready, running on %s", networks.engine.provider)
        await asyncio.gather(running, return_exceptions=True)


def _visualize(settings: Settings, options: argparse.Namespace) -> None:
    names = ("preset", "iterations", "learning_rate", "size", "seed", "model")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    parameters = FromNoise(kind="class", **given)
    draw = partial(drawing.remote, options.server) if options.server else partial(drawing.local, settings)
    drawn = draw(options.class_name, parameters)
    output = options.output or Path(f"{drawn.class_name.partition(',')[0].replace(' ', '_')}.png")
    output.write_bytes(drawn.png)
    seen = drawn.result
    probability = seen["predicted_probability"]
    sure = "" if probability is None else f" ({probability:.1%})"
    print(f"{output}: {drawn.class_name}, seed {drawn.seed}; the network sees {seen['predicted_name']}{sure}")


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
    choices = _choices(options)
    if options.photograph:
        reports.tell_alternatives(options.file, choices, options.photograph.read_bytes(), settings.max_pixels)
        return
    drafted = draft(read_onnx(options.file), options.file, choices)
    written = importing.place(
        options.file, settings.models_dir, drafted, lambda place: reports.tell(checking.standalone(place))
    )
    checking.Tried(settings.models_dir).remember(written)
    print(f"\nwrote {written}")
    reports.tell_guesses(drafted)


def _inspect(_: Settings, options: argparse.Namespace) -> None:
    drafted = draft(read_onnx(options.file), options.file, _choices(options))
    with tempfile.TemporaryDirectory() as folder:
        reports.tell(checking.standalone(importing.place(options.file, Path(folder), drafted)))
    reports.tell_guesses(drafted)


def _check(_: Settings, options: argparse.Namespace) -> None:
    if options.memory_bytes:
        checking.limit_memory(options.memory_bytes)
    checking.check(options.manifest)


def _doctor(settings: Settings, _: Any) -> None:
    wrong = 0
    for well, told in doctor.examine(settings):
        print(f"{'ok  ' if well else 'FAIL'} {told}")
        wrong += not well
    if wrong:
        raise ConvlensError(f"{wrong} of these are not well")


def _key(_: Settings, options: argparse.Namespace) -> None:
    key = new_key()
    print(
        f"the key, shown this once: {key}\n"
        f"the line for the file of CONVLENS_API_KEYS_FILE:\n{options.name} {digest(key)}"
    )


def _models(settings: Settings, _: Any) -> None:
    for model in Library(settings.models_dir):
        print(f"{model.name}\t{model.manifest.title}\t{len(model.manifest.labels)} classes")


CHOSEN_BY_FLAG = ("name", "output", "scores", "preprocessing", "mean", "std", "scale", "channels")
SWITCH_SECONDS = 0.001  # threads that draw pictures let the event loop have its turn five times sooner than by default
