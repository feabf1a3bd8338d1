"""What this package raises."""


class NotDifferentiable(Exception):
    """A graph cannot be differentiated; the message names the nodes or values that are the reason."""
