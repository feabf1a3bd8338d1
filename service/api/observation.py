"""Every request gets an id, a count and a line in the log; every answer the headers that browsers want."""

import logging
import re
import secrets
import time
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.telemetry import metrics

logger = logging.getLogger("convlens.access")

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class Observation:
    """ASGI middleware, the outermost one. log: whether each request is logged."""

    def __init__(self, app: ASGIApp, log: bool) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        request_id = sent if ACCEPTABLE_ID.fullmatch(sent) else secrets.token_hex(8)
        token = REQUEST_ID.set(request_id)
        status, started = 500, time.perf_counter()

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *SECURITY_HEADERS]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            self._note(scope, status, time.perf_counter() - started)
            REQUEST_ID.reset(token)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")  # not the path: that would be a series for each job
        metrics.REQUESTS.labels(scope["method"], route, str(status)).inc()
        metrics.REQUEST_SECONDS.labels(scope["method"], route).observe(seconds)
        if self._log:
            client = (scope.get("client") or ("-",))[0]
            extra = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "milliseconds": round(seconds * 1e3, 1),
                "client": client,
            }
            logger.info("%s %s %d %.1f ms", scope["method"], scope["path"], status, seconds * 1e3, extra=extra)


class RequestIdFilter(logging.Filter):
    """Puts the id of the request into each record that is logged while it is answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record."""
        record.request_id = REQUEST_ID.get()
        return True
