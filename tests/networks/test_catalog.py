"""Trying out the models of a folder."""

from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from service.errors import NotServed, Unready
from service.models.drafting import Choices
from service.models.importing import add
from service.models.uploaded import Uploaded
from service.networks.catalog import Networks
from service.runtime.batcher import Batcher
from service.runtime.engine import Engine
from tests.models.networks import classifier, write
from tests.waiting import eventually


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("first", "second", "third"):
        add(write(classifier(size=32), tmp_path / "from"), tmp_path / "models", Choices(name=name))
    return tmp_path / "models"


def networks(folder: Path, check: Callable[[Path], str | None]) -> Networks:
    batcher = Batcher(lanes=1, max_batch=1, max_queue=10, seconds=60)
    return Networks(folder, Engine("cpu", 1), batcher, 2**30, "first", check)


def test_models_are_tried_out_side_by_side(folder: Path) -> None:
    both = Barrier(2, timeout=60)  # is passed only if two trials are there at the same time

    def check(_: Path) -> str | None:
        both.wait()
        return None

    catalog = networks(folder, check)
    assert catalog.is_served("first")  # is trusted
    with pytest.raises(Unready, match="is being tried out") as unready:
        catalog["second"]
    assert unready.value.retry_after > 0
    catalog.check_all()
    assert catalog.is_served("second")
    assert catalog.is_served("third")
    catalog.close()


def test_a_model_is_tried_out_once_however_often_one_asks(folder: Path) -> None:
    tried: list[str] = []

    def check(path: Path) -> str | None:
        tried.append(path.stem)
        return "no good" if path.stem == "third" else None

    catalog = networks(folder, check)
    callers = [Thread(target=catalog.check_all) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(tried) == ["second", "third"]
    with pytest.raises(NotServed, match="is not served: no good"):
        catalog["third"]
    catalog.close()


def test_a_file_that_changes_while_it_is_tried_out_is_tried_out_again(folder: Path) -> None:
    tried: list[int] = []

    def check(path: Path) -> str | None:
        if path.stem != "third":
            return None
        tried.append(path.with_suffix(".onnx").stat().st_size)
        if len(tried) == 1:
            path.with_suffix(".onnx").write_bytes(classifier(size=32, softmax=True).SerializeToString())
            catalog.reload()
            return "the old one"
        return None

    catalog = networks(folder, check)
    catalog.check_all()
    assert not catalog.is_served("third")
    assert "third" not in catalog.problems
    catalog.check_all()
    assert catalog.is_served("third")
    assert len(set(tried)) == 2
    catalog.close()


def test_whoever_refreshes_sees_new_models_tried_out(folder: Path) -> None:
    go = Event()
    started: list[str] = []

    def check(path: Path) -> str | None:
        started.append(path.stem)
        go.wait(60)
        return None

    go.set()
    catalog = networks(folder, check)
    catalog.check_all()
    go.clear()
    add(folder / "second.onnx", folder, Choices(name="fourth"))
    Uploaded(folder, 0).tell_changes()
    assert catalog.is_outdated
    seen: list[bool] = []

    def refresh() -> None:
        catalog.refresh()
        seen.append(catalog.is_served("fourth"))

    first, second = Thread(target=refresh), Thread(target=refresh)
    first.start()
    eventually(lambda: "fourth" in started)
    second.start()
    go.set()
    for thread in (first, second):
        thread.join()
    assert seen == [True, True]
    assert not catalog.is_outdated
    catalog.close()
