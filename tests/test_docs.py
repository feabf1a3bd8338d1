"""What the code has stands in the README and the docs."""

from pathlib import Path

import pytest

from service.attribution import METHODS
from service.autodiff import RULES
from service.saliency.metrics import METRICS
from service.settings import Settings
from tests.autodiff.operators_table import PLACE, operators, row

OPERATORS = PLACE.read_text().splitlines()
README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    default = Settings.model_fields[name].default
    row = next((line for line in README.splitlines() if line.startswith(f"| `CONVLENS_{name.upper()}`")), "")
    assert f"`{default}`" in row


@pytest.mark.parametrize("name", [*METHODS, *METRICS])
def test_every_method_and_metric_is_documented(name: str) -> None:
    assert any(line.startswith("| `") and f"`{name}`" in line for line in README.splitlines())


@pytest.mark.parametrize(("op_type", "since"), operators().items())
def test_every_operator_of_the_standard_is_in_the_table(op_type: str, since: int) -> None:
    assert row(op_type, since) in OPERATORS


def test_every_rule_is_in_the_table() -> None:
    documented = {line.split("`")[1] for line in OPERATORS if line.startswith("| `") and "| rule |" in line}
    assert documented == set(RULES)
