"""Explaining photographs by a server: several requests at a time, each until it is answered."""

import argparse
import base64
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from urllib.parse import quote

import httpx

from service.cli.drawing import chosen_class
from service.cli.method_values import values_of
from service.client import Client, ServiceError
from service.client.calls import credentials, refusal
from service.client.retries import Patience
from service.errors import Abandoned, ConvlensError, InvalidParameter
from service.folders.asked import Asked
from service.folders.failures import failure, failures
from service.folders.index import Record
from service.folders.places import Output, place
from service.folders.run import Task
from service.folders.sources import BYTES_OF_A_PIXEL, read
from service.settings import Settings

REQUESTS = 4  # at a time
TIMEOUT = 150.0  # seconds for an answer; a request may compute for 120
PATIENCE = 600.0  # seconds for which a server may be away
TRIES = 3  # of a photograph whose request the server ends, while it answers others
FOR_ALL = (401, 403, 404)  # refusals that no photograph has to do with
PASSES = (429, 502, 503, 504)  # refusals of the moment


class Lost(ConvlensError):
    """The server cannot be asked any more."""


class Place:
    """A server."""

    def __init__(self, settings: Settings, options: argparse.Namespace, stopping: Event) -> None:
        if options.side is not None:
            raise InvalidParameter("the server decides how large overlays are (CONVLENS_MAX_SIDE); leave out --side")
        self._server, self._key = options.server, options.key
        self._requests = options.processes or REQUESTS
        self._max_bytes = settings.max_pixels * BYTES_OF_A_PIXEL
        self._stopping = stopping

    def asked(self, options: argparse.Namespace) -> Asked:
        """See `service.cli.explaining.Place`."""
        headers = credentials(self._key)
        try:
            with httpx.Client(base_url=self._server, timeout=TIMEOUT, headers=headers) as http:
                default = next(model["name"] for model in _got(http, "/models") if model["default"])
                model = _got(http, f"/models/{quote(options.model or default, safe='')}")
                known = {method["name"]: method["parameters"] for method in _got(http, "/methods")}
                return Asked(
                    model=model["name"],
                    model_sha256=model["sha256"],
                    methods=values_of(options.set, options.methods, known),
                    class_id=_class_id(http, model["name"], options.class_name),
                    target=options.target,
                    resize=options.resize,
                    decode=options.decode,
                    formats=tuple(options.formats),
                    side=0,
                )
        except (ServiceError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise Lost(f"{self._server}: {_told(error)}") from error
        except (LookupError, TypeError, ValueError, StopIteration) as error:
            raise Lost(f"{self._server} does not answer as a server of convlens does") from error

    @contextmanager
    def pool(self, asked: Asked, output: Output) -> Iterator["Requests"]:
        """See `service.cli.explaining.Place`."""
        with (
            Client(self._server, TIMEOUT, self._key) as client,
            ThreadPoolExecutor(self._requests, "requests") as threads,
        ):
            patient = Patient(client, self._server, self._stopping)
            yield Requests(patient, threads, asked, output, self._max_bytes, 2 * self._requests)

    def close(self) -> None:
        """See `service.cli.explaining.Place`."""


def _got(http: httpx.Client, path: str) -> Any:
    response = http.get(path)
    if not response.is_success:
        raise refusal(response)
    return response.json()


def _class_id(http: httpx.Client, model: str, query: str | None) -> int | None:
    if query is None or query.isdigit():
        return None if query is None else int(query)
    found = _got(http, f"/models/{quote(model, safe='')}/classes?query={quote(query)}")
    return chosen_class(query, [(one["class_id"], one["name"]) for one in found])


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__


class Patient:
    """Asks a server and waits for it if it is away for a while.

    Args:
        client: A client of the server.
        server: Its address.
        stopping: Ends the waiting.
    """

    def __init__(self, client: Client, server: str, stopping: Event) -> None:
        self._client = client
        self._server = server
        self._stopping = stopping

    def explain(self, data: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
        """The answer of the server.

        Raises `ServiceError` for a photograph that the server refuses, `Lost` if it is away for too long.
        """
        patience, tries = Patience(PATIENCE), 0
        while not self._stopping.is_set():
            try:
                return dict(self._client.explain([data], **parameters))
            except (httpx.TransportError, ServiceError) as error:
                if isinstance(error, ServiceError) and error.status in FOR_ALL:
                    raise Lost(f"{self._server}: {error}") from error
                if isinstance(error, ServiceError) and error.status not in PASSES:
                    raise
                tries += isinstance(error, httpx.TransportError) and self._is_there()
                if tries == TRIES:
                    raise ServiceError(502, f"the server ends the request: {_told(error)}") from error
                pause = patience.after_failure(error)
                if not patience.left:
                    raise Lost(f"{self._server}: {_told(error)}; the same command goes on from here") from error
                self._stopping.wait(pause)
        raise Abandoned("this was stopped")

    def _is_there(self) -> bool:
        """Whether the server answers."""
        try:
            self._client.models()
        except (httpx.TransportError, ServiceError):
            return False
        return True


class Requests:
    """A `Pool` of requests."""

    def __init__(
        self, server: Patient, threads: ThreadPoolExecutor, asked: Asked, output: Output, max_bytes: int, depth: int
    ) -> None:
        self.depth = depth
        self._server = server
        self._threads = threads
        self._asked = asked
        self._output = output
        self._max_bytes = max_bytes

    def submit(self, task: Task) -> "Future[list[Record]]":
        """See `Pool`."""
        return self._threads.submit(self._records, task)

    def renew(self) -> None:
        """See `Pool`; threads do not die."""

    def _records(self, task: Task) -> list[Record]:
        try:
            data = task.content if isinstance(task.content, bytes) else read(task.content, self._max_bytes)
        except (ConvlensError, OSError) as error:
            return failures(task.name, task.methods, error)
        return [self._record(task.name, data, method) for method in task.methods]

    def _record(self, name: str, data: bytes, method: str) -> Record:
        asked, formats = self._asked, self._asked.formats
        given = {
            "model": asked.model, "method": method, "resize": asked.resize, "decode": asked.decode,
            "class_id": asked.class_id, "target": asked.target, "raw": "npy" in formats,
            "output": "overlay" if "png" in formats else "heatmap",
        }  # fmt: skip
        parameters = {key: value for key, value in {**given, **asked.methods[method]}.items() if value is not None}
        try:
            answer = self._server.explain(data, parameters)
            (one,) = answer["data"]
            return self._kept(name, method, one) | {"seconds": sum(answer["meta"]["timings_ms"].values()) / 1e3}
        except ServiceError as error:
            return failure(name, method, error.status, str(error))
        except InvalidParameter as error:
            (record,) = failures(name, [method], error)
            return record

    def _kept(self, name: str, method: str, one: dict[str, Any]) -> Record:
        explained, heatmap, where = one["explained"], one["heatmap"], f"{method}/{place(name)}"
        formats, write = self._asked.formats, self._output.write
        return {
            "item": name,
            "method": method,
            "model": self._asked.model,
            "class_id": explained["class_id"],
            "class_name": explained["name"],
            "probability": explained["probability"],
            "score": explained["score"],
            "target": explained["target"],
            "map": write(f"maps/{where}.npy", base64.b64decode(heatmap["npy"])) if "npy" in formats else None,
            "overlay": write(f"overlays/{where}.png", base64.b64decode(heatmap["png"])) if "png" in formats else None,
            "metrics": {},
            "notes": explained["notes"],
        }
