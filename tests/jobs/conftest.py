"""A Valkey for the tests of a module, and a client for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from service.jobs.queue import connect
from service.jobs.valkey import EmbeddedValkey


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    yield valkey
    valkey.stop()


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator[Redis]:
    """Of an empty Valkey."""
    async with connect(valkey.url, decode=True) as redis:
        await redis.flushall()
        yield redis
