"""Benchmarks: tables of ratios, each measured in one run."""

import service  # noqa: F401 - sets the threads of linear algebra, which is read when NumPy is imported
