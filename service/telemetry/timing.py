"""Timing of the stages of a request."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from service.telemetry import metrics


class Stopwatch:
    """Adds up the time of named stages, in milliseconds, and reports it to the metrics."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the ``with`` block under ``name``."""
        start = perf_counter()
        try:
            yield
        finally:
            seconds = perf_counter() - start
            self.milliseconds[name] = self.milliseconds.get(name, 0.0) + seconds * 1e3
            metrics.STAGE_SECONDS.labels(name).observe(seconds)
