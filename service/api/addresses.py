"""The addresses of clients: what trusted proxies tell of them, and what a rate limit counts."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address
IPV6_BITS = 64  # of a network whose addresses are all at the disposal of one client


class Forwarded:
    """ASGI middleware that takes the address and scheme of a client from trusted proxies, and from nobody else.

    Every proxy appends the address that asked it to ``X-Forwarded-For``. So the list is read from its end: the first
    address that is no trusted proxy is the client, and what stands before it can be written by anybody.

    Args:
        app: The application.
        proxies: Addresses and networks of the trusted proxies, with commas between them.
    """

    def __init__(self, app: ASGIApp, proxies: str) -> None:
        self.app = app  # FastAPI looks along this name whether requests are traced already
        self._networks = [ip_network(proxy.strip()) for proxy in proxies.split(",") if proxy.strip()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with what is believed of it."""
        if scope["type"] == "http":
            scope = {**scope, **self._believed(scope)}
        await self.app(scope, receive, send)

    def _believed(self, scope: Scope) -> dict[str, Any]:
        host, port = scope.get("client") or ("", 0)
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        peer = _parsed(host)
        if not self._trusts(peer):
            return {"headers": [(name, value) for name, value in headers if not name.startswith(b"x-forwarded-")]}
        client = self._client(peer, _listed(headers, b"x-forwarded-for"))
        scheme = _listed(headers, b"x-forwarded-proto")[-1].lower()
        return {
            "client": (host, port) if client == peer else (str(client), 0),
            "scheme": scheme if scheme in ("http", "https") else scope["scheme"],
        }

    def _client(self, peer: Address | None, told: list[str]) -> Address | None:
        """The nearest address that is no trusted proxy, as far as the list holds addresses."""
        client = peer
        for text in reversed(told):
            if not self._trusts(client) or (before := _parsed(text)) is None:
                break
            client = before
        return client

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def client_of(scope: Scope) -> str:
    """What limits count of the client of a request."""
    return counted(scope["client"][0]) if scope.get("client") else "unknown"


def counted(host: str) -> str:
    """What a rate limit counts of an address: of IPv6 its network, since a client has as many addresses as it likes."""
    address = _parsed(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, IPV6_BITS), strict=False))
    return str(address or host)


def _listed(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """The values of a header that may be sent several times, in their order."""
    lines = (value.decode("latin-1") for name, value in headers if name == wanted)
    return [value.strip() for value in ",".join(lines).split(",")]


def _parsed(text: str) -> Address | None:
    """An address, with or without a port: ``192.0.2.1:80``, ``[2001:db8::1]:80``."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])  # without the network card
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
