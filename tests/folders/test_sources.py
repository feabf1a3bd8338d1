"""Photographs in folders and archives, whatever others have put there."""

import io
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.errors import BrokenBody, InvalidParameter, TooManyBytes
from service.folders.places import SETTINGS, place
from service.folders.sources import Item, Sources

PICTURE = b"\x89PNG, or what begins like one"


def found(*paths: Path, results: Path | None = None, max_bytes: int = 1000) -> list[Item]:
    sources = Sources(paths, results or paths[0].parent / "nowhere", max_bytes)
    items = list(sources)
    assert sources.count() in (None, len(items))
    return items


def names(*paths: Path, results: Path | None = None) -> list[str]:
    return [item.name for item in found(*paths, results=results)]


def content(item: Item) -> bytes:
    return item.content.read_bytes() if isinstance(item.content, Path) else item.content()


def test_a_folder_is_searched_but_not_what_holds_results(tmp_path: Path) -> None:
    for name in ("b/c/1.jpg", "b/0.JPG", "a.png", "out/maps/x.png", "earlier/overlays/y.png", ".git/z.png", "notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "earlier" / SETTINGS).write_text("{}")
    (tmp_path / "sniffed").write_bytes(PICTURE)
    sources = Sources([tmp_path], tmp_path / "out", 1000)
    assert [item.name for item in sources] == ["a.png", "sniffed", "b/0.JPG", "b/c/1.jpg"]
    assert sources.left_out == ["notes.md"]
    with pytest.raises(InvalidParameter, match="name another folder"):
        Sources([tmp_path], tmp_path, 1000)


def test_several_sources_have_names_apart_and_nothing_is_found_twice(tmp_path: Path) -> None:
    for name in ("one/a.jpg", "two/a.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    one, two = tmp_path / "one", tmp_path / "two"
    assert names(one, two, one, one / "a.jpg", results=tmp_path / "out") == [str(one / "a.jpg"), str(two / "a.jpg")]
    assert names(one / "a.jpg") == ["a.jpg"]


def test_a_deep_folder_is_searched_to_its_end(tmp_path: Path) -> None:
    here = Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1100):  # deeper than Python may call itself
            os.mkdir("d")
            os.chdir("d")
        Path("a.jpg").write_bytes(b"x")
    finally:
        os.chdir(here)
    (name,) = names(tmp_path)
    assert name == "d/" * 1100 + "a.jpg"
    assert len(place(name)) < 150
    remove_deep(tmp_path)


def remove_deep(folder: Path) -> None:
    """Take the folders out of one another first: `rmtree` calls itself."""
    (folder / "kept").mkdir()
    inner, number = folder / "d", 0
    while (inner / "d").exists():
        (inner / "d").rename(folder / "kept" / "d")
        inner.rename(folder / f"{number}")
        (folder / "kept" / "d").rename(folder / "d")
        number += 1


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder into which everybody may look."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_a_folder_that_may_not_be_read_is_an_item_that_fails(open_folder: Path) -> None:
    (open_folder / "locked").mkdir(mode=0)
    (open_folder / "a.jpg").write_bytes(b"x")
    is_root = os.geteuid() == 0
    if is_root:  # who may read all
        os.seteuid(65534)
    try:
        item, folder = found(open_folder)
        assert (item.name, folder.name) == ("a.jpg", "locked")
        with pytest.raises(PermissionError):
            content(folder)
    finally:
        if is_root:
            os.seteuid(0)


ODD = ("../up.png", "/etc/absolute.png", "a/./b.png", "x" * 255 + ".png", "line\nbreak.png", "a\\b.png", "same.png")


def test_members_of_a_zip_never_lead_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (*ODD, "__MACOSX/._a.png", ".hidden.png"):
            archive.writestr(name, PICTURE)
        archive.writestr("notes.txt", "no picture")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("same.png", PICTURE)
        archive.writestr("bomb.png", bytes(10**6), zipfile.ZIP_DEFLATED)
        archive.mkdir("folder.png")
    members = []
    for item in Sources([path], tmp_path / "out", 1000):
        members.append(item.name)
        if item.name == "bomb.png":
            with pytest.raises(TooManyBytes):
                content(item)
        else:
            assert content(item) == PICTURE
    assert members == [*ODD, "same.png (2)", "bomb.png"]
    places = [place(name) for name in members]
    assert len(set(places)) == len(places)
    for where in places:
        assert (tmp_path / where).resolve().is_relative_to(tmp_path)
        assert max(map(len, where.split("/"))) <= 250


def test_damaged_members_of_a_zip_are_told(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", PICTURE)
        archive.writestr("b.png", PICTURE)
    data = bytearray(path.read_bytes())
    data[data.index(PICTURE) + 3] ^= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # as if the last one were encrypted
    path.write_bytes(data)
    for item in Sources([path], tmp_path / "out", 1000):
        with pytest.raises(BrokenBody, match=r"CRC|encrypted"):
            content(item)


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_a_tar_is_read_in_one_go(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photos.tar{suffix}"
    with tarfile.open(path, f"w:{suffix[1:]}") as archive:
        for name in ODD:
            member = tarfile.TarInfo(name)
            member.size = len(PICTURE)
            archive.addfile(member, io.BytesIO(PICTURE))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    seen = []
    for item in Sources([path], tmp_path / "out", 1000):
        seen.append(item.name)
        assert content(item) == PICTURE
    assert seen == list(ODD)


def test_a_tar_that_was_cut_gives_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "photos.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for i in range(20):
            member = tarfile.TarInfo(f"{i}.png")
            member.size = 5000
            archive.addfile(member, io.BytesIO(os.urandom(5000)))
    path.write_bytes(path.read_bytes()[:-30_000])
    whole, broken = 0, []
    for item in Sources([path], tmp_path / "out", 10_000):
        try:
            whole += len(content(item)) == 5000
        except BrokenBody as error:
            broken.append(str(error))
    assert 10 < whole < 20
    assert broken


def test_places_are_those_of_the_names_where_that_is_safe() -> None:
    for name in ("a.jpg", "b/ü\n.png", "...", "a b/c"):
        assert place(name) == name
    for name in ("", "/", "_/x", "a//b", "..", "a\0b", "ü" * 130, "/".join(["deep"] * 300)):
        assert place(name).startswith("_/")
