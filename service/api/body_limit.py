"""Bounds on the size and the duration of request bodies, counted while they arrive and while they are unpacked."""

import zlib
from collections import Counter

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.addresses import client_of
from service.errors import BrokenBody, Overloaded, TooManyBytes, TooSlow, UnsupportedMedia


class BodyLimit:
    """ASGI middleware: reading a body raises `TooManyBytes`, `TooSlow` or `Overloaded`, whatever its header claimed.

    Args:
        app: The application.
        max_bytes: The largest body.
        max_together: The bodies of all requests that are being worked on. Beyond that those are refused whose address
            has sent other bodies; at twice as much everybody.
        seconds: In which a body must arrive.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_together: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_together = max_together
        self._seconds = seconds
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counting ``receive``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        counting = _Counting(receive, self._max_bytes, self._seconds, int(headers.get(b"content-length", b"0")))
        coding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
        decoded = _decoded(counting, coding, self._max_bytes)
        address, own = client_of(scope), 0

        async def held() -> Message:
            nonlocal own
            message = await decoded()
            size = len(message.get("body", b""))
            self._held[address] += size
            own += size
            if size and self._held.total() > self._max_together * (1 if self._held[address] > own else 2):
                raise Overloaded("too many pictures are being worked on; try again in a moment", retry_after=1)
            return message

        try:
            await self._app(scope, held, send)
        finally:
            self._held[address] -= own
            if not self._held[address]:
                del self._held[address]


def _decoded(counting: "_Counting", coding: str, max_bytes: int) -> Receive:
    """The body without its coding; what reads it raises `UnsupportedMedia` for codings that are not known."""
    if coding in ("", "identity"):
        return counting.receive
    return _Unpacking(counting.receive, coding, max_bytes).receive


_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # of zlib, with the head and the end that each coding has


class _Unpacking:
    def __init__(self, receive: Receive, coding: str, max_bytes: int) -> None:
        self._receive = receive
        self._coding = coding
        self._left = max_bytes
        self._stream = zlib.decompressobj(wbits=_WINDOWS.get(coding, 0))

    async def receive(self) -> Message:
        if self._coding not in _WINDOWS:
            raise UnsupportedMedia(f"bodies coded as {self._coding} are not read; send them as they are, or as gzip")
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        try:
            body = self._stream.decompress(message.get("body", b""), self._left + 1)
        except zlib.error as error:
            raise BrokenBody(f"the body is no {self._coding}: {error}") from error
        self._left -= len(body)
        if self._left < 0:
            raise TooManyBytes("the body has too many bytes once it is unpacked; send smaller images or fewer")
        if not message.get("more_body", False) and not self._stream.eof:
            raise BrokenBody(f"the {self._coding} of the body ends before its end: send it again, as a whole")
        return {**message, "body": body}


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
