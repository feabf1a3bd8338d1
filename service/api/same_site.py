"""Requests that a browser was made to send: from other sites, or under a name that is not of this service."""

from collections.abc import Collection
from http import HTTPStatus
from ipaddress import ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import problem

LOOPBACK = frozenset(["localhost", "127.0.0.1", "::1"])
_SAFE = frozenset(["GET", "HEAD", "OPTIONS"])
_PROBES = frozenset(["/healthz", "/readyz"])


class SameSite:
    """ASGI middleware that refuses requests which change something and come from another site, and foreign host names.

    A page elsewhere could otherwise start jobs of whoever looks at it, or, by a name of its own that resolves to this
    machine, read what the service answers (DNS rebinding).

    Args:
        app: The application.
        origins: Origins of pages elsewhere that may ask; ``*`` for all.
        hosts: The names of the service, without port; None for any. Health checks, which machines send to an address,
            need no name.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], hosts: Collection[str] | None) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await problem(Request(scope), *refusal)({**scope}, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = _without_port(headers.get(b"host", ""))
        if not self._is_own(host) and not (scope["path"] in _PROBES and _is_address(host)):
            return HTTPStatus.MISDIRECTED_REQUEST, f"{host!r} is no name of this service; see CONVLENS_ALLOWED_HOSTS"
        origin = headers.get(b"origin")
        if scope["method"] in _SAFE or "*" in self._origins or origin in self._origins:
            return None
        site = headers.get(b"sec-fetch-site")
        is_foreign = site == "cross-site" if site is not None else origin is not None and _host_of(origin) != host
        if not is_foreign:
            return None
        return HTTPStatus.FORBIDDEN, f"pages of {origin or 'other sites'} may not ask; see CONVLENS_CORS_ORIGINS"

    def _is_own(self, host: str) -> bool:
        return self._hosts is None or not host or host in self._hosts


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _host_of(origin: str) -> str:
    return _without_port(origin.partition("://")[2])
