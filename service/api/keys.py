"""API keys and rate limits."""

import hashlib
import hmac
import logging
import re
import secrets
import time
from pathlib import Path

from limits import RateLimitItem, parse_many
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from service.errors import InvalidParameter, TooManyRequests, Unauthorized
from service.jobs.counters import Counters

logger = logging.getLogger(__name__)

_LINE = re.compile(r"#.*|(?P<name>\S+)\s+(?P<digest>[0-9A-Fa-f]{64})(?P<admin>\s+admin)?")
ADVICE = "send an API key as 'Authorization: Bearer KEY'"


def new_key() -> str:
    """A key of 256 random bits."""
    return f"cl_{secrets.token_urlsafe(32)}"


def digest(key: str) -> str:
    """What is stored of a key: enough random bits need no salt."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """The keys of a file with a line ``name sha256``, or ``name sha256 admin``, for each.

    Several may have the same name while one replaces the other; the role is of the key, not of the name. The file is
    read again when it changes. Without a file everybody may ask.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._digests: list[tuple[str, str]] = []
        self._admins: frozenset[str] = frozenset()
        if file is not None:
            self._refresh(file)

    def owner(self, presented: str | None) -> str | None:
        """The name that the key stands for, None if keys are off. Raises `Unauthorized`."""
        if self._file is None:
            return None
        if not presented:
            raise Unauthorized(f"this service asks for a key; {ADVICE}")
        self._refresh(self._file)
        wanted, found = digest(presented), None
        for name, known in self._digests:  # all of them, so that the time tells nothing
            if hmac.compare_digest(known, wanted):
                found = name
        if found is None:
            raise Unauthorized(f"the key is not known; {ADVICE}")
        return found

    def is_admin(self, presented: str | None) -> bool:
        """Whether a known key may change the service itself. If keys are off, everybody may."""
        return self._file is None or (presented is not None and digest(presented) in self._admins)

    def holds(self, owner: str | None) -> bool:
        """Whether there still is a key of that name; always if keys are off."""
        if self._file is None:
            return True
        self._refresh(self._file)
        return any(name == owner for name, _ in self._digests)

    def _refresh(self, file: Path) -> None:
        try:
            stat = file.stat()
            if (stamp := (stat.st_mtime_ns, stat.st_size)) == self._stamp:
                return
            lines = file.read_text("utf-8", errors="replace").splitlines()
        except OSError as error:
            if self._stamp is None:
                raise InvalidParameter(f"the file of API keys {file} cannot be read: {error.strerror}") from error
            return  # it is just being replaced: the keys of before still hold
        wrong = [number for number, line in enumerate(lines, 1) if line.strip() and not _LINE.fullmatch(line.strip())]
        reason = (
            f"the file of API keys {file} must have lines 'name sha256' or 'name sha256 admin'; others are "
            f"{', '.join(map(str, wrong[:10]))}; 'convlens key NAME' makes one"
        )
        if wrong and self._stamp is None:
            raise InvalidParameter(reason)
        self._stamp = stamp
        if wrong:
            logger.error("%s. The keys of before still hold.", reason)
            return
        found = [match for line in lines if (match := _LINE.fullmatch(line.strip())) and match["name"]]
        self._digests = [(match["name"], match["digest"].lower()) for match in found]
        self._admins = frozenset(match["digest"].lower() for match in found if match["admin"])


class Limiter:
    """Rate limits by caller. limits: like ``120/minute;5000/day``; none if empty or None."""

    def __init__(self, limits: str | None, counters: Counters) -> None:
        try:
            self._limits: list[RateLimitItem] = parse_many(limits) if limits else []
        except ValueError as error:
            raise InvalidParameter(f"rate limits are written like '120/minute;5000/day', not {limits!r}") from error
        self._counters = counters
        self._strategy = SlidingWindowCounterRateLimiter(counters.storage("rate"))

    async def count(self, caller: str, cost: int = 1) -> None:
        """Count a request, or so many jobs. Raises `TooManyRequests`; while the Valkey is away nothing is counted."""
        if self._limits:
            await self._counters.attempt(lambda: self._count(caller, cost))

    async def _count(self, caller: str, cost: int) -> None:
        for limit in self._limits:
            if not await self._strategy.hit(limit, caller, cost=cost):
                reset = (await self._strategy.get_window_stats(limit, caller)).reset_time
                seconds = max(1, round(reset - time.time()))
                raise TooManyRequests(f"the limit is {limit}; try again in {seconds} seconds", retry_after=seconds)
