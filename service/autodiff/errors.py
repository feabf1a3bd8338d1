"""What this package raises."""


class NotDifferentiable(Exception):
    """A graph cannot be differentiated; the message names the nodes or values that are the reason."""


class Independent(NotDifferentiable):
    """What is to be differentiated does not depend on that with respect to which it is."""
