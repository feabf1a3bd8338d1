"""Rewriting whole graphs: the same function, cheaper to differentiate and to run."""
