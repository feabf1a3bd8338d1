"""Graphs that another process makes."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from service.errors import EngineError, ModelError
from service.models.library import Library, Model
from service.runtime import making
from service.runtime.engine import Engine
from service.runtime.files import GraphCache
from service.runtime.making import Maker
from tests.runtime.test_files import SIDE, product
from tests.waiting import eventually

ONES = {"x": np.ones((1, SIDE), np.float32)}


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[Maker]:
    made = Maker(GraphCache(tmp_path, 2**20))
    yield made
    made.stop()


@pytest.fixture
def engine(tmp_path: Path, maker: Maker) -> Engine:
    return Engine("cpu", 2, cache=GraphCache(tmp_path, 2**20), maker=maker)


def children() -> set[int]:
    """The processes of this one that are not over."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in found if is_alive(pid)}


def is_alive(pid: str) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    return False


def own_process(_: float) -> onnx.ModelProto:
    """A matrix of the number of the process that makes it."""
    return product(float(os.getpid()))


def die() -> onnx.ModelProto:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def refuse() -> onnx.ModelProto:
    raise ModelError("no graph can be made of this")


def stumble() -> onnx.ModelProto:
    return {}["missing"]


def tell() -> str:
    return str(os.getpid())


def test_another_process_makes_graphs_and_texts(engine: Engine) -> None:
    (y,) = engine.load_named("graph", partial(own_process, 1.0)).run(["y"], ONES)
    pid = round(float(y[0, 0]) / SIDE)
    assert pid != os.getpid()
    assert pid in children()
    assert engine.remembered("text", tell) == str(pid)
    assert engine.remembered("text", partial(pytest.fail, "it is known")) == str(pid)


def test_errors_come_back(engine: Engine) -> None:
    with pytest.raises(ModelError, match="no graph can be made of this"):
        engine.load_named("refused", refuse)
    with pytest.raises(KeyError, match="missing") as caught:
        engine.load_named("stumbled", stumble)
    assert "in stumble" in caught.value.__notes__[0]
    assert engine.load_named("graph", product).run(["y"], ONES)[0][0, 0] == SIDE


def test_a_process_that_dies_takes_one_graph_with_it(engine: Engine) -> None:
    with pytest.raises(EngineError, match="has died"):
        engine.load_named("deadly", die)
    assert engine.load_named("graph", product).run(["y"], ONES)[0][0, 0] == SIDE


def test_where_no_process_can_be_started_this_one_makes_graphs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(making.sys, "executable", "/no/such/program")
    (y,) = engine.load_named("graph", partial(own_process, 1.0)).run(["y"], ONES)
    assert y[0, 0] / SIDE == os.getpid()
    assert "No such file or directory" in caplog.text


def test_what_cannot_be_kept_is_made_here(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = GraphCache(tmp_path / "file", 2**20)
    engine = Engine("cpu", 2, cache=cache, maker=Maker(cache))
    (y,) = engine.load_named("graph", partial(own_process, 1.0)).run(["y"], ONES)
    assert y[0, 0] / SIDE == os.getpid()
    engine.close()


def test_the_process_ends_when_nothing_is_asked_of_it(tmp_path: Path) -> None:
    before = children()
    maker = Maker(GraphCache(tmp_path, 2**20), idle_seconds=0.01)
    maker.make("text", tell)
    eventually(lambda: children() - before, lambda found: not found)
    maker.make("again", tell)
    assert len(list(tmp_path.glob("*/text"))) == 2
    maker.stop()


def test_the_process_ends_with_the_one_that_has_started_it(tmp_path: Path) -> None:
    program = f"""if True:
        import os, signal
        from pathlib import Path
        from service.runtime.files import GraphCache
        from service.runtime.making import Maker
        from tests.runtime.test_making import children, tell
        maker = Maker(GraphCache(Path({str(tmp_path)!r}), 2**20))
        maker.make("text", tell)
        print(*children(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [making.sys.executable, "-c", program]
    child = int(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    eventually(lambda: Path(f"/proc/{child}/cmdline").exists(), lambda there: not there)


def test_a_model_whose_file_has_changed_is_refused(models_dir: Path, tmp_path: Path, maker: Maker) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for path in models_dir.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (model,) = Library(folder)
    assert model.identity is not None
    with model.path.open("ab") as file:
        file.write(b"\n")
    with pytest.raises(ModelError, match="has changed since the model was opened"):
        maker.make("facts", partial(_facts, model))


def _facts(model: Model) -> str:
    return model.facts.model_dump_json()
