"""What requirements/ locks is what pyproject.toml asks for, on every platform; if not, `make lock` is due."""

import re
import tomllib
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.dependency_groups import DependencyGroupResolver
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SHARED = ("build", "cpu", "gpu", "dev")  # in one environment
SETS = (*SHARED, "tools", "images")
ENVIRONMENTS = [
    {
        "sys_platform": "linux",
        "platform_machine": machine,
        "python_version": python,
        "python_full_version": f"{python}.9",
    }
    for machine, python in product(("x86_64", "aarch64"), ("3.11", "3.12", "3.13"))
]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, GROUPS = PYPROJECT["project"], PYPROJECT["dependency-groups"]


class Pin(NamedTuple):
    """One package of a lock file."""

    requirement: Requirement
    hashes: list[str]
    asked_for: bool  # by pyproject.toml, not by another package only

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        return str(self.requirement.specifier).removeprefix("==")

    def meets(self, asked: Requirement, environment: dict[str, str]) -> bool:
        marker = self.requirement.marker
        return (
            self.name == canonicalize_name(asked.name)
            and (marker is None or marker.evaluate(environment))
            and asked.specifier.contains(self.version, prereleases=True)
            and asked.extras <= self.requirement.extras
        )


def locked(name: str) -> list[Pin]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    blocks = re.findall(r"^(\w.*?)((?: \\\n +--hash=\S+)*)\n((?:^ +#.*\n)*)", text, re.MULTILINE)
    pins = [Pin(Requirement(pin), hashes.split(), "(pyproject.toml" in via) for pin, hashes, via in blocks]
    others = len(re.findall(r"^[^ #]", text, re.MULTILINE)) - len(pins)
    assert not others, f"{name}.txt holds {others} lines that are no packages"
    return pins


def asked_for(name: str) -> list[Requirement]:
    if name in GROUPS:
        return list(DependencyGroupResolver(GROUPS).resolve(name))
    return [Requirement(line) for line in PROJECT["dependencies"]] + extra(name)


def extra(name: str) -> list[Requirement]:
    """The requirements of an extra, and of the project's other extras that it names."""
    found: list[Requirement] = []
    for requirement in map(Requirement, PROJECT["optional-dependencies"][name]):
        others = sorted(requirement.extras) if requirement.name == PROJECT["name"] else []
        found += [each for other in others for each in extra(other)] if others else [requirement]
    return found


@pytest.mark.parametrize("name", SETS)
def test_all_that_is_asked_for_is_locked(name: str) -> None:
    pins = locked(name)
    for asked, environment in product(asked_for(name), ENVIRONMENTS):
        if asked.marker is None or asked.marker.evaluate(environment):
            assert any(pin.meets(asked, environment) for pin in pins), f"{asked} on {environment}: run `make lock`"


@pytest.mark.parametrize("name", SETS)
def test_nothing_is_locked_that_is_no_longer_asked_for(name: str) -> None:
    assert {pin.name for pin in locked(name) if pin.asked_for} == {canonicalize_name(r.name) for r in asked_for(name)}


@pytest.mark.parametrize("name", SETS)
def test_every_package_has_hashes_and_comes_from_no_particular_index(name: str) -> None:
    for pin in locked(name):
        assert pin.hashes, pin
        assert re.fullmatch(r"==[^*,]+", str(pin.requirement.specifier)), pin
    assert "://" not in (ROOT / "requirements" / f"{name}.txt").read_text()


def test_a_package_has_one_version_in_an_environment() -> None:
    pins = {(pin.name, pin.version) for name in SHARED for pin in locked(name)}
    assert len(pins) == len({name for name, _ in pins})


def test_the_build_system_is_locked() -> None:
    for asked in map(Requirement, PYPROJECT["build-system"]["requires"]):
        assert any(pin.meets(asked, {}) for pin in locked("build")), f"{asked} belongs into the group `build`"


@pytest.mark.parametrize("name", SETS)
def test_packages_that_may_change_anything_have_an_upper_bound(name: str) -> None:
    early = {pin.name for pin in locked(name) if pin.version.startswith("0.")}
    for asked in asked_for(name):
        bounded = any(specifier.operator in ("<", "<=", "==", "~=") for specifier in asked.specifier)
        assert bounded or canonicalize_name(asked.name) not in early, f"{asked} needs an upper bound"
