"""Counters and histograms for Prometheus, with names and units as its guide recommends."""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info, generate_latest

MILLISECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter("convlens_requests_total", "Requests, by route and status.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "convlens_request_seconds", "Time to the end of the answer.", ["method", "route"], buckets=MILLISECONDS
)
STAGE_SECONDS = Histogram(
    "convlens_stage_seconds", "Time of a stage of a request or job.", ["stage"], buckets=MILLISECONDS
)
RUNS = Counter("convlens_runs_total", "Runs of a network.", ["kind"])
RUN_SECONDS = Histogram("convlens_run_seconds", "Time of a run of a network.", buckets=MILLISECONDS)
WAIT_SECONDS = Histogram(
    "convlens_run_wait_seconds", "Time for which a run waited for a lane.", ["kind"], buckets=MILLISECONDS
)
BATCH_SIZE = Histogram("convlens_batch_size", "Images that shared a run.", buckets=(1, 2, 4, 8, 16, 32, 64, 128))
WAITING = Gauge("convlens_waiting_runs", "Runs that wait for a lane.", ["kind"])
JOBS = Gauge("convlens_jobs", "Jobs, by state.", ["state"])
SERVED = Gauge("convlens_model_served", "Whether a model is served.", ["model"])
UNCOUNTED = Counter("convlens_uncounted_requests_total", "Requests let through since the queue did not count them.")
ENGINE = Info("convlens_engine", "What networks run on.")


def exposition() -> bytes:
    """All of it in the text format of Prometheus."""
    return generate_latest(REGISTRY)
