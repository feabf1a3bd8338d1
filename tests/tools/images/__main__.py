"""Build the images of the Dockerfile with buildah, tell how large they are, and run the one for CPUs."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.tools.images.checks import all_checks
from tests.tools.images.images import ROOT, base, build, configuration, largest, mounted, size

MOST_BYTES = 450_000_000  # of the CPU image, beyond its base
NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.images", description=__doc__)
    parser.add_argument(
        "--python", help="an image with Python 3.11 to build on; by default one is made of Debian's packages"
    )
    parser.add_argument(
        "--target", action="append", choices=["cpu", "cuda"], help="build this one only; by default both"
    )
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside is not None:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        root, config, folder = json.loads(options.inside)
        all_checks(Path(root), config, Path(folder))
        return 0
    tools = ["buildah", "unshare", "setpriv", "ip", *([] if options.python else ["debootstrap"])]
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        parser.exit(2, f"missing: {', '.join(missing)}; on a Debian: apt-get install buildah debootstrap iproute2\n")
    if os.geteuid() != 0:
        parser.exit(2, "only root can build and mount images here\n")
    python = options.python or base()
    for target in options.target or ["cpu", "cuda"]:
        examine(target, build(target, python), python)
    return 0


def examine(target: str, image: str, python: str) -> None:
    """Tell what an image holds; of the one for CPUs also whether it does what it should."""
    config = configuration(image)
    assert config["User"] == "10001"
    assert config["Healthcheck"]["Test"]
    with mounted(python) as below, mounted(image) as root:
        beyond = size(root) - size(below)
        print(f"{target}: {beyond / 1e6:.0f} MB beyond its base of {size(below) / 1e6:.0f} MB; in MB:")
        print("  " + ", ".join(f"{name} {number / 1e6:.0f}" for number, name in largest(root)), flush=True)
        if target == "cpu":
            assert beyond <= MOST_BYTES, f"more than {MOST_BYTES / 1e6:.0f} MB"
            check_inside(root, config)


def check_inside(root: Path, config: dict[str, Any]) -> None:
    """Make the checks in namespaces of their own: all ports are free there, and nothing outlives them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        given = json.dumps([str(root), config, folder])
        command = [*NAMESPACES, sys.executable, "-m", "tests.tools.images", "--inside", given]
        if subprocess.run(command, cwd=ROOT).returncode != 0:
            sys.exit(1)  # it has told why


if __name__ == "__main__":
    sys.exit(main())
