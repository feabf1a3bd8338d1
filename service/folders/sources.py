"""The photographs of folders and archives, one after the other."""

import os
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from service.errors import BrokenBody, InvalidParameter, TooManyBytes
from service.folders.places import SETTINGS
from service.folders.texts import text_of

SUFFIXES = frozenset(
    "png jpg jpeg jpe jfif webp gif bmp dib tif tiff avif avifs heic heif hif".split()
)  # of files that are taken for photographs, whatever they hold
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")  # of HEIC and AVIF
BYTES_OF_A_PIXEL = 8  # at most, of a file
HEAD = 16  # bytes that tell a format
LISTED = 20  # names of what is left out

Content = Path | Callable[[], bytes]


@dataclass(frozen=True)
class Item:
    """A photograph to be explained.

    Attributes:
        name: Its path in the source, which no other of the run has.
        stamp: Changes when its content does.
        content: The file, or what reads it in this process.
    """

    name: str
    stamp: str
    content: Content


class Sources:
    """The photographs of folders, archives (zip and tar) and single files, in an order that is always the same.

    Hidden files are passed over, links to folders are not followed, and so are folders that hold results. Other files
    that are no photographs, by name and by content, are left out and counted; a photograph that cannot be read is an
    item all the same.

    Args:
        paths: The sources.
        results: Where results are written, in which nothing is looked for.
        max_bytes: Of the largest member of an archive.
    """

    def __init__(self, paths: Sequence[Path], results: Path, max_bytes: int) -> None:
        self._results = results
        self._max_bytes = max_bytes
        for path in paths:
            if stat.S_ISDIR(path.stat().st_mode) and path.resolve() == results.resolve():
                raise InvalidParameter(f"{path} holds the photographs; name another folder for the results")
        self._paths = _apart(paths)
        self.left_out: list[str] = []
        self.left_out_count = 0

    def count(self) -> int | None:
        """How many photographs there are; None if that cannot be told before they are read."""
        if any(path.is_file() and _kind_of(path) == "tar" for path in self._paths):
            return None
        return sum(1 for _ in self)

    @property
    def title(self) -> str:
        """The names of the sources."""
        return ", ".join(text_of(path.resolve().name) for path in self._paths)

    def __iter__(self) -> Iterator[Item]:
        """All photographs. What is a member of an archive can be read until the next one is asked for."""
        self.left_out, self.left_out_count = [], 0
        alone = len(self._paths) == 1
        for path in self._paths:
            name = text_of(os.path.normpath(path))
            if path.is_dir():
                yield from self._in_folder(path, "" if alone else f"{name}/")
            elif (kind := _kind_of(path)) is not None:
                members = _in_zip(path, self._max_bytes) if kind == "zip" else _in_tar(path, self._max_bytes)
                yield from self._in_archive(members, "" if alone else f"{name}/")
            else:
                yield Item(text_of(path.name) if alone else name, _stamp(path.stat()), path)

    def _in_folder(self, root: Path, prefix: str) -> Iterator[Item]:
        waiting = [(root, prefix)]
        while waiting:
            folder, prefix = waiting.pop()
            try:
                names = sorted(name for name in os.listdir(folder) if not _is_hidden(name))
            except OSError as error:
                yield Item(prefix.rstrip("/") or ".", "", _raising(error))
                continue
            inner: list[tuple[Path, str]] = []
            for name in names:
                path, item = folder / name, prefix + text_of(name)
                if _is_folder(path):
                    self._enter(path, item, inner)
                elif (found := _photograph(path, item)) is not None:
                    yield found
                else:
                    self._leave_out(item)
            waiting.extend(reversed(inner))

    def _enter(self, folder: Path, name: str, inner: list[tuple[Path, str]]) -> None:
        if folder.is_symlink():
            self._leave_out(name)
        elif not self._holds_results(folder):
            inner.append((folder, f"{name}/"))

    def _holds_results(self, folder: Path) -> bool:
        try:
            return os.path.exists(folder / SETTINGS) or self._results.samefile(folder)
        except OSError:  # there are none yet
            return False

    def _in_archive(self, members: "Iterator[tuple[Item, Callable[[], bytes]]]", prefix: str) -> Iterator[Item]:
        """The photographs among members, which come with what reads their beginning."""
        seen: Counter[str] = Counter()
        for member, head in members:
            if any(_is_hidden(part) for part in member.name.split("/")):
                continue
            name = prefix + text_of(member.name)
            if not _is_named_as_photograph(member.name) and not _begins_as_photograph(head):
                self._leave_out(name)
                continue
            seen[name] += 1
            yield Item(name if seen[name] == 1 else f"{name} ({seen[name]})", member.stamp, member.content)

    def _leave_out(self, name: str) -> None:
        self.left_out_count += 1
        if len(self.left_out) < LISTED:
            self.left_out.append(name)


def _is_hidden(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name == "__MACOSX"


def read(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file. Raises `TooManyBytes` or `OSError`."""
    with path.open("rb") as file:
        check_bytes(os.fstat(file.fileno()).st_size, max_bytes)
        return file.read(max_bytes)


def check_bytes(number: int, max_bytes: int) -> None:
    """Raise `TooManyBytes` for too large a file."""
    if number > max_bytes:
        raise TooManyBytes(f"the file has {number:,} bytes, more than {max_bytes:,}; it is not read")


def _apart(paths: Sequence[Path]) -> list[Path]:
    """The sources without those that lie in others, so that nothing is found twice."""
    real = {path: path.resolve() for path in dict.fromkeys(paths)}
    found: dict[Path, Path] = {}
    for path, place in real.items():
        if not any(other in place.parents for other in real.values()):
            found.setdefault(place, path)
    return list(found.values())


def _photograph(path: Path, name: str) -> Item | None:
    """The item of a file; None if it is no photograph."""
    named = _is_named_as_photograph(name)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return Item(name, "", _raising(InvalidParameter("this is no regular file"))) if named else None
        return Item(name, _stamp(status), path) if named or _begins_as_photograph(lambda: _head(path)) else None
    except OSError as error:
        return Item(name, "", _raising(error)) if named else None


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _is_named_as_photograph(name: str) -> bool:
    return name.rpartition(".")[2].lower() in SUFFIXES and "." in name


def _begins_as_photograph(head: Callable[[], bytes]) -> bool:
    try:
        found = head()
    except (OSError, BrokenBody):
        return False
    is_webp = found[:4] == b"RIFF" and found[8:12] == b"WEBP"
    return found.startswith(_BEGINNINGS) or is_webp or (found[4:8] == b"ftyp" and found[8:12] in _BRANDS)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _raising(error: Exception) -> Callable[[], bytes]:
    def content() -> bytes:
        raise error

    return content


def _kind_of(path: Path) -> str | None:
    """Whether a file is an archive of the kind ``zip`` or ``tar``."""
    if _is_named_as_photograph(path.name):
        return None
    if zipfile.is_zipfile(path):
        return "zip"
    return "tar" if tarfile.is_tarfile(path) else None


Member = tuple[Item, Callable[[], bytes]]


def _in_zip(path: Path, max_bytes: int) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:

        def bounded(info: zipfile.ZipInfo, most: int) -> bytes:
            try:
                with archive.open(info) as file:
                    return file.read(most)
            except Exception as error:  # encrypted, of a method that is not known, damaged: each another type
                raise BrokenBody(f"the archive does not give this member: {error}") from error

        def content(info: zipfile.ZipInfo) -> bytes:
            check_bytes(info.file_size, max_bytes)
            return bounded(info, max_bytes)

        for info in archive.infolist():
            if not info.is_dir():
                item = Item(info.filename, f"{info.file_size}-{info.CRC}", partial(content, info))
                yield item, partial(bounded, info, HEAD)


def _in_tar(path: Path, max_bytes: int) -> Iterator[Member]:
    try:
        with tarfile.open(path) as archive:

            def bounded(info: tarfile.TarInfo, most: int) -> bytes:
                try:
                    file = archive.extractfile(info)
                    return b"" if file is None else file.read(most)
                except Exception as error:  # damaged: each compression has other types
                    raise BrokenBody(f"the archive does not give this member: {error}") from error

            def content(info: tarfile.TarInfo) -> bytes:
                check_bytes(info.size, max_bytes)
                return bounded(info, max_bytes)

            while (info := archive.next()) is not None:
                if info.isreg():
                    stamp = f"{info.size}-{info.mtime}-{info.offset}"
                    item = Item(info.name, stamp, partial(content, info))
                    yield item, partial(bounded, info, HEAD)
                archive.members = []  # type: ignore[attr-defined] # what has been passed is not asked for again
    except (tarfile.TarError, OSError, EOFError) as error:
        broken = BrokenBody(f"the archive cannot be read to its end: {error}")
        yield Item(path.name, "", _raising(broken)), lambda: _BEGINNINGS[0]
