"""A server that a command asks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from service.client import Client, ServiceError
from service.errors import ConvlensError

KEY = "CONVLENS_API_KEY"  # an environment variable, since everybody on a machine can read the flags of a process


@contextmanager
def asking(server: str) -> Iterator[Client]:
    """A client of the server, for the ``with`` block. Raises `ConvlensError` for what it refuses and if it is away."""
    try:
        with Client(server, api_key=os.environ.get(KEY)) as client:
            yield client
    except ServiceError as error:
        hint = f"; the environment variable {KEY} holds it" if error.status == httpx.codes.UNAUTHORIZED else ""
        raise ConvlensError(f"{error}{hint}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConvlensError(f"the server {server!r} cannot be asked: {error or type(error).__name__}") from error
