"""Heads and bodies without end or sense."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice, product
from string import ascii_letters

from tests.tools.soak.scene import Scene, forever

BLOCK = b"a" * 2**20
HALF = b"POST /saliency HTTP/1.1\r\nHost: localhost\r\nX-Half: "
JSON = "application/json"


def names(number: int, length: int) -> Iterator[str]:
    """So many different names."""
    return islice(("".join(letters) for letters in product(ascii_letters, repeat=length)), number)


async def endless_header(scene: Scene) -> None:
    """300 MB of a header."""

    async def act() -> None:
        sent = 0
        with suppress(OSError):
            _, writer = await asyncio.open_connection(*scene.target.address)
            try:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
                while sent < 300:
                    writer.write(BLOCK)
                    await writer.drain()
                    sent += 1
            finally:
                writer.transport.abort()
        scene.answers[f"300 MB header {'taken' if sent == 300 else 'hung up'}"] += 1

    await forever(2, act)


async def half_heads(scene: Scene) -> None:
    """A thousand heads of which the second half does not come."""

    async def act() -> None:
        await scene.ask("half a head", HALF)

    await forever(1000, act)


async def unknown_keys(scene: Scene) -> None:
    """9 MB of JSON with a million keys that nobody knows."""
    body = ("{" + ",".join(f'"{name}":0' for name in names(1_000_000, 4)) + "}").encode()
    sent = scene.request("POST", "/visualize", body=body, kind=JSON)
    await forever(4, lambda: scene.ask("many keys", sent))


async def long_query(scene: Scene) -> None:
    """62 KB with 16,000 parameters."""
    query = "&".join(names(16_000, 3))
    posted = scene.request("POST", f"/saliency?{query}", body=b"x", kind="image/png")
    got = scene.request("GET", f"/visualize?{query}")

    async def act() -> None:
        await scene.ask("POST with a long query", posted)
        await scene.ask("GET with a long query", got)

    await forever(4, act)


async def brackets(scene: Scene) -> None:
    """JSON that is deep."""
    bodies = [b"[" * 100_000, b"[" * 60_000, b'{"class_id":' + b"[" * 60_000]
    sent = [scene.request("POST", "/visualize", body=body, kind=JSON) for body in bodies]

    async def act() -> None:
        for each in sent:
            await scene.ask("brackets", each)

    await forever(4, act)


ACTIONS = (endless_header, half_heads, unknown_keys, long_query, brackets)
