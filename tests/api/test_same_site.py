"""Requests from other sites and under foreign names."""

from collections.abc import Iterator

import httpx
import pytest

from service.settings import Settings
from tests.conftest import serving

BODY = {"class_id": 1, "size": 64}


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings.model_copy(update={"cors_origins": "https://friend.example"})) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/visualize"), ("POST", "/session"), ("POST", "/models/reload")])
def test_other_sites_cannot_change_anything(api: httpx.Client, headers: dict[str, str], method: str, path: str) -> None:
    refused = api.request(method, path, json=BODY, headers=headers)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert "CONVLENS_CORS_ORIGINS" in refused.json()["detail"]
    assert refused.headers["x-request-id"]


def test_programs_the_page_itself_and_friends_may(api: httpx.Client) -> None:
    own = str(api.base_url).rstrip("/")
    for headers in (
        {},
        {"Origin": own},
        {"Origin": own, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://friend.example", "Sec-Fetch-Site": "cross-site"},
    ):
        assert api.post("/visualize", json=BODY, headers=headers).status_code == 202
    assert api.get("/models", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200  # changes nothing


def test_a_service_for_this_machine_has_the_names_of_this_machine_only(api: httpx.Client) -> None:
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000"):
        assert api.get("/healthz", headers={"Host": host}).status_code == 200
    refused = api.get("/healthz", headers={"Host": "evil.example"})
    assert refused.status_code == 421
    assert "CONVLENS_ALLOWED_HOSTS" in refused.json()["detail"]


def test_names_can_be_set(fresh: Settings) -> None:
    with serving(fresh.model_copy(update={"allowed_hosts": "lens.example, other.example"})) as api:
        assert api.get("/healthz", headers={"Host": "lens.example:8443"}).status_code == 200
        assert api.get("/healthz", headers={"Host": "evil.example"}).status_code == 421
        assert api.get("/models").status_code == 421  # by its address
    with serving(fresh.model_copy(update={"host": "0.0.0.0"})) as api:
        assert api.get("/healthz", headers={"Host": "anything.example"}).status_code == 200


def test_health_checks_may_come_by_address(fresh: Settings) -> None:
    with serving(fresh.model_copy(update={"allowed_hosts": "lens.example"})) as api:
        for host in ("127.0.0.1:8000", "10.1.2.3:8000", "[::1]:8000", "[fe80::1]"):
            assert api.get("/healthz", headers={"Host": host}).status_code == 200
            assert api.get("/readyz", headers={"Host": host}).status_code in (200, 503)
            assert api.get("/methods", headers={"Host": host}).status_code == 421
