"""OpenTelemetry traces: of requests, and of the jobs that they start.

An extra: without it, or while it is off, nothing happens here.

The trace of a request goes with its job through the queue (W3C Trace Context), so that the spans of a worker belong to
the request.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from service import __version__
from service.errors import InvalidParameter

try:
    from opentelemetry import propagate, trace
except ImportError:
    trace = None  # type: ignore[assignment]


def install(app: Any) -> None:
    """Trace the requests of an application, and send the spans to where OTEL_EXPORTER_OTLP_ENDPOINT says.

    Raises `InvalidParameter` when the extra is not installed.
    """
    start()
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    app.add_middleware(OpenTelemetryMiddleware, excluded_urls="healthz,readyz,metrics")


def start() -> None:
    """Start sending the spans of this process."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise InvalidParameter("tracing needs the extra: pip install 'convlens[otel]'") from error
    provider = TracerProvider(resource=Resource.create({"service.name": "convlens", "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def context() -> str:
    """The `traceparent` of the current span; empty without tracing."""
    carrier: dict[str, str] = {}
    if trace is not None:
        propagate.inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def span(name: str, traceparent: str = "", **attributes: str | int) -> Iterator[None]:
    """The ``with`` block as a span, of the trace of ``traceparent`` if there is one."""
    if trace is None:
        managed: Any = nullcontext()
    else:
        parent = propagate.extract({"traceparent": traceparent}) if traceparent else None
        managed = trace.get_tracer("convlens").start_as_current_span(name, parent, attributes=attributes)
    with managed:
        yield
