"""The client for browsers and Node: made of the OpenAPI document, and put to work by Node against a real server."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.api.keys import digest
from service.main import document
from tests.conftest import PHOTOGRAPHS, Server
from tests.tools.typescript import FOLDER, files

HERE = Path(__file__).parent
NODE, TSC = shutil.which("node"), shutil.which("tsc")
KEY = "cl_typescript"


@pytest.fixture(scope="module")
def guarded(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for a key."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "keys").write_text(f"node {digest(KEY)}\n")
    flags = ("--api-keys-file", str(folder / "keys"), "--data-dir", str(folder / "data"))
    server = Server("--models-dir", str(models_dir), *flags)
    yield server
    server.stop()


def test_the_operations_are_those_of_the_document() -> None:
    parted = [path.name for path, text in files(document()).items() if path.read_text() != text]
    assert not parted, "they have parted from the OpenAPI document: make client"


def test_what_is_declared_is_there() -> None:
    """The declarations that are written by hand name what the modules export."""
    for path in FOLDER.glob("*.d.ts"):
        declared = set(re.findall(r"^export class (\w+)", path.read_text(), re.MULTILINE))
        code = path.with_name(path.name.replace(".d.ts", ".js")).read_text()
        assert declared <= set(re.findall(r"^export class (\w+)", code, re.MULTILINE)), path.name


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_it_works_in_node(guarded: Server) -> None:
    environment = {
        **os.environ,
        "CONVLENS_SERVER": guarded.url,
        "CONVLENS_KEY": KEY,
        "CONVLENS_CAT": str(PHOTOGRAPHS / "chelsea.png"),
    }
    command = [str(NODE), "--test", "--test-timeout=30000", "--test-reporter=tap", str(HERE / "client.test.mjs")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


@pytest.mark.skipif(TSC is None, reason="the compiler of TypeScript is not installed: npm install --global typescript")
def test_its_types_hold() -> None:
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2023,dom"]
    done = subprocess.run([str(TSC), *options, str(HERE / "use.mts")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
