"""Whom a request is from: the client behind trusted proxies, and nothing that others write into headers."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.types import Message, Receive, Scope, Send

from service.api.addresses import Forwarded, counted
from service.settings import Settings
from tests.conftest import Server, counting_all, serving
from tests.waiting import eventually

PROXIES = "127.0.0.1, 10.0.0.0/8, fd00::/8"
FOR, PROTO = "X-Forwarded-For", "X-Forwarded-Proto"


def believed(peer: tuple[str, int] | None, *headers: tuple[str, str], proxies: str = PROXIES) -> Scope:
    """What the application sees of a request."""
    seen: list[Scope] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def receive() -> Message:
        raise NotImplementedError

    async def send(message: Message) -> None:
        raise NotImplementedError

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "client": peer, "scheme": "http", "headers": raw}
    asyncio.run(Forwarded(application, proxies)(scope, receive, send))
    return seen[0]


@pytest.mark.parametrize(
    ("peer", "told", "client"),
    [
        ("127.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("127.0.0.1", ["6.6.6.6, 192.0.2.1"], "192.0.2.1"),  # the leftmost is what the client wrote
        ("127.0.0.1", ["6.6.6.6", "192.0.2.1"], "192.0.2.1"),  # in a header of its own
        ("127.0.0.1", ["192.0.2.1", "10.1.2.3"], "192.0.2.1"),  # a chain of proxies, one header each
        ("127.0.0.1", ["6.6.6.6, 127.0.0.1, 192.0.2.1, 10.1.2.3"], "192.0.2.1"),
        ("10.9.9.9", ["192.0.2.1, 10.1.2.3 ,10.4.5.6"], "192.0.2.1"),
        ("127.0.0.1", ["10.1.2.3, 10.4.5.6"], "10.1.2.3"),  # a proxy asks for itself
        ("192.0.2.9", ["6.6.6.6"], "192.0.2.9"),  # no proxy
        ("192.0.2.9", ["6.6.6.6, 10.1.2.3"], "192.0.2.9"),
        ("127.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("127.0.0.1", ["2001:0DB8:0::1"], "2001:db8::1"),
        ("fd00::1", ["2001:db8::1, fd12::3"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
        ("127.0.0.1", ["fe80::1%eth0"], "fe80::1"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["6.6.6.6, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["6.6.6.6, _hidden, 10.1.2.3"], "10.1.2.3"),  # the last one whose word counts
        ("127.0.0.1", ["6.6.6.6,"], "127.0.0.1"),
        ("127.0.0.1", ["\xff" * 300], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(peer: str, told: list[str], client: str) -> None:
    assert believed((peer, 1234), *((FOR, line) for line in told))["client"][0] == client


def test_a_server_without_addresses_believes_nobody() -> None:
    assert believed(None, (FOR, "6.6.6.6"), (PROTO, "https"))["client"] is None


@pytest.mark.parametrize(
    ("peer", "told", "scheme"),
    [
        ("127.0.0.1", ["https"], "https"),
        ("127.0.0.1", ["HTTPS"], "https"),
        ("127.0.0.1", ["https, http"], "http"),  # the nearest proxy has the last word
        ("127.0.0.1", ["http", "https"], "https"),
        ("127.0.0.1", ["javascript"], "http"),
        ("127.0.0.1", [], "http"),
        ("192.0.2.9", ["https"], "http"),
    ],
)
def test_the_scheme_is_what_a_proxy_says(peer: str, told: list[str], scheme: str) -> None:
    assert believed((peer, 1234), *((PROTO, line) for line in told))["scheme"] == scheme


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.1/8", "0.0.0.0/0", "10.0.0.0/8,::/0", "*"])
def test_proxies_that_are_none_are_told_at_start(wrong: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings(trusted_proxies=wrong)
    assert Settings(trusted_proxies=PROXIES).trusted_proxies == PROXIES


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_are_counted_by_what_a_client_has(address: str, what: str) -> None:
    assert counted(address) == what


def statuses(api: httpx.Client, *told: str) -> list[int]:
    return [api.get("/models", headers={FOR: line}).status_code for line in told]


def test_nobody_is_believed_by_default(models_dir: Path, tmp_path: Path) -> None:
    flags = ("--no-worker", "--rate-limit", "3/hour")
    server = Server("--models-dir", str(models_dir), "--data-dir", str(tmp_path), *flags)
    try:
        forged = (f"192.0.{i // 256}.{i % 256}" for i in count())
        eventually(lambda: statuses(server.client, next(forged)), lambda seen: seen == [429], seconds=10)
        made = server.client.post("/session", data={"key": "k"}, headers={PROTO: "https"})
        assert "Secure" not in made.headers["set-cookie"]
    finally:
        server.stop()


@pytest.fixture(scope="module")
def proxied(settings: Settings) -> Iterator[httpx.Client]:
    changes = {"trusted_proxies": "127.0.0.1", "rate_limit": "3/hour", "trust_forwarded_prefix": True}
    with counting_all(settings.model_copy(update=changes)) as client:
        yield client


def test_clients_of_a_proxy_have_limits_of_their_own(proxied: httpx.Client) -> None:
    forged = [f"6.6.6.{i}, 192.0.2.1" for i in range(5)]
    assert statuses(proxied, *forged) == [200, 200, 200, 429, 429]
    assert statuses(proxied, "192.0.2.2") == [200]


def test_addresses_of_one_ipv6_network_share_a_limit(proxied: httpx.Client) -> None:
    assert statuses(proxied, *(f"2001:db8::{i:x}:1" for i in range(5))) == [200, 200, 200, 429, 429]
    assert statuses(proxied, "2001:db8:0:1::1") == [200]


def test_cookies_are_secure_where_the_client_came_by_https(proxied: httpx.Client) -> None:
    for scheme, is_secure in (("https", True), ("http", False)):
        for answer in (
            proxied.post("/session", data={"key": "k"}, headers={PROTO: scheme}),
            proxied.delete("/session", headers={PROTO: scheme}),
        ):
            assert ("Secure" in answer.headers["set-cookie"]) == is_secure
            assert "SameSite=strict" in answer.headers["set-cookie"]


@pytest.mark.parametrize(("proxies", "prefix"), [("127.0.0.1", "/lens"), ("192.0.2.1", ""), ("", "/lens")])
def test_a_prefix_is_told_by_trusted_proxies_where_there_are_some(fresh: Settings, proxies: str, prefix: str) -> None:
    changes = {"trusted_proxies": proxies, "trust_forwarded_prefix": True}
    with serving(fresh.model_copy(update=changes)) as api:
        made = api.post("/visualize", json={"class_id": 1, "size": 64}, headers={"X-Forwarded-Prefix": "/lens"})
        assert made.headers["location"].startswith(f"{prefix}/visualize/")


def test_the_log_names_the_client(proxied: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "convlens.access"):
        proxied.get("/healthz", headers={FOR: "6.6.6.6, 2001:db8::7"})
        records: list[Any] = eventually(  # a request is logged once it has been answered
            lambda: [record for record in caplog.records if record.name == "convlens.access"]
        )
    assert [record.client for record in records] == ["2001:db8::7"]
