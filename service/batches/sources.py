"""Where pictures of a batch may be beside its own store: prefixes of stores that the settings list, and no others."""

from functools import lru_cache

from service.errors import InvalidParameter
from service.jobs.store import ArtifactStore


class Sources:
    """The stores that may be read. listed: their addresses (``s3://bucket/prefix``, ``file:///folder``), with commas.

    No other address is ever opened, whatever a request or a record says.
    """

    def __init__(self, listed: str) -> None:
        self.addresses = [address.strip().rstrip("/") for address in listed.split(",") if address.strip()]

    def open(self, address: str) -> ArtifactStore:
        """The store at an address. Raises `InvalidParameter` if it is not listed, or `QueueError`."""
        if address.rstrip("/") not in self.addresses:
            known = ", ".join(self.addresses) or "none: the service has no CONVLENS_BATCH_SOURCES"
            raise InvalidParameter(f"pictures cannot be read from {address!r}; sources are: {known}")
        return _opened(address.rstrip("/"))


@lru_cache(maxsize=64)
def _opened(address: str) -> ArtifactStore:
    return ArtifactStore.at(address, "CONVLENS_BATCH_SOURCES", mkdir=False)
