"""What is in an archive, whoever made it: nothing is unpacked, and nothing that it claims is believed."""

import io
import tarfile
import tracemalloc
import warnings
import zipfile
from itertools import count

import pytest

from service.batches.archives import MOST_AT_ONCE, members
from service.batches.entries import Entry, bytes_of
from service.errors import BrokenBody, ConvlensError, InputError, TooLarge
from tests.batches.archives import special, tarred, zipped

MOST = 10_000


class Counted(io.BytesIO):
    """Counts how much of it is read at once."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.most = max(self.most, len(data))
        return data


def listed(data: bytes) -> dict[str, str]:
    """The members by name, with their bytes or with why they cannot be read."""
    found = {}
    for name, one in members(io.BytesIO(data), "archive", len(data)):
        found[name] = str(one) if isinstance(one, ConvlensError) else read(data, one)
    return found


def read(data: bytes, entry: Entry) -> str:
    try:
        return bytes_of(entry, lambda _, start, end: data[start:end], MOST).decode()
    except InputError as error:
        return f"{type(error).__name__}: {error}"


LONG = "n" * 1000 + ".png"
PLAIN = {"a.png": b"first", "deep/er/ü b.png": b"second", "empty.png": b""}
TOLD = {"a.png": "first", "deep/er/ü b.png": "second", "empty.png": ""}


@pytest.mark.parametrize(
    "data",
    [
        zipped(PLAIN),
        zipped(PLAIN, zipfile.ZIP_STORED),
        tarred(PLAIN),
        tarred({f"./{name}": data for name, data in PLAIN.items()}),
        zipped({**PLAIN, "__MACOSX/._a.png": b"x", "deep/.DS_Store": b"x", "deep/": b"", "Thumbs.db": b"x"}),
        tarred(PLAIN, special("folder", tarfile.DIRTYPE)),
        b"a head before it" + zipped(PLAIN),  # as of a self-extracting one
    ],
    ids=["deflated", "stored", "tar", "tar-of-a-folder", "of-a-mac", "with-folders", "with-a-head"],
)
def test_members_are_found_where_they_are(data: bytes) -> None:
    if data.startswith(b"a head"):
        with pytest.raises(BrokenBody):
            listed(data)  # nothing is guessed
    else:
        assert listed(data) == TOLD


def test_long_names_are_read_past() -> None:
    assert listed(zipped({LONG: b"x" * 5000, "b.png": b"y"}, zipfile.ZIP_STORED)) == {LONG: "x" * 5000, "b.png": "y"}


def test_names_that_lead_out_are_no_items() -> None:
    names = ["../a.png", "/etc/passwd", "a/../../b.png", "C:/a.png", "..\\a.png", "a//b.png", "nul\1.png", "x" * 1025]
    for data in (zipped(dict.fromkeys(names, b"x")), tarred(dict.fromkeys(names, b"x"))):
        found = listed(data)
        assert len(found) == len(names)
        assert {text.partition(";")[0].partition(",")[0] for text in found.values()} == {
            "the name leads out of the folder",
            "the name has no characters",
        }


def test_what_is_no_file_is_refused() -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE)
    others = [special(f"{i}.png", kind, "/etc/passwd") for i, kind in zip(count(), kinds)]
    for data in (buffer.getvalue(), tarred({}, *others)):
        assert set(listed(data).values()) == {"it is a link or a device, no file"}
    assert "archives in archives" in listed(zipped({"inner.tar.gz": b"x"}))["inner.tar.gz"]


def test_zips_that_are_not_read_say_so() -> None:
    encrypted = bytearray(zipped({"a.png": b"x"}))
    encrypted[encrypted.rindex(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in listed(bytes(encrypted))["a.png"]
    assert "method 14" in listed(zipped({"a.png": b"x"}, zipfile.ZIP_LZMA))["a.png"]


def test_bombs_are_unpacked_no_further_than_a_picture_may_be() -> None:
    bomb = zipped({"bomb.png": b"\0" * 10_000_000})
    tracemalloc.start()
    assert listed(bomb)["bomb.png"].startswith("TooManyBytes")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000
    assert listed(tarred({"large.png": b"\0" * 10_001}))["large.png"].startswith("TooManyBytes")


def test_damage_is_told_of_the_member_that_has_it() -> None:
    data = bytearray(zipped({"a.png": b"first" * 100, "b.png": b"second"}, zipfile.ZIP_STORED))
    data[50] ^= 1
    assert listed(bytes(data)) == {
        "a.png": "BrokenBody: the archive is damaged: the checksum of this file is wrong",
        "b.png": "second",
    }
    directory = bytearray(zipped({"a.png": b"first"}))
    place = directory.rindex(b"PK\x01\x02") + 42  # where its local header is said to be
    directory[place] = 7
    assert "damaged" in listed(bytes(directory))["a.png"]


@pytest.mark.parametrize("cut", [100, 600, 1500, 2100])
def test_an_archive_that_is_cut_off_is_none(cut: int) -> None:
    for whole in (tarred({"a.png": b"x" * 600, "b.png": b"y" * 600}), zipped({"a.png": bytes(range(256)) * 9})):
        if cut < len(whole):
            with pytest.raises(InputError):
                listed(whole[:cut])


def test_headers_that_claim_much_cost_little() -> None:
    info = special("x", tarfile.XHDTYPE)
    info.size = 2**32
    file = Counted(info.tobuf(tarfile.USTAR_FORMAT) + b"1" * 10_240)
    with pytest.raises(TooLarge, match="directory"):
        list(members(file, "archive", 2**33))
    assert file.most < MOST_AT_ONCE


def test_twins_are_two_members() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("a.png", b"first")
        archive.writestr("a.png", b"second")
    data = buffer.getvalue()
    entries = [one for _, one in members(io.BytesIO(data), "archive", len(data))]
    assert [read(data, one) for one in entries if isinstance(one, Entry)] == ["first", "second"]
