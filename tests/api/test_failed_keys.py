"""Keys that are wrong or missing are counted by address; nobody is locked out by others."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.api.keys import digest
from service.jobs.valkey import EmbeddedValkey
from service.settings import Settings
from service.telemetry import metrics
from tests.conftest import counting_all, serving
from tests.waiting import eventually, frozen

KEY = "cl_carol"
LIMIT = 3


def as_(key: str | None, address: str) -> dict[str, str]:
    shown = {} if key is None else {"Authorization": f"Bearer {key}"}
    return {"X-Forwarded-For": address, **shown}


@pytest.fixture
def guarded(fresh: Settings, tmp_path: Path) -> Settings:
    """The settings of a service behind a proxy, with one key."""
    file = tmp_path / "keys"
    file.write_text(f"carol {digest(KEY)}\n")
    changes = {"api_keys_file": file, "failed_keys_limit": f"{LIMIT}/hour", "trusted_proxies": "127.0.0.1"}
    return fresh.model_copy(update=changes)


@pytest.fixture
def api(guarded: Settings) -> Iterator[httpx.Client]:
    with counting_all(guarded) as client:
        yield client


def test_wrong_and_missing_keys_are_limited_by_address(api: httpx.Client) -> None:
    shown = ["cl_wrong", None, "cl_wrong", "cl_wrong", None]
    answers = [api.get("/models", headers=as_(key, "192.0.2.1")) for key in shown]
    assert [answer.status_code for answer in answers] == [401] * LIMIT + [429, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600
    assert answers[-1].headers["www-authenticate"] == "Bearer"  # a key would help
    assert "without a known key" in answers[-1].json()["detail"]
    assert api.get("/models", headers=as_("cl_wrong", "192.0.2.2")).status_code == 401
    assert api.get("/healthz", headers=as_(None, "192.0.2.1")).status_code == 200


def test_a_known_key_is_not_locked_out_by_others_of_its_address(api: httpx.Client) -> None:
    for _ in range(LIMIT + 1):
        api.get("/models", headers=as_("cl_wrong", "192.0.2.1"))
    assert api.get("/models", headers=as_(KEY, "192.0.2.1")).status_code == 200
    assert api.post("/session", data={"key": KEY}, headers=as_(None, "192.0.2.1")).status_code == 204


def test_keys_of_the_page_count_too(api: httpx.Client) -> None:
    def enter() -> httpx.Response:
        return api.post("/session", data={"key": "cl_wrong"}, headers=as_(None, "2001:db8::1"))

    assert [enter().status_code for _ in range(LIMIT + 1)] == [401] * LIMIT + [429]
    assert int(enter().headers["retry-after"]) > 0
    assert api.get("/models", headers=as_("cl_wrong", "2001:db8::2")).status_code == 429  # the same network


def test_known_keys_do_not_count(api: httpx.Client) -> None:
    for _ in range(LIMIT + 1):
        assert api.get("/models", headers=as_(KEY, "192.0.2.1")).status_code == 200
    assert api.get("/models", headers=as_("cl_wrong", "192.0.2.1")).status_code == 401


def test_without_a_limit_nothing_is_counted(guarded: Settings) -> None:
    with counting_all(guarded.model_copy(update={"failed_keys_limit": ""})) as api:
        answers = [api.get("/models", headers=as_("cl_wrong", "192.0.2.1")) for _ in range(LIMIT + 1)]
    assert {answer.status_code for answer in answers} == {401}


def test_while_the_valkey_hangs_wrong_keys_are_refused_all_the_same(guarded: Settings) -> None:
    with serving(guarded) as api:

        def refused() -> int:
            return api.get("/models", headers=as_("cl_wrong", "192.0.2.1")).status_code

        eventually(refused, lambda status: status == 429)
        before = metrics.UNCOUNTED._value.get()
        with frozen(EmbeddedValkey(guarded.data_dir)):
            assert refused() == 401
            assert api.get("/models", headers=as_(KEY, "192.0.2.1")).status_code == 200
        assert metrics.UNCOUNTED._value.get() > before
        eventually(refused, lambda status: status == 429)
