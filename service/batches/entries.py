"""The items of a batch: what they are called, and where their bytes are."""

import re
import zlib
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.errors import BrokenBody, InvalidParameter, TooManyBytes, UnsupportedMedia

LONGEST_NAME = 1024  # characters
LOCAL_HEADER = 30  # bytes before the name of a member of a zip
USUAL_NAMES = 512  # bytes of the name and of extra fields that are read along with the data
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tar\.\w+|gz|bz2|xz|7z|rar)$", re.IGNORECASE)
_IGNORED = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)|/$")

Read = Callable[[str, int, int], bytes]  # bytes of an object, from and to


class Entry(BaseModel):
    """One item: a name, and where its bytes are, or why there are none.

    Args:
        item: The name.
        object: The object that holds it.
        source: The address of the store of that object; None for the store of the batch.
        at: Where it begins in the object: of a zip its local header.
        size: Its bytes in the object; None for all.
        packed: Whether it is a member of a zip: ``stored`` or ``deflated``.
        crc: The checksum of a member of a zip.
        error: A problem that was seen when it was listed.
    """

    model_config = ConfigDict(frozen=True)

    item: str
    object: str = ""
    source: str | None = None
    at: int = 0
    size: int | None = None
    packed: Literal["stored", "deflated"] | None = None
    crc: int = 0
    error: dict[str, Any] | None = None


Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


def plain(name: str) -> str:
    """The name without the ``./`` with which many archives begin their names."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def is_ignored(name: str) -> bool:
    """Whether it is a folder, or what systems add to folders by themselves."""
    return not name or bool(_IGNORED.search(name))


def check_name(name: str) -> None:
    """Raise `InvalidParameter` for a name that is no path within a folder, or is that of another archive."""
    parts = name.replace("\\", "/").split("/")
    if not name or len(name) > LONGEST_NAME or _UNSAFE.search(name):
        raise InvalidParameter(f"the name has no characters, more than {LONGEST_NAME}, or some that names do not have")
    if "" in parts or ".." in parts or "." in parts or re.match(r"[A-Za-z]:", name):
        raise InvalidParameter("the name leads out of the folder; use relative paths without '..'")
    if _ARCHIVE.search(name):
        raise InvalidParameter("archives in archives are not read; send it by itself")


def shown(name: str) -> str:
    """The name as it can be shown and sent on: without characters that are none, and not endless."""
    return _UNSAFE.sub("\ufffd", name)[:LONGEST_NAME]


def bytes_of(entry: Entry, read: Read, most: int) -> bytes:
    """The bytes of an item. read: from the store that holds it. Raises for what is damaged or has more than ``most``.

    Nothing that a header claims is believed: no more than ``most`` bytes are unpacked.
    """
    if (entry.size or 0) > most:
        raise _too_many(most)
    if entry.packed is None:
        end = entry.at + (most + 1 if entry.size is None else entry.size)
        data = read(entry.object, entry.at, end)
        if len(data) < (entry.size or 0):
            raise BrokenBody("the archive ends before the end of this file")
    else:
        data = _member(entry, read, most)
    if len(data) > most:
        raise _too_many(most)
    return data


def _member(entry: Entry, read: Read, most: int) -> bytes:
    """A member of a zip: a local header with a name and extra fields of its own, then the data."""
    size = entry.size or 0
    found = read(entry.object, entry.at, entry.at + LOCAL_HEADER + USUAL_NAMES + size)
    if found[:4] != b"PK\x03\x04" or len(found) < LOCAL_HEADER:
        raise BrokenBody("the archive is damaged: there is no file where its directory says")
    start = LOCAL_HEADER + int.from_bytes(found[26:28], "little") + int.from_bytes(found[28:30], "little")
    data = found[start : start + size]
    if len(data) < size:
        data = read(entry.object, entry.at + start, entry.at + start + size)
    if entry.packed == "deflated":
        unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = unpacking.decompress(data, most + 1)
        except zlib.error as error:
            raise BrokenBody(f"the archive is damaged: {error}") from error
        if len(data) > most:
            raise _too_many(most)
    if zlib.crc32(data) != entry.crc:
        raise BrokenBody("the archive is damaged: the checksum of this file is wrong")
    return data


def _too_many(most: int) -> TooManyBytes:
    return TooManyBytes(f"the picture has more than {most:,} bytes")


def unsupported(how: str) -> UnsupportedMedia:
    """Why a member of an archive is not read."""
    return UnsupportedMedia(f"{how}; only files that are stored or deflated and not encrypted are read")
