"""What is in a zip or a tar: a list, member by member, without unpacking anything."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from typing import IO, Literal, cast

from service.batches.entries import Entry, check_name, is_ignored, plain, unsupported
from service.errors import BrokenBody, ConvlensError, InvalidParameter, TooLarge

MOST_AT_ONCE = 32 * 2**20  # bytes of a directory or of a header that are read in one piece
METHODS: dict[int, Literal["stored", "deflated"]] = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_ENCRYPTED = 0x1 | 0x40

Found = tuple[str, Entry | ConvlensError]  # a name, and where its bytes are or why it cannot be read


class _Bounded:
    """A file of which nobody reads very much at once, whatever a header claims."""

    def __init__(self, file: io.RawIOBase, size: int) -> None:
        self._file = file
        self._size = size
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = self._size - self._file.tell()
        if size > MOST_AT_ONCE:
            raise TooLarge(f"a directory of more than {MOST_AT_ONCE:,} bytes is not read; send several archives")
        return self._file.read(size) or b""


def members(file: io.RawIOBase, name: str, size: int) -> Iterator[Found]:
    """The members of a zip or tar that are no folders, in their order.

    Args:
        file: The archive, to be read from anywhere.
        name: Of the object that it is.
        size: Its bytes.

    Raises:
        BrokenBody, TooLarge, InvalidParameter: The archive as a whole cannot be read.
    """
    bounded = cast(IO[bytes], _Bounded(file, size))
    start = bounded.read(4)
    file.seek(0)
    if not start:
        raise InvalidParameter("the archive is empty")
    for member, found in _of_zip(bounded, name) if start[:2] == b"PK" else _of_tar(bounded, name):
        if isinstance(found, Entry) and found.at + (found.size or 0) > size:
            yield member, BrokenBody("the archive ends before the end of this file")
        else:
            yield member, found


def _of_zip(file: IO[bytes], name: str) -> Iterator[Found]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError) as error:
        raise BrokenBody(f"the zip cannot be read: {error}") from error
    for info in archive.infolist():
        member = plain(info.filename)
        if not is_ignored(member):
            yield member, _zipped(info, member, name)


def _zipped(info: zipfile.ZipInfo, member: str, name: str) -> Entry | ConvlensError:
    try:
        check_name(member)
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise InvalidParameter("it is a link or a device, no file")
        if info.flag_bits & _ENCRYPTED:
            raise unsupported("the file is encrypted")
        if info.compress_type not in METHODS:
            raise unsupported(f"the file is compressed by the method {info.compress_type}")
    except ConvlensError as error:
        return error
    packed, at, size = METHODS[info.compress_type], info.header_offset, info.compress_size
    return Entry(item=member, object=name, at=at, size=size, packed=packed, crc=info.CRC)


def _of_tar(file: IO[bytes], name: str) -> Iterator[Found]:
    """Headers are read one after the other, and none is kept."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (info := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # else it would keep all of them
                member = plain(info.name)
                if not info.isdir() and not is_ignored(member):
                    yield member, _tarred(info, member, name)
            file.seek(archive.offset)
            if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                raise BrokenBody(f"the tar ends before its end, or is damaged at byte {archive.offset:,}")
    except (tarfile.TarError, ValueError, OSError, EOFError) as error:
        raise BrokenBody(f"this is neither a zip nor a tar that can be read: {error}") from error


def _tarred(info: tarfile.TarInfo, member: str, name: str) -> Entry | ConvlensError:
    try:
        check_name(member)
        if not info.isreg() or info.issparse():
            raise InvalidParameter("it is a link or a device, no file")
    except ConvlensError as error:
        return error
    return Entry(item=member, object=name, at=info.offset_data, size=info.size)
