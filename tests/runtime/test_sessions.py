"""Sessions are made once, and let go when they take too much."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import onnx
import pytest

from service.errors import EngineError, ModelError
from service.runtime.engine import Engine, Session
from service.runtime.sessions import OVERHEAD, Sessions

DOUBLE = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 18]> g (float[N] x) => (float[N] y) { y = Add(x, x) }'
)


class Builder:
    """Counts how often it was asked to build."""

    def __init__(self) -> None:
        self.built = 0

    def __call__(self) -> onnx.ModelProto:
        self.built += 1
        return DOUBLE


def test_many_that_want_the_same_wait_for_the_first() -> None:
    sessions, builder, together = Sessions(Engine("cpu", 1), 2**30), Builder(), Barrier(8)

    def ask() -> object:
        together.wait()
        return sessions.get("key", builder)

    with ThreadPoolExecutor(8) as pool:
        found = [future.result() for future in [pool.submit(ask) for _ in range(8)]]
    assert len(set(map(id, found))) == 1
    assert builder.built == 1


def test_the_longest_unused_one_is_let_go() -> None:
    sessions, builders = Sessions(Engine("cpu", 1), 2 * OVERHEAD + 10_000), {name: Builder() for name in "abc"}
    for name in "abac":  # c is one too many, b has not been used for longest
        sessions.get(name, builders[name])
    for name in "ac":
        sessions.get(name, builders[name])
    assert [builders[name].built for name in "abc"] == [1, 1, 1]
    sessions.get("b", builders["b"])
    assert builders["b"].built == 2


def test_one_is_kept_even_if_it_is_too_large() -> None:
    sessions, builder = Sessions(Engine("cpu", 1), 0), Builder()
    for _ in range(3):
        sessions.get("key", builder)
    assert builder.built == 1


def test_what_fails_is_tried_again_and_told_to_all() -> None:
    sessions = Sessions(Engine("cpu", 1), 2**30)

    def fail() -> onnx.ModelProto:
        raise ModelError("no graph today")

    for _ in range(2):
        with pytest.raises(ModelError, match="no graph today"):
            sessions.get("key", fail)
    with pytest.raises(EngineError):
        sessions.get("key", onnx.ModelProto)
    assert isinstance(sessions.get("key", Builder()), Session)


def test_the_sessions_of_an_owner_are_dropped() -> None:
    sessions, builder = Sessions(Engine("cpu", 1), 2**30), Builder()
    for key in (("mine", 1), ("yours", 1)):
        sessions.get(key, builder)
    sessions.drop("mine")
    sessions.get(("yours", 1), builder)
    assert builder.built == 2
    sessions.get(("mine", 1), builder)
    assert builder.built == 3
