"""The command line: finds the command, and tells errors in one line."""

import sys
from collections.abc import Sequence
from importlib import import_module

from pydantic import ValidationError

from service.cli.parser import parser
from service.errors import ConvlensError
from service.settings import Settings

NEEDS_SERVICE = """\
this needs the service itself, which is not installed here ({} is missing):
  pip install 'convlens[cpu]', or 'convlens[gpu]' on a machine with an NVIDIA GPU"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. Errors are told in one line."""
    options = parser().parse_args(arguments)
    try:
        flags = {
            name: value for name, value in vars(options).items() if name in Settings.model_fields and value is not None
        }
        module, _, function = options.command.partition(":")
        settings = Settings(**flags)
        command = getattr(import_module(f"service.cli.{module}"), function)
        return int(command(settings, options) or 0)
    except ValidationError as error:
        for wrong in error.errors():
            print(f"convlens: setting {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}", file=sys.stderr)
        return 2
    except ConvlensError as error:
        print(f"convlens: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "service":
            raise
        or_ask = "\nor ask a server, with --server" if "server" in options else ""
        print(f"convlens: {NEEDS_SERVICE.format(error.name)}{or_ask}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:  # not of a file
            raise
        print(f"convlens: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
