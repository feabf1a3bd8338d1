"""What operators see: logs, metrics, timings and traces."""
