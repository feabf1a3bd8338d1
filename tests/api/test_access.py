"""API keys, rate limits, jobs that only their owner sees, and pages from other origins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.keys import Keys, digest, new_key
from service.cli.main import main
from service.client import Client
from service.errors import InvalidParameter, Unauthorized
from service.settings import Settings
from tests.conftest import serving

ALICE, BOB, NEW, ROOT = "cl_alice", "cl_bob", "cl_alice_new", "cl_root"
SMALL: dict[str, Any] = {"size": 64, "iterations": 3, "preview_every": 1, "seed": 1}


def as_(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"# people\nalice {digest(ALICE)}\nbob {digest(BOB)}\nbob {digest(ROOT)} admin\n")
    return file


@pytest.fixture(scope="module")
def api(settings: Settings, keys_file: Path) -> Iterator[httpx.Client]:
    changes = {
        "api_keys_file": keys_file,
        "worker": True,
        "cors_origins": "https://lab.example",
        "rate_limit": "500/minute",
    }
    with serving(settings.model_copy(update=changes)) as client:
        yield client


@pytest.fixture(scope="module")
def private(settings: Settings, keys_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("private")
    with serving(
        settings.model_copy(update={"api_keys_file": keys_file, "public_docs": False, "data_dir": folder})
    ) as client:
        yield client


def test_without_a_key_nothing_but_health_and_the_page(api: httpx.Client, cat: bytes) -> None:
    for response in (
        api.post("/saliency", files={"image": cat}),
        api.get("/visualize"),
        api.get("/metrics"),
        api.get("/models"),
        api.get("/v1/models"),
        api.get("/v2/models/squeezenet1_1"),
        api.post("/v2/models/squeezenet1_1/versions/1/infer", json={}),
        api.post("/v1/models/squeezenet1_1:explain", json={}),
    ):
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer KEY" in response.text
    assert api.get("/models", headers=as_("cl_wrong")).status_code == 401
    for path in ("/healthz", "/v2/health/live", "/", "/static/app.js", "/openapi.json"):
        assert api.get(path).status_code == 200


def test_with_a_key(api: httpx.Client, cat: bytes) -> None:
    assert api.post("/saliency", files={"image": cat}, headers=as_(ALICE)).status_code == 200


def test_models_are_reloaded_by_keys_with_the_role_for_it(api: httpx.Client) -> None:
    refused = api.post("/models/reload", headers=as_(BOB))
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert "convlens key NAME --admin" in refused.json()["detail"]
    assert api.post("/models/reload").status_code == 401
    assert api.post("/models/reload", headers=as_(ROOT)).status_code == 200  # the role is of the key, not of bob
    assert api.get("/models", headers=as_(BOB)).status_code == 200


def test_without_keys_everybody_may_reload(fresh: Settings) -> None:
    with serving(fresh) as open_to_all:
        assert open_to_all.post("/models/reload").status_code == 200


def test_what_keys_may_not_do_is_in_the_document(api: httpx.Client) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    assert {"401", "403", "429"} <= paths["/models/reload"]["post"]["responses"].keys()
    assert {"401", "429"} <= paths["/session"]["post"]["responses"].keys()


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_the_pages_of_the_api_can_be_for_keys_only(private: httpx.Client, api: httpx.Client, path: str) -> None:
    refused = private.get(path)
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    shown, public = private.get(path, headers=as_(ALICE)), api.get(path)
    assert (shown.status_code, public.status_code) == (200, 200)
    assert shown.content == public.content
    assert private.get("/static-offline-docs/swagger-ui.css").status_code == 200


def test_jobs_are_seen_by_the_key_that_made_them(api: httpx.Client) -> None:
    job = api.post("/visualize", json={"class_id": 76, **SMALL}, headers=as_(ALICE)).json()
    batch = api.post("/visualize", json={"class_id": [1, 2], **SMALL}, headers=as_(ALICE)).json()
    links = job["links"]
    for path in (links["self"], links["image"], links["events"], links["animation"], f"{links['self']}/frames/0"):
        assert api.get(path, headers=as_(BOB)).status_code == 404
    assert api.post(links["cancel"], headers=as_(BOB)).status_code == 404
    assert api.delete(links["self"], headers=as_(BOB)).status_code == 404
    assert api.get(f"/visualize/batches/{batch['id']}", headers=as_(BOB)).status_code == 404
    assert api.get("/visualize", headers=as_(BOB)).json()["data"] == []
    assert {j["id"] for j in api.get("/visualize", headers=as_(ALICE)).json()["data"]} == {
        job["id"],
        *(j["id"] for j in batch["data"]),
    }
    assert api.get(f"{links['self']}?wait=60", headers=as_(ALICE)).json()["state"] == "succeeded"


def test_idempotency_keys_are_ones_own(api: httpx.Client) -> None:
    bodies = [({"class_id": 1, **SMALL}, ALICE), ({"class_id": 2, **SMALL}, BOB)]
    made = [api.post("/visualize", json=body, headers={**as_(key), "Idempotency-Key": "k"}) for body, key in bodies]
    assert [response.status_code for response in made] == [202, 202]
    assert made[0].json()["id"] != made[1].json()["id"]


def test_the_page_keeps_a_key_in_a_cookie(api: httpx.Client) -> None:
    assert api.post("/session", data={"key": "cl_wrong"}).status_code == 401
    response = api.post("/session", data={"key": BOB})
    assert response.status_code == 204
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    api.cookies.clear()
    assert api.get("/visualize", headers={"Cookie": cookie.split(";")[0]}).status_code == 200


def test_keys_are_changed_without_a_restart(api: httpx.Client, keys_file: Path) -> None:
    before = keys_file.read_text()
    keys_file.write_text(before + f"alice {digest(NEW)}\n")
    alice, new = ([job["id"] for job in api.get("/visualize", headers=as_(key)).json()["data"]] for key in (ALICE, NEW))
    assert alice
    assert alice == new  # both stand for alice while one replaces the other
    keys_file.write_text("\n".join(line for line in keys_file.read_text().splitlines() if digest(ALICE) not in line))
    assert [api.get("/models", headers=as_(key)).status_code for key in (ALICE, NEW, BOB)] == [401, 200, 200]
    keys_file.write_text(before)


def test_other_origins(api: httpx.Client) -> None:
    asked = {
        "Origin": "https://lab.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    assert api.options("/saliency", headers=asked).headers["access-control-allow-origin"] == "https://lab.example"
    assert (
        "access-control-allow-origin"
        not in api.options("/saliency", headers={**asked, "Origin": "https://else.example"}).headers
    )


def test_a_rate_limit_by_address(fresh: Settings) -> None:
    with serving(fresh.model_copy(update={"rate_limit": "3/minute"})) as client:
        answers = [client.get("/models") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60
        assert "the limit is 3 per 1 minute" in answers[-1].json()["detail"]
        assert client.get("/healthz").status_code == 200


def test_the_client_shows_its_key(api: httpx.Client) -> None:
    with Client("http://nowhere", api_key=ALICE) as client:
        assert client._http.headers["authorization"] == f"Bearer {ALICE}"


def test_files_of_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidParameter, match="cannot be read"):
        Keys(tmp_path / "none")
    (tmp_path / "wrong").write_text("alice secret\n")
    with pytest.raises(InvalidParameter, match="lines 'name sha256'"):
        Keys(tmp_path / "wrong")
    assert main(["key", "carol"]) == 0
    told = capsys.readouterr().out.splitlines()
    key = told[0].rpartition(" ")[2]
    (tmp_path / "made").write_text(told[-1])
    keys = Keys(tmp_path / "made")
    assert keys.owner(key) == "carol"
    assert not keys.is_admin(key)
    for wrong in (None, "", key + "x", new_key()):
        with pytest.raises(Unauthorized):
            keys.owner(wrong)
    assert Keys(None).owner(None) is None
    assert Keys(None).is_admin(None)


def test_roles_of_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "dora", "--admin"]) == 0
    told = capsys.readouterr().out.splitlines()
    key, plain = told[0].rpartition(" ")[2], new_key()
    file = tmp_path / "keys"
    file.write_text(f"{told[-1]}\ndora {digest(plain)}\n")
    keys = Keys(file)
    assert [keys.owner(one) for one in (key, plain)] == ["dora", "dora"]
    assert [keys.is_admin(one) for one in (key, plain, new_key(), None)] == [True, False, False, False]
    file.write_text(f"dora {digest(key)} owner\n")
    assert keys.is_admin(key)  # a role that there is not: the keys of before hold
    file.write_text(f"dora {digest(key)}\n")
    assert keys.owner(key) == "dora"
    assert not keys.is_admin(key)


def test_keys_are_not_logged(api: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        api.get("/models", headers=as_(ALICE))
        api.get("/models", headers=as_("cl_guess"))
    assert "cl_" not in caplog.text


def test_a_wrong_line_leaves_the_keys_of_before_in_force_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, key = tmp_path / "keys", new_key()
    file.write_text(f"# ours\nalice {digest(key)}\n")
    keys = Keys(file)
    for wrong in ("bob \u00e9" + "0" * 63, "bob", "bob " + "0" * 63, "bob x " + "0" * 64):
        file.write_text(f"carol {digest(new_key())}\n{wrong}\n", "utf-8")
        assert keys.owner(key) == "alice"
        assert "others are 2; " in caplog.text
        caplog.clear()
    file.write_bytes(b"alice \xff\xfe\n")
    assert keys.owner(key) == "alice"
