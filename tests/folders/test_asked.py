"""Results of one folder answer one question."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.errors import Conflict
from service.folders.asked import Asked, remember
from service.folders.places import SETTINGS

ASKED = Asked("net", "abc", {"rise": {"masks": 9}}, None, None, "squash", "exact", ("npy", "png"), 64)


def test_methods_can_be_added_and_nothing_else_changed(tmp_path: Path) -> None:
    def ask(asked: Asked) -> None:
        (tmp_path / SETTINGS).write_bytes(remember(tmp_path, asked, "1"))

    ask(ASKED)
    ask(replace(ASKED, methods={"gradient": {}}))
    ask(ASKED)
    before = (tmp_path / SETTINGS).read_bytes()
    for other, name in (
        ({"class_id": 7}, "class_id"),
        ({"model_sha256": "def"}, "model_sha256"),
        ({"formats": ("npy",)}, "formats"),
        ({"methods": {"gradient": {}, "rise": {"masks": 8}}}, "the parameters of rise"),
    ):
        with pytest.raises(Conflict, match=f"differ in {name}; name another folder"):
            ask(replace(ASKED, **other))  # type: ignore[arg-type]
    assert (tmp_path / SETTINGS).read_bytes() == before


def test_damaged_settings_are_told(tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text("{")
    with pytest.raises(Conflict, match="is damaged"):
        remember(tmp_path, ASKED, "1")
