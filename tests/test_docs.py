"""What the code has stands in the README."""

from pathlib import Path

import pytest

from service.attribution import METHODS
from service.autodiff import RULES
from service.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    default = Settings.model_fields[name].default
    row = next((line for line in README.splitlines() if line.startswith(f"| `CONVLENS_{name.upper()}`")), "")
    assert f"`{default}`" in row


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_documented(name: str) -> None:
    assert any(line.startswith("| `") and f"`{name}`" in line for line in README.splitlines())


@pytest.mark.parametrize("op_type", RULES)
def test_every_rule_is_documented(op_type: str) -> None:
    assert f"`{op_type}`" in README
