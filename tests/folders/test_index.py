"""The index, after whatever has happened to it."""

from pathlib import Path

from service.folders.index import INDEX, Index


def one(item: str, **more: object) -> dict[str, object]:
    return {"item": item, "method": "gradient", **more}


def items(index: Index) -> list[str]:
    return [record["item"] for record in index.records()]


def test_what_is_written_is_known_the_next_time(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.add([one("a"), one("ü\n")], "1")
    index.add([one("broken", error={})], "1")
    assert index.state("a", "gradient", "1") == "new"  # a run looks at each but once
    index.close()
    index = Index(tmp_path)
    known = [index.state(item, "gradient", "1") for item in ("a", "ü\n", "broken", "b")]
    assert known == ["done", "done", "failed", "new"]
    assert index.state("a", "gradient", "2") == "new"
    assert index.state("a", "grad_cam", "1") == "new"
    index.close()
    index = Index(tmp_path, again=True)
    assert index.state("broken", "gradient", "1") == "new"
    index.close()


def test_the_last_line_of_an_item_counts(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.add([one("a", error={}), one("b")], "1")
    index.close()
    index = Index(tmp_path)
    index.add([one("a")], "2")
    index.close()
    assert items(index) == ["b", "a"]
    index = Index(tmp_path)
    assert index.state("a", "gradient", "2") == "done"
    assert index.state("a", "gradient", "1") == "new"
    index.close()


def test_damaged_lines_are_taken_off(tmp_path: Path) -> None:
    path = tmp_path / INDEX
    index = Index(tmp_path)
    index.add([one("a")], "1")
    index.close()
    path.write_bytes(b"\0\xff\n[1]\n{}\n" + path.read_bytes() + b'{"item": "b", "met')
    index = Index(tmp_path)
    assert index.state("a", "gradient", "1") == "done"
    index.add([one("b")], "1")
    index.close()
    assert items(index) == ["a", "b"]
    assert path.read_bytes().count(b"\n") == 2
