"""A service that does not start says why, in one line."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import ConvlensError


class Starting:
    """ASGI middleware that keeps the error with which the application did not start, instead of its traceback.

    Attributes:
        failure: That error, None if there was none.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.failure: ConvlensError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but what the application says of its failure."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: list[Message] = []

        async def held_back(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, held_back)
        except ConvlensError as error:
            self.failure = error
            await send({"type": "lifespan.startup.failed", "message": ""})
        except BaseException:
            for message in failed:
                await send(message)
            raise
