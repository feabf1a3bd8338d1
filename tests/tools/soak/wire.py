"""HTTP as abusers speak it: bytes on a socket, without a client library that would be polite or slow."""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4


@dataclass(frozen=True)
class Answer:
    """status: of HTTP, or what happened instead of an answer."""

    status: str
    body: bytes = b""


def request(
    method: str,
    path: str,
    *,
    key: str | None = None,
    body: bytes = b"",
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A whole request after whose answer the connection ends."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"Content-Length: {len(body)}"] if body or method == "POST" else []
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def form(files: list[bytes], **fields: str) -> tuple[bytes, str]:
    """The body of a form with pictures, and its media type."""
    mark = uuid4().hex.encode()
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"'
    parts = [
        head % (mark, b"image") + b'; filename="a"\r\nContent-Type: image/png\r\n\r\n' + f + b"\r\n" for f in files
    ]
    parts += [head % (mark, k.encode()) + b"\r\n\r\n" + v.encode() + b"\r\n" for k, v in fields.items()]
    return b"".join(parts) + b"--%s--\r\n" % mark, f"multipart/form-data; boundary={mark.decode()}"


async def ask(address: tuple[str, int], sent: bytes, leave: float | None = None) -> Answer:
    """Send and read up to the end of the connection; hang up after ``leave`` seconds."""
    try:
        reader, writer = await asyncio.open_connection(*address)
    except OSError:
        return Answer("no connection")
    data = b""
    try:
        async with asyncio.timeout(leave):
            with suppress(ConnectionError):  # what it answered before it hung up may still be read
                writer.write(sent)
                await writer.drain()
            with suppress(ConnectionError):
                while chunk := await reader.read(2**16):
                    data += chunk
    except TimeoutError:
        return Answer("left")
    finally:
        writer.transport.abort()
    head, _, body = data.partition(b"\r\n\r\n")
    return Answer(head[9:12].decode("latin-1") or "hung up", body)


async def open_slowly(address: tuple[str, int], sent: bytes) -> socket.socket:
    """A connection that has sent a request and has room for two KB of the answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(connection, address)
        await loop.sock_sendall(connection, sent)
    except BaseException:
        connection.close()
        raise
    return connection
