"""A Valkey whose files were damaged, as by a power cut."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from service.errors import QueueError
from service.jobs import recovery
from service.jobs.valkey import EmbeddedValkey

SET = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n%d\r\n"
MULTI, EXEC = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"


def transaction(valkey: EmbeddedValkey, number: int) -> None:
    """As the ledger does: a script that changes two keys."""
    with Redis(unix_socket_path=str(valkey.socket), decode_responses=True) as redis:
        redis.eval("redis.call('SET', 'a', ARGV[1]) redis.call('SET', 'b', ARGV[1])", 0, str(number))


def kept(valkey: EmbeddedValkey) -> tuple[object, object]:
    with Redis(unix_socket_path=str(valkey.socket), decode_responses=True) as redis:
        return redis.get("a"), redis.get("b")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """One that was told five transactions, and stopped."""
    valkey = EmbeddedValkey(tmp_path)
    valkey.start()
    for number in range(1, 6):
        transaction(valkey, number)
    valkey.stop()
    yield valkey
    valkey.stop()


@pytest.fixture
def file(valkey: EmbeddedValkey, tmp_path: Path) -> Path:
    return tmp_path / "queue" / "appendonlydir" / "appendonly.aof.1.incr.aof"


def before_last_exec(data: bytes) -> bytes:
    return data[: data.rindex(EXEC)]


TAILS: dict[str, tuple[Callable[[bytes], bytes], int]] = {  # what the file becomes, and the transaction that is left
    "zeros": (lambda data: data + bytes(5000), 5),
    "garbage": (lambda data: data + b"\x9d*\r\n\xff$3\r\n", 5),
    "cut": (lambda data: data[:-3], 4),
    "cut-then-zeros": (lambda data: data[:-3] + bytes(300), 4),
    "open-transaction": (before_last_exec, 4),
    "open-transaction-then-zeros": (lambda data: before_last_exec(data) + bytes(4096), 4),
}


@pytest.mark.parametrize(("damage", "left"), TAILS.values(), ids=TAILS.keys())
def test_a_damaged_tail_is_cut_off_and_kept_beside(
    valkey: EmbeddedValkey,
    file: Path,
    damage: Callable[[bytes], bytes],
    left: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    valkey.start()
    assert kept(valkey) == (str(left), str(left))
    (copy,) = file.parent.glob("*.broken-*")
    assert copy.read_bytes() == damaged
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f" {len(damaged) - file.stat().st_size} bytes " in warning.getMessage()
    assert str(copy) in warning.getMessage()
    transaction(valkey, 6)
    valkey.stop()
    valkey.start()  # what was written after the cut can be read
    assert kept(valkey) == ("6", "6")


@pytest.mark.parametrize("how", ["zeros", "length"])
def test_damage_that_commands_follow_is_not_cut_off(valkey: EmbeddedValkey, file: Path, how: str) -> None:
    """A length that is too large would make Valkey itself drop all that follows."""
    data = file.read_bytes()
    third = data.index(b"$1\r\n3\r\n")
    start = data[:third].rindex(MULTI)
    damaged = (
        data[:third] + (bytes(10) if how == "zeros" else b"$99999") + data[third + (10 if how == "zeros" else 2) :]
    )
    file.write_bytes(damaged)
    with pytest.raises(QueueError, match=r"is damaged at byte [0-9]+, and commands follow from byte [0-9]+") as refusal:
        valkey.start()
    assert "\n" not in str(refusal.value)
    assert file.read_bytes() == damaged
    assert f"'truncate -s {start} {file}'" in str(refusal.value)
    with file.open("r+b") as opened:  # as the operator is told
        opened.truncate(start)
    valkey.start()
    assert kept(valkey) == ("2", "2")


def test_damage_before_the_last_file_is_not_cut_off(valkey: EmbeddedValkey, file: Path) -> None:
    manifest = file.parent / "appendonly.aof.manifest"
    with manifest.open("a") as opened:
        opened.write("file appendonly.aof.2.incr.aof seq 2 type i\n")
    file.with_name("appendonly.aof.2.incr.aof").write_bytes(SET % 7)
    file.write_bytes(file.read_bytes() + bytes(100))
    with pytest.raises(QueueError, match="other files follow, so it is not cut off"):
        valkey.start()


def test_a_base_that_is_damaged_is_told_in_one_line(valkey: EmbeddedValkey, file: Path) -> None:
    base = file.with_name("appendonly.aof.1.base.rdb")
    data = base.read_bytes()
    for damaged in (bytes(len(data)), data[:-5]):
        base.write_bytes(damaged)
        with pytest.raises(QueueError, match=r"does not start: .*; restore \S+/queue from a backup") as refusal:
            valkey.start()
        assert "\n" not in str(refusal.value)
        assert "valkey-check-aof" not in str(refusal.value)
    assert not list(file.parent.glob("*.broken-*"))


def test_whole_files_have_no_damage(tmp_path: Path) -> None:
    file = tmp_path / "a.aof"
    one, two = SET % 1, MULTI + SET % 2 + EXEC
    for data in (b"", one, one + two, two + one):
        file.write_bytes(data)
        assert recovery.examine(file) is None
    file.write_bytes(one + MULTI + SET % 2)
    assert recovery.examine(file) == recovery.Damage(len(one), len(one + MULTI + SET % 2), None)
    file.write_bytes(one + b"\0" * 9 + two)
    assert recovery.examine(file) == recovery.Damage(len(one), len(one), len(one) + 9)


def test_a_copy_that_cannot_be_made_leaves_all_as_it_was(
    valkey: EmbeddedValkey, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file.write_bytes(damaged := file.read_bytes() + bytes(100))
    monkeypatch.setattr(recovery.shutil, "copy2", full)
    with pytest.raises(QueueError, match="cannot be mended: No space left on device"):
        valkey.start()
    assert file.read_bytes() == damaged
