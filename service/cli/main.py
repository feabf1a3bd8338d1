"""The command line: one parser and one function for each command of `convlens`."""

import argparse
import asyncio
import logging.config
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError

from service import __version__
from service.api.connections import BoundedHttp, raise_file_limit
from service.api.keys import digest, new_key
from service.cli import doctor, drawing, models
from service.errors import ConvlensError, InvalidParameter
from service.jobs.service import open_job_service, worker
from service.kinds.feature import FromNoise
from service.kinds.run import runner
from service.main import create_app, open_networks
from service.runtime.memory import give_back_what_is_freed
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
    models.add_to(commands)
    key = commands.add_parser("key", help="make an API key, and the line for the file of keys")
    key.add_argument("name", help="whom it stands for")
    key.add_argument("--admin", action="store_true", help="it may reload the models")
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


def _add_settings(parser: argparse.ArgumentParser) -> None:
    for name, field in Settings.model_fields.items():
        flag, help_text = (
            f"--{name.replace('_', '-')}",
            f"{field.description} Default: {field.default}. Environment: CONVLENS_{name.upper()}",
        )
        action: dict[str, Any] = {"action": argparse.BooleanOptionalAction} if isinstance(field.default, bool) else {}
        parser.add_argument(flag, dest=name, help=help_text.replace("%", "%%"), default=None, **action)


def _serve(settings: Settings, _: Any) -> None:
    give_back_what_is_freed()
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
        proxy_headers=False,  # `service.api.addresses` reads them
    )


def _worker(settings: Settings, _: Any) -> None:
    if settings.queue_url is None:
        raise InvalidParameter(
            "a worker needs CONVLENS_QUEUE_URL or --queue-url, the Valkey or Redis that it shares with the API"
        )
    give_back_what_is_freed()
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
        f"the line for the file of CONVLENS_API_KEYS_FILE:\n{options.name} {digest(key)}{' admin' * options.admin}"
    )


SWITCH_SECONDS = 0.001  # threads that draw pictures let the event loop have its turn five times sooner than by default
