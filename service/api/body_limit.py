"""Bounds on the size and the duration of request bodies, counted while they arrive and while they are unpacked."""

import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.addresses import client_of
from service.api.prefix import own_path
from service.errors import BrokenBody, Overloaded, TooManyBytes, TooSlow, UnsupportedMedia

IDENTITY = ("", "identity")  # codings that are none


@dataclass(frozen=True)
class Bounds:
    """Of a body. seconds: in which it must arrive. rate: bytes a second that it may have in addition to them."""

    max_bytes: int
    seconds: float
    rate: float = math.inf


@dataclass(frozen=True)
class Streamed(Bounds):
    """Of a body that is written to disk as it arrives.

    Attributes:
        methods: The methods of the requests.
        path: What the whole path of the requests matches.
        unpacked: Whether it may have a Content-Encoding, which is then taken off.
    """

    methods: tuple[str, ...] = ("POST",)
    path: str = ""
    unpacked: bool = True

    def is_for(self, method: str, path: str) -> bool:
        """Whether a request is one of these."""
        return method in self.methods and re.fullmatch(self.path, path) is not None


class BodyLimit:
    """ASGI middleware: reading a body raises `TooManyBytes`, `TooSlow` or `Overloaded`, whatever its header claimed.

    Archives are not held in memory: they count against no other body, and may arrive for as long as they come fast.

    Args:
        app: The application.
        max_bytes: The largest body.
        max_together: The bodies of all requests that are being worked on. Beyond that those are refused whose address
            has sent other bodies; at twice as much everybody.
        seconds: In which a body must arrive.
        streamed: Other bounds for the bodies of requests that are written to disk as they arrive.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, max_together: int, seconds: float, streamed: Sequence[Streamed] = ()
    ) -> None:
        self._app = app
        self._kept = Bounds(max_bytes, seconds)
        self._max_together = max_together
        self._streamed = streamed
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counting ``receive``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = own_path(scope)
        method = scope.get("method", "")
        bounds = next((each for each in self._streamed if each.is_for(method, path)), self._kept)
        headers = dict(scope["headers"])
        counting = _Counting(receive, bounds, int(headers.get(b"content-length", b"0")))
        coding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
        if isinstance(bounds, Streamed) and not bounds.unpacked:
            await self._app(scope, counting.receive if coding in IDENTITY else _refuse_coding, send)
            return
        decoded = _decoded(counting, coding, bounds.max_bytes)
        if isinstance(bounds, Streamed):
            await self._app(scope, decoded, send)
            return
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


async def _refuse_coding() -> Message:
    """Archives are compressed as it is: nothing of them is unpacked before it is asked for."""
    raise UnsupportedMedia("archives and what else is stored are sent as they are, without a Content-Encoding")


def _decoded(counting: "_Counting", coding: str, max_bytes: int) -> Receive:
    """The body without its coding; what reads it raises `UnsupportedMedia` for codings that are not known."""
    if coding in IDENTITY:
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
            raise TooManyBytes("the body has too many bytes once it is unpacked; send less")
        if not message.get("more_body", False) and not self._stream.eof:
            raise BrokenBody(f"the {self._coding} of the body ends before its end: send it again, as a whole")
        return {**message, "body": body}


class _Counting:
    def __init__(self, receive: Receive, bounds: Bounds, declared: int) -> None:
        self._receive = receive
        self._max_bytes = bounds.max_bytes
        self._seconds = bounds.seconds
        self._rate = bounds.rate
        self._began: float | None = None
        self._bytes = 0
        self._declared = declared
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        if self._declared > self._max_bytes:
            raise self._too_many()
        if self._began is None:
            self._began = anyio.current_time()
        with anyio.move_on_at(self._began + self._seconds + self._bytes / self._rate) as scope:
            message = await self._receive()
        if scope.cancelled_caught:
            rate = f"at {self._rate / 1024:g} KiB a second"
            limit = f"within {self._seconds:g} seconds" if math.isinf(self._rate) else rate
            raise TooSlow(f"the body did not arrive {limit}")
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._max_bytes:
            raise self._too_many()
        self._complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    def _too_many(self) -> TooManyBytes:
        return TooManyBytes(f"the body has more than {self._max_bytes:,} bytes; send less")
