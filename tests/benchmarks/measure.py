"""Measuring side by side."""

import time
from collections.abc import Callable, Mapping
from statistics import median


def interleaved(functions: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 3) -> dict[str, float]:
    """Median duration of each in milliseconds; they take turns, so that a slow moment hits all."""
    durations: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + warm_up):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn >= warm_up:
                durations[name].append((time.perf_counter() - start) * 1e3)
    return {name: median(times) for name, times in durations.items()}


def table(title: str, columns: list[str], rows: list[list[object]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(f'{cell:.2f}' if isinstance(cell, float) else str(cell) for cell in row)} |")
