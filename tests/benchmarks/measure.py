"""Measuring several functions side by side."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from threading import Thread

PAUSE = 0.05  # seconds after which the threads of the previous function have stopped spinning


def interleaved(functions: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> dict[str, float]:
    """The median duration of each function in milliseconds.

    The functions take turns, so that a slow moment affects all of them. Before each measured call there is a pause and
    a call that is not measured: the threads of PyTorch and ONNX Runtime spin for a while after their work and would
    compete with the next function for the cores.
    """
    durations: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + warm_up):
        for name, function in functions.items():
            time.sleep(PAUSE)
            function()
            start = time.perf_counter()
            function()
            if turn >= warm_up:
                durations[name].append((time.perf_counter() - start) * 1e3)
    return {name: median(times) for name, times in durations.items()}


def rate(function: Callable[[], object], callers: int, calls: int) -> float:
    """Calls per second of ``callers`` threads together."""

    def work() -> None:
        for _ in range(calls // callers):
            function()

    threads = [Thread(target=work) for _ in range(callers)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return calls // callers * callers / (time.perf_counter() - start)


def table(title: str, columns: list[str], rows: list[list[object]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(f'{cell:.2f}' if isinstance(cell, float) else str(cell) for cell in row)} |")
