"""Requests begin a few at a time and callers in turn: a burst of one holds up the event loop for nobody else."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.access import COOKIE
from service.api.addresses import client_of
from service.api.keys import Keys
from service.api.places import Places
from service.api.problems import problem
from service.errors import Overloaded, Unauthorized

BEGINNING = 8  # requests at a time; each takes some milliseconds of the event loop, in a dozen pieces


class Admission:
    """ASGI middleware. A request has begun once it waits for its body or is answered.

    A caller of whom no other request is just beginning does not wait. Who that is, is only looked up here: whether it
    may ask is decided later.

    Args:
        app: The application.
        keys: Who calls, where there are keys; else it is told by the address.
        seconds: For which a request may wait.
    """

    def __init__(self, app: ASGIApp, keys: Keys, seconds: float) -> None:
        self._app = app
        self._keys = keys
        self._places = Places(BEGINNING, seconds, spare=2**20)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on in its turn."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        caller, begins = self._caller(request), True
        try:
            await self._places.turn(caller)
        except Overloaded as error:
            detail = "too many of your requests begin at the same time; try again in a moment"
            response = problem(request, HTTPStatus.SERVICE_UNAVAILABLE, detail)
            response.headers["Retry-After"] = str(error.retry_after)
            await response(scope, receive, send)
            return

        def has_begun() -> None:
            nonlocal begins
            if begins:
                begins = False
                self._places.release(caller)

        async def received() -> Message:
            has_begun()
            return await receive()

        async def sent(message: Message) -> None:
            has_begun()
            await send(message)

        try:
            await self._app(scope, received, sent)
        finally:
            has_begun()

    def _caller(self, request: Request) -> str:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        try:
            owner = self._keys.owner(key if scheme.lower() == "bearer" else request.cookies.get(COOKIE))
        except Unauthorized:
            owner = None
        return f"address:{client_of(request.scope)}" if owner is None else f"key:{owner}"
