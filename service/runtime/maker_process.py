"""The process of `runtime.making`."""

import pickle
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection

from service.errors import ConvlensError, EngineError
from service.runtime.engine import Engine


def main() -> None:
    """Make what is asked for over the connection of that number, until it is closed."""
    connection = Connection(int(sys.argv[1]))
    with suppress(EOFError, ConnectionError):
        engine = Engine("cpu", 1, cache=connection.recv())
        while True:
            asked = connection.recv_bytes()
            try:
                engine.keep(*pickle.loads(asked))  # noqa: S301 - our own process has sent it
            except Exception as error:  # noqa: BLE001 - who has asked is told
                connection.send(_to_be_sent(error))
            else:
                connection.send(None)


def _to_be_sent(error: Exception) -> Exception:
    """The error, with where it came from if that was not on purpose."""
    if not isinstance(error, ConvlensError):
        error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled just before
    except Exception:  # noqa: BLE001 - there are many ways not to be pickled
        return EngineError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    main()
