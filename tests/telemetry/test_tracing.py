"""Spans of requests and jobs, in one trace."""

from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.settings import Settings
from service.telemetry import tracing
from tests.conftest import serving
from tests.waiting import eventually


@pytest.fixture(scope="module")
def kept() -> InMemorySpanExporter:
    """What would be sent is kept; a process has one provider."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace._set_tracer_provider(provider, log=False)
    return exporter


@pytest.fixture
def exporter(kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    monkeypatch.setattr(tracing, "start", lambda: None)
    kept.clear()
    return kept


def test_a_job_belongs_to_the_trace_of_its_request(fresh: Settings, exporter: InMemorySpanExporter) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with serving(fresh.model_copy(update={"tracing": True, "worker": True})) as client:
        body: dict[str, Any] = {"class_id": 1, "size": 64, "iterations": 2, "preview_every": 0}
        job = client.post("/visualize", json=body, headers={"traceparent": parent}).json()
        client.get(f"/visualize/{job['id']}?wait=60")
        assert client.get("/healthz").status_code == httpx.codes.OK
        eventually(lambda: {span.name for span in exporter.get_finished_spans()}, lambda names: "job" in names)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert not any("healthz" in name for name in spans)
    for name in ("job", "POST /visualize"):
        assert f"{spans[name].context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert dict(spans["job"].attributes or {}) == {"job.id": job["id"], "job.kind": "class"}


def test_a_span_names_the_client_behind_a_proxy(fresh: Settings, exporter: InMemorySpanExporter) -> None:
    with serving(fresh.model_copy(update={"tracing": True, "trusted_proxies": "127.0.0.1"})) as client:
        client.get("/models", headers={"X-Forwarded-For": "6.6.6.6, 192.0.2.1"})
        spans = eventually(lambda: [s for s in exporter.get_finished_spans() if s.name == "GET /models"])
    (attributes,) = (dict(span.attributes or {}) for span in spans)
    assert attributes.get("client.address", attributes.get("net.peer.ip")) == "192.0.2.1"


def test_without_tracing_there_is_no_context() -> None:
    with tracing.span("anything"):
        pass
