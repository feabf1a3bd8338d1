"""A bound on the size and the duration of request bodies, counted while they arrive."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import TooManyBytes, TooSlow


class BodyLimit:
    """ASGI middleware: reading a body raises `TooManyBytes` or `TooSlow`, whatever its header claimed."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counting ``receive``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        await self._app(scope, _Counting(receive, self._max_bytes, self._seconds, int(declared)).receive, send)


class _Counting:
    def __init__(self, receive: Receive, max_bytes: int, seconds: float, declared: int) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._deadline: float | None = None
        self._bytes = 0
        self._declared = declared
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        if self._declared > self._max_bytes:
            raise self._too_many()
        if self._deadline is None:
            self._deadline = anyio.current_time() + self._seconds
        with anyio.move_on_at(self._deadline) as scope:
            message = await self._receive()
        if scope.cancelled_caught:
            raise TooSlow(f"the body did not arrive within {self._seconds:g} seconds")
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._max_bytes:
            raise self._too_many()
        self._complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    def _too_many(self) -> TooManyBytes:
        return TooManyBytes(f"the body has more than {self._max_bytes:,} bytes; send smaller images or fewer")
