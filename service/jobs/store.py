"""The store of artifacts: results, previews and checkpoints, in a folder or in an S3-compatible store."""

import asyncio
import io
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, from_url

from service.errors import NotFound, QueueError
from service.jobs.folders import writable

PIECE_BYTES = 5 * 2**20  # that are sent to the store at a time


class StoredFile(io.RawIOBase):
    """An artifact as a file to be read from anywhere, from a thread."""

    def __init__(self, file: "obstore.ReadableFile") -> None:
        self._file = file

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, or all that are left. Raises `QueueError` when the store cannot be read."""
        try:
            return bytes(self._file.read(None if size is None or size < 0 else size))
        except BaseError as error:
            raise QueueError(f"the store cannot be read: {str(error)[:300]}") from error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._file.tell()

    def seekable(self) -> bool:
        """That is what it is for."""
        return True


class ArtifactStore:
    """Bytes by name. A name is ``<job id>/<artifact>``."""

    def __init__(self, store: obstore.store.ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, url: str | None, data_dir: Path) -> "ArtifactStore":
        """The store at ``url`` (s3://bucket/prefix, file:///folder), or the artifacts folder of the data folder."""
        if url is None:
            return cls(LocalStore(writable(data_dir.resolve() / "artifacts")))
        return cls.at(url, "CONVLENS_STORE_URL", mkdir=True)

    @classmethod
    def at(cls, url: str, setting: str, mkdir: bool) -> "ArtifactStore":
        """The store at ``url``. setting: that names it. mkdir: whether a folder that is missing is made."""
        try:
            is_folder = url.startswith("file://")
            return cls(LocalStore(url.removeprefix("file://"), mkdir=mkdir) if is_folder else from_url(url))
        except (BaseError, ValueError, OSError) as error:
            raise QueueError(f"the store {setting} {url} cannot be opened: {error}") from error

    async def put(self, name: str, data: bytes) -> None:
        """Write an artifact as a whole. Raises `QueueError` when the store does not take it: it is away, or full."""
        try:
            await obstore.put_async(self._store, name, data)
        except (BaseError, OSError) as error:
            raise QueueError(f"the store cannot be written to: {str(error)[:300]}") from error

    async def get(self, name: str) -> bytes:
        """Read an artifact. Raises `NotFound`, or `QueueError` when the store cannot be read."""
        try:
            return bytes(await (await obstore.get_async(self._store, name)).bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"there is no {name.partition('/')[2]} of this job") from error
        except (BaseError, OSError) as error:
            raise QueueError(f"the store cannot be read: {str(error)[:300]}") from error

    async def find(self, name: str) -> bytes | None:
        """Read an artifact, None if there is none."""
        try:
            return await self.get(name)
        except NotFound:
            return None

    async def write(self, name: str, pieces: AsyncIterator[bytes]) -> int:
        """Write an artifact as it arrives; its size in bytes. What has arrived when that fails is not kept."""
        size = 0
        try:
            writer = obstore.open_writer_async(self._store, name, buffer_size=PIECE_BYTES)
            async for piece in pieces:
                size += len(piece)
                await writer.write(piece)
            await writer.close()
        except (BaseError, OSError) as error:
            raise QueueError(f"the store cannot be written to: {str(error)[:300]}") from error
        return size

    def put_now(self, name: str, data: bytes) -> None:
        """`put`, from a thread."""
        try:
            obstore.put(self._store, name, data)
        except (BaseError, OSError) as error:
            raise QueueError(f"the store cannot be written to: {str(error)[:300]}") from error

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """Bytes of an artifact, from a thread; fewer where it ends before. Raises `NotFound` or `QueueError`."""
        try:
            if end is None:
                return bytes(obstore.get(self._store, name).bytes())
            return self._range(name, start, end) if end > start else b""
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"there is no {name}") from error
        except (BaseError, OSError) as error:
            raise QueueError(f"the store cannot be read: {str(error)[:300]}") from error

    def _range(self, name: str, start: int, end: int) -> bytes:
        try:
            return bytes(obstore.get_range(self._store, name, start=start, end=end))
        except (NotFoundError, FileNotFoundError):
            raise
        except BaseError:
            if start < obstore.head(self._store, name)["size"]:
                raise
            return b""  # stores refuse what begins behind the end

    def open_file(self, name: str) -> StoredFile:
        """An artifact as a file. Raises `NotFound` or `QueueError`."""
        try:
            return StoredFile(obstore.open_reader(self._store, name))
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"there is no {name}") from error
        except (BaseError, OSError) as error:
            raise QueueError(f"the store cannot be read: {str(error)[:300]}") from error

    async def delete_all(self, job_id: str) -> None:
        """Delete all artifacts of a job; somebody else may be at it too."""
        try:
            names = await asyncio.to_thread(
                lambda: [meta["path"] for page in obstore.list(self._store, f"{job_id}/") for meta in page]
            )
        except (BaseError, OSError) as error:
            raise QueueError(f"the store cannot be read: {str(error)[:300]}") from error
        for name in names:
            await self.delete(name)
        if isinstance(self._store, LocalStore):  # what is left are folders, and what was being written to a killed end
            await asyncio.to_thread(shutil.rmtree, f"{self._store.prefix}/{job_id}", ignore_errors=True)

    async def delete(self, name: str) -> None:
        """Delete an artifact, if it is there."""
        try:
            await obstore.delete_async(self._store, name)
        except (NotFoundError, FileNotFoundError):
            return


def image_name(job_id: str) -> str:
    """Where the finished picture is."""
    return f"{job_id}/image.png"


def input_name(job_id: str, name: str) -> str:
    """Where a picture is that was sent with the job."""
    return f"{job_id}/inputs/{name}.png"


def artifact_name(job_id: str, name: str) -> str:
    """Where something is that the job made beside its picture."""
    return f"{job_id}/artifacts/{name}"


def frame_name(job_id: str, step: int) -> str:
    """Where the preview after a step is."""
    return f"{job_id}/frames/{step:05}.png"


def checkpoint_name(job_id: str) -> str:
    """Where the last checkpoint is."""
    return f"{job_id}/checkpoint.npz"
