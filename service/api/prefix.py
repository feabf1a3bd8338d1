"""The prefix of URLs under which a proxy shows the service."""

import re
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX: ContextVar[str] = ContextVar("prefix", default="")  # what links begin with
_SENT = re.compile(rb"(/[A-Za-z0-9._~-]+){1,8}/?")


def own_path(scope: Scope) -> str:
    """The path of a request without the prefix."""
    path: str = scope.get("path", "")
    return path.removeprefix(scope.get("root_path", ""))


class Prefixed:
    """ASGI middleware that tells the application, and the links in its answers, the prefix of the request.

    Args:
        app: The application.
        root_path: The prefix, from the settings.
        trusted: Whether the header ``X-Forwarded-Prefix`` of a proxy goes before.
    """

    def __init__(self, app: ASGIApp, root_path: str, trusted: bool) -> None:
        self._app = app
        self._root_path = root_path.rstrip("/")
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its prefix."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"]).get(b"x-forwarded-prefix", b"") if self._trusted else b""
        prefix = sent.decode().rstrip("/") if _SENT.fullmatch(sent) else self._root_path
        scope["root_path"] = prefix  # of this scope, not of a copy: the route is told in it afterwards
        token = PREFIX.set(prefix)
        try:
            await self._app(scope, receive, send)
        finally:
            PREFIX.reset(token)
