"""The store of artifacts."""

import asyncio
from pathlib import Path

import pytest

from service.errors import QueueError
from service.jobs.store import ArtifactStore, frame_name

pytestmark = pytest.mark.anyio


async def test_two_may_delete_the_same_job_at_once(tmp_path: Path) -> None:
    store = ArtifactStore.open(None, tmp_path)
    for _ in range(5):
        for k in range(50):
            await store.put(frame_name("job", k), b"x")
        await asyncio.gather(*[store.delete_all("job") for _ in range(4)])
        assert await store.find(frame_name("job", 7)) is None


async def test_a_store_that_takes_nothing_says_so(tmp_path: Path) -> None:
    store = ArtifactStore.open(None, tmp_path)
    (tmp_path / "artifacts").rmdir()
    (tmp_path / "artifacts").write_text("a file where the folder was")
    with pytest.raises(QueueError, match="cannot be written to"):
        await store.put(frame_name("job", 1), b"x")
