"""Graphs that are kept as the runtime has optimized them."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from service.errors import EngineError
from service.runtime.engine import Engine
from service.runtime.files import GraphCache

SIDE = 64


def product(factor: float = 1.0) -> onnx.ModelProto:
    """y = x · M with a matrix that is large enough to be kept beside the graph."""
    text = (
        f'<ir_version: 8, opset_import: ["": 18]> g (float[N,{SIDE}] x) => (float[N,{SIDE}] y) {{ y = MatMul(x, m) }}'
    )
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full((SIDE, SIDE), factor, np.float32), "m"))
    return model


def made(engine: Engine, name: str, factor: float, log: list[str]) -> float:
    """What the graph of that name gives for ones, divided by the side."""

    def build() -> onnx.ModelProto:
        log.append(name)
        return product(factor)

    session = engine.load_named(name, build)
    ones = np.ones((1, SIDE), np.float32)
    results = [session.run(["y"], {"x": ones}, all_cores=all_cores)[0] for all_cores in (True, False)]
    np.testing.assert_array_equal(*results)
    return float(results[0][0, 0]) / SIDE


def test_a_graph_is_built_once_for_all_processes(tmp_path: Path) -> None:
    log: list[str] = []
    for _ in range(3):  # as processes do, each with an engine of its own
        engine = Engine("cpu", 2, cache=GraphCache(tmp_path, 2**20))
        assert made(engine, "one", 1.0, log) == 1.0
        assert made(engine, "two", 2.0, log) == 2.0
    assert log == ["one", "two"]


def test_the_longest_unused_graphs_are_removed_and_those_in_use_go_on(tmp_path: Path) -> None:
    log: list[str] = []
    size = Engine("cpu", 1).load(product()).size
    engine = Engine("cpu", 1, cache=GraphCache(tmp_path, size * 5 // 2))  # holds two
    session, ones = engine.load_named("kept", product), {"x": np.ones((1, SIDE), np.float32)}
    session.run(["y"], ones)
    for name in ("a", "b", "c"):
        made(engine, name, 1.0, log)
    assert len(list(tmp_path.iterdir())) == 2
    assert session.run(["y"], ones)[0][0, 0] == SIDE
    made(engine, "b", 1.0, log)
    assert log == ["a", "b", "c"]


def test_a_graph_that_is_removed_before_all_of_its_sessions_are_open_is_made_anew(tmp_path: Path) -> None:
    engine = Engine("cpu", 2, cache=GraphCache(tmp_path, 2**20))
    session, ones = engine.load_named("kept", product), {"x": np.ones((1, SIDE), np.float32)}
    alone = session.run(["y"], ones)
    for path in tmp_path.iterdir():
        shutil.rmtree(path)
    np.testing.assert_array_equal(session.run(["y"], ones, all_cores=False), alone)
    assert len(list(tmp_path.glob("*/optimized.onnx"))) == 1


def test_what_a_killed_process_has_left_is_removed_in_time(tmp_path: Path) -> None:
    old, new = tmp_path / ".making-old", tmp_path / ".making-new"
    for path in (old, new):
        path.mkdir()
        (path / "graph.weights").write_bytes(b"half")
    os.utime(old, (time.time() - 4000,) * 2)
    made(Engine("cpu", 1, cache=GraphCache(tmp_path, 2**20)), "one", 1.0, [])
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("spoil", ["optimized.onnx", "optimized.weights"])
def test_a_spoilt_graph_is_made_anew(tmp_path: Path, spoil: str) -> None:
    log: list[str] = []
    made(Engine("cpu", 1, cache=GraphCache(tmp_path, 2**20)), "one", 1.0, log)
    (path,) = tmp_path.glob(f"*/{spoil}")
    path.write_bytes(path.read_bytes()[:100])
    assert made(Engine("cpu", 1, cache=GraphCache(tmp_path, 2**20)), "one", 1.0, log) == 1.0
    assert log == ["one", "one"]
    made(Engine("cpu", 1, cache=GraphCache(tmp_path, 2**20)), "one", 1.0, log)
    assert log == ["one", "one"]


def test_a_folder_that_cannot_be_written_to_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    log: list[str] = []
    engine = Engine("cpu", 1, cache=GraphCache(tmp_path / "file", 2**20))
    assert made(engine, "one", 1.0, log) == made(engine, "one", 1.0, log) == 1.0
    assert log == ["one", "one"]


def test_what_the_runtime_refuses_is_not_kept(tmp_path: Path) -> None:
    wrong = product()
    wrong.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(EngineError, match="the runtime refuses the model"):
        Engine("cpu", 1, cache=GraphCache(tmp_path, 2**20)).load_named("wrong", lambda: wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_text_is_made_once_for_all_processes_and_anew_where_it_cannot_be_kept(tmp_path: Path) -> None:
    log: list[str] = []

    def make() -> str:
        log.append("made")
        return "what is known"

    for _ in range(2):
        assert GraphCache(tmp_path, 2**20).text("facts", make) == "what is known"
    assert log == ["made"]
    GraphCache(tmp_path, 2**20).text("others", make)
    assert len(log) == 2
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    for cache in (GraphCache(), GraphCache(in_the_way, 2**20)):
        assert cache.text("facts", make) == "what is known"
    assert len(log) == 4
