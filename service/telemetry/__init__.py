"""Observability: logs, metrics, timings and traces."""
