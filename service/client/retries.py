"""When a request is sent again: what may pass, after which pause, and until when."""

import math
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0  # seconds between tries when the service cannot be reached


class ServiceError(Exception):
    """The service refused; the message is the detail of its problem document.

    status: of the answer. retry_after: seconds after which the same request may be sent again; None if it is not to be.
    """

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after


class Patience:
    """How long to go on: so many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._pauses = _pauses()

    @property
    def left(self) -> float:
        """Seconds that are left, 0 when the time is over."""
        return max(0.0, self._deadline - time.monotonic())

    def renew(self) -> None:
        """Begin with short pauses again."""
        self._pauses = _pauses()

    def after_refusal(self, error: ServiceError) -> float:
        """The pause that the service asks for. Raises the error if it asks for none, or for more than is left."""
        if error.retry_after is None or error.retry_after > self.left:
            raise error
        return error.retry_after

    def after_failure(self, error: httpx.TransportError | ServiceError) -> float:
        """A pause, longer each time and no shorter than asked for. Raises the error if waiting does not help."""
        asked = 0.0
        if isinstance(error, ServiceError):
            if error.status != 429 and error.status < 500:
                raise error
            asked = error.retry_after or 0.0
        return min(max(next(self._pauses), asked), self.left)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds after which a request that was refused for now may be sent again; None if it was not."""
    said = response.headers.get("retry-after")
    if said is None or response.status_code not in (429, 503):
        return None
    try:
        seconds = _seconds(said)
    except ValueError:
        return None
    return max(seconds, FIRST_PAUSE) if math.isfinite(seconds) else None


def _seconds(said: str) -> float:
    """Seconds from now, of a number or of a date. Raises `ValueError`."""
    try:
        return float(said)
    except ValueError:
        return parsedate_to_datetime(said).timestamp() - time.time()


def _pauses() -> Iterator[float]:
    """Pauses between tries, each longer than the last."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)
