"""A container made of namespaces: an image's root, read-only, and a process of its unprivileged user in it."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# Arguments: the root, the folder for /data, the file for /etc/hosts, a place to mount at, the user, the folder to begin
# in; then the command.
SCRIPT = """
place=$4 user=$5 folder=$6
mount --bind "$1" "$place"
mount --bind "$2" "$place/data"
mount -t tmpfs -o mode=1777 tmpfs "$place/tmp"
mount -t proc proc "$place/proc"
mount --rbind /dev "$place/dev"
touch "$place/etc/hosts"
mount --bind "$3" "$place/etc/hosts"
mount -o remount,bind,ro "$place"
shift 6
exec setpriv --no-new-privs chroot --userspec "$user:$user" --groups "" "$place" \\
  sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""


class Container:
    """Runs commands as a container of the image would, on the network of this process.

    Args:
        root: The root of the image.
        config: Its configuration.
        folder: Where the container keeps its data and its log.
        environment: Variables beside those of the image.
    """

    def __init__(self, root: Path, config: dict[str, Any], folder: Path, environment: Mapping[str, str]) -> None:
        self._config, self._folder, self._root = config, folder, root
        self._environment = dict(pair.split("=", 1) for pair in config["Env"]) | environment
        for name in ("data", "place"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        os.chown(folder / "data", int(config["User"]), int(config["User"]))
        (folder / "hosts").write_text("127.0.0.1 localhost valkey store\n")
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self, command: Sequence[str]) -> list[str]:
        unshare = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "sh", "-ec", SCRIPT, "container"]
        own = [self._root, *(self._folder / name for name in ("data", "hosts", "place"))]
        return [*unshare, *map(str, own), self._config["User"], self._config["WorkingDir"], *command]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a container beside, on the same data, as ``docker exec`` would."""
        return subprocess.run(
            self._command(command), env=self._environment, capture_output=True, text=True, timeout=300
        )

    def is_healthy(self) -> bool:
        """What the image's health check finds."""
        kind, *check = self._config["Healthcheck"]["Test"]
        assert kind == "CMD", kind
        return self.run(*check).returncode == 0

    def start(self, *arguments: str) -> Self:
        """Start the image's program with its usual arguments, or with these."""
        command = self._command([*self._config["Entrypoint"], *(arguments or self._config["Cmd"])])
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        return self

    @property
    def log(self) -> Path:
        """What the container has printed."""
        return self._folder / "log"

    def status(self) -> dict[str, str]:
        """What the kernel says of the process in the container (user, capabilities, …)."""
        lines = Path(f"/proc/{self._inner()}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def stop(self) -> int:
        """Ask it to end, as ``docker stop`` does; the exit status, or the negative number of the signal."""
        assert self._process is not None
        os.kill(self._inner(), signal.SIGTERM)
        return self._process.wait(30)

    def _inner(self) -> int:
        assert self._process is not None
        assert self._process.poll() is None, f"the container has ended:\n{self.log.read_text()[-3000:]}"
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            if kind is not None:
                print(f"--- {self._folder.name}\n{self.log.read_text()[-3000:]}")
            self._process.kill()  # takes what is inside with it
            self._process.wait()
