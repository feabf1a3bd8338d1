"""A bound on the parameters of a query, before anything takes them apart."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import problem

MAX_PARAMETERS = 100


class QueryLimit:
    """ASGI middleware that refuses queries with very many parameters."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and scope["query_string"].count(b"&") >= MAX_PARAMETERS:
            detail = f"the query has more than {MAX_PARAMETERS} parameters"
            await problem(Request(scope), HTTPStatus.UNPROCESSABLE_ENTITY, detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)
