"""Images: a base of Debian's packages, the targets of the Dockerfile, what they hold and how large they are."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
DEBIAN_BASE = "localhost/convlens-base"
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"


def run(*command: str) -> str:
    """What a command prints. What it complains about is seen as it comes."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def base() -> str:
    """An image of Debian 12 with its Python 3.11, for where images of others cannot be had; made once."""
    if subprocess.run(["buildah", "inspect", "--type", "image", DEBIAN_BASE], capture_output=True).returncode == 0:
        return DEBIAN_BASE
    print(f"making {DEBIAN_BASE} from packages of Debian, a minute or two …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", folder)
        for leftover in [*Path(folder, "var/cache/apt/archives").glob("*.deb"), Path(folder, "var/log/bootstrap.log")]:
            leftover.unlink(missing_ok=True)
        container = run("buildah", "from", "scratch")
        run("buildah", "add", "--quiet", container, folder, "/")
        run(
            "buildah", "config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container
        )
        run("buildah", "commit", "--quiet", "--rm", container, DEBIAN_BASE)
    return DEBIAN_BASE


def build(target: str, python: str) -> str:
    """Build a target of the Dockerfile on an image with Python; the name of what comes out."""
    name = f"localhost/convlens:{target}"
    certificates = "/etc/ssl/certs:/etc/ssl/certs:ro"  # this machine may be behind a proxy with one of its own
    command = f"buildah build --isolation chroot --format docker --layers --volume {certificates}"
    subprocess.run(
        [*command.split(), f"--build-arg=PYTHON={python}", f"--target={target}", f"--tag={name}", ROOT], check=True
    )
    return name


def configuration(image: str) -> dict[str, Any]:
    """How a container of the image is run: ``User``, ``Env``, ``Entrypoint``, ``Cmd``, ``Healthcheck``, …"""
    return json.loads(run("buildah", "inspect", "--type", "image", image))["Docker"]["config"]  # type: ignore[no-any-return]


@contextmanager
def mounted(image: str) -> Iterator[Path]:
    """The root of a container of the image."""
    container = run("buildah", "from", image)
    try:
        yield Path(run("buildah", "mount", container))
    finally:
        run("buildah", "rm", container)


def size(folder: Path) -> int:
    """Bytes in all files below a folder."""
    return int(run("du", "--summarize", "--bytes", "--one-file-system", str(folder)).split()[0])


def largest(root: Path, number: int = 12) -> list[tuple[int, str]]:
    """The largest packages, in bytes."""
    [packages] = root.glob("opt/convlens/lib/python3*/site-packages")
    return sorted(((size(each), each.name) for each in packages.iterdir()), reverse=True)[:number]
