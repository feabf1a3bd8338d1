"""The bodies that are in memory at the same time are bounded, and nobody alone fills the bound."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.api.body_limit import BodyLimit
from service.errors import Overloaded


class Upload:
    """A request to an application that reads the body, and answers when it is told to."""

    def __init__(self, limit: BodyLimit, address: str, size: int) -> None:
        scope = {"type": "http", "headers": [], "client": (address, 1), "upload": self}
        self.go, self.is_read = asyncio.Event(), asyncio.Event()
        self._message = {"type": "http.request", "body": b"x" * size, "more_body": False}
        self.task = asyncio.create_task(limit(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        return self._message

    async def _send(self, message: Message) -> None: ...


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    upload: Upload = scope["upload"]
    await receive()
    upload.is_read.set()
    await upload.go.wait()


def test_who_sends_several_is_refused_before_who_sends_one() -> None:
    async def scenario() -> None:
        limit = BodyLimit(application, max_bytes=1000, max_together=1000, seconds=30)

        async def sent(address: str, size: int) -> Upload:
            upload = Upload(limit, address, size)
            await upload.is_read.wait()
            return upload

        async def refused(address: str, size: int) -> None:
            with pytest.raises(Overloaded, match="try again in a moment"):
                await Upload(limit, address, size).task

        open_: list[Any] = [await sent("10.0.0.1", 600), await sent("10.0.0.1", 400)]
        await refused("10.0.0.1", 1)
        open_.append(await sent("10.0.0.2", 900))
        await refused("10.0.0.2", 1)
        await refused("10.0.0.3", 200)  # more than twice the bound
        open_.append(await sent("10.0.0.3", 100))
        for upload in open_:
            upload.go.set()
            await upload.task
        again = [await sent("10.0.0.1", 500), await sent("10.0.0.1", 500)]
        for upload in again:
            upload.go.set()
            await upload.task
        assert not limit._held

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


def test_a_network_of_ipv6_is_one_sender() -> None:
    async def scenario() -> None:
        limit = BodyLimit(application, max_bytes=1000, max_together=1000, seconds=30)
        first = Upload(limit, "2001:db8::1", 1000)
        await first.is_read.wait()
        with pytest.raises(Overloaded):
            await Upload(limit, "2001:db8::2", 1).task
        first.go.set()
        await first.task

    asyncio.run(scenario())
