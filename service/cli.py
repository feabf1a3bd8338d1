"""The command line: `convlens serve`, `convlens build`, `convlens models`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError

from service import __version__
from service.errors import ConvlensError
from service.main import create_app
from service.models.build import build
from service.models.library import Library
from service.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. Errors are told in one line."""
    options = _parser().parse_args(arguments)
    try:
        flags = {name: value for name, value in vars(options).items() if name in Settings.model_fields and value is not None}
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

    serve = commands.add_parser("serve", help="start the service", description="Start the service. Every setting is a flag too.")
    for name, field in Settings.model_fields.items():
        help_text = f"{field.description} Default: {field.default}. Environment: CONVLENS_{name.upper()}"
        serve.add_argument(f"--{name.replace('_', '-')}", dest=name, help=help_text.replace("%", "%%"))
    serve.set_defaults(command=_serve)

    make = commands.add_parser("build", help="write the default model into the models folder")
    make.add_argument("--models-dir", help="the folder")
    make.add_argument("--weights", type=Path, help="a copy of the pretrained weights instead of the installed one")
    make.set_defaults(command=_build)

    models = commands.add_parser("models", help="list the models")
    models.add_argument("--models-dir", help="the folder")
    models.set_defaults(command=_models)
    return parser


def _serve(settings: Settings, _: Any) -> None:
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, log_config=LOGGING)


def _build(settings: Settings, options: argparse.Namespace) -> None:
    written = build(settings.models_dir, options.weights)
    for path in written:
        print(f"wrote {path}")
    if not written:
        print(f"{settings.models_dir} is up to date")


def _models(settings: Settings, _: Any) -> None:
    for model in Library(settings.models_dir):
        print(f"{model.name}\t{model.manifest.title}\t{len(model.manifest.labels)} classes")


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {"onnx_ir": {"level": "WARNING"}},
}
