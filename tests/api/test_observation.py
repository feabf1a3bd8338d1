"""Metrics, ids of requests, logs and headers."""

import json
import logging
import logging.config
import re

import httpx
import pytest

from service.api.observation import REQUEST_ID
from service.settings import Settings
from service.telemetry.logs import configuration
from tests.conftest import Server, serving


def value(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_requests_stages_and_runs_are_counted(client: httpx.Client, cat: bytes) -> None:
    series = [
        'convlens_requests_total{method="POST",route="/saliency",status="200"}',
        'convlens_requests_total{method="POST",route="/saliency",status="422"}',
        'convlens_request_seconds_count{method="POST",route="/saliency"}',
        'convlens_stage_seconds_count{stage="run"}',
        'convlens_runs_total{kind="interactive"}',
    ]
    before = client.get("/metrics").text
    client.post("/saliency", files={"image": cat})
    client.post("/saliency?class_id=9999", files={"image": cat})
    after = client.get("/metrics").text
    grown = [value(after, one) - value(before, one) for one in series]
    assert grown[:4] == [1, 1, 2, 1]
    assert grown[4] >= 1
    assert value(after, 'convlens_model_served{model="squeezenet1_1"}') == 1
    assert value(after, 'convlens_jobs{state="queued"}') == 0
    assert 'convlens_engine_info{provider="cpu"} 1' in after
    assert "process_resident_memory_bytes" in after


def test_paths_of_jobs_are_one_series(client: httpx.Client) -> None:
    for id_ in ("a", "b"):
        client.get(f"/visualize/{id_}")
    assert "/visualize/{id}" in client.get("/metrics").text
    assert "/visualize/a" not in client.get("/metrics").text


def test_routes_are_told_under_a_prefix_and_for_head_too(fresh: Settings) -> None:
    with serving(fresh.model_copy(update={"root_path": "/lens"})) as client:
        before = client.get("/lens/metrics").text  # the counters are those of the process
        client.head("/lens/models")
        after = client.get("/lens/metrics").text
    series = 'convlens_requests_total{method="HEAD",route="/models",status="200"}'
    assert value(after, series) - value(before, series) == 1


def test_ids_of_requests(client: httpx.Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"
    made = [
        client.get("/healthz", headers={"X-Request-ID": sent}).headers["x-request-id"] for sent in ("", "x" * 65, "a b")
    ]
    assert all(re.fullmatch("[0-9a-f]{16}", id_) for id_ in made)


def test_headers_that_browsers_want(client: httpx.Client) -> None:
    for path in ("/healthz", "/nowhere"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_json_lines_have_the_id_of_the_request(capfd: pytest.CaptureFixture[str]) -> None:
    logging.config.dictConfig(configuration("json"))
    token = REQUEST_ID.set("r-1")
    try:
        logging.getLogger("convlens.access").info("done", extra={"status": 200})
        line = json.loads(capfd.readouterr().err.splitlines()[-1])
        assert (line["message"], line["request_id"], line["status"], line["level"]) == ("done", "r-1", 200, "INFO")
    finally:
        REQUEST_ID.reset(token)
        logging.getLogger().handlers.clear()


def test_a_server_logs_json(tmp_path_factory: pytest.TempPathFactory, models_dir: object) -> None:
    folder = tmp_path_factory.mktemp("logs")
    server = Server("--models-dir", str(models_dir), "--data-dir", str(folder), "--no-worker", "--log-format", "json")
    server.client.get("/healthz", headers={"X-Request-ID": "from-outside"})
    assert server.client.get("/metrics").status_code == 200
    server.stop()
