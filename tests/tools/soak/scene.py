"""What an abuser has: the service to abuse, and a place to note what it answers. Abusers run at low priority."""

import asyncio
import json
import os
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from tests.tools.soak import wire
from tests.tools.soak.target import ABUSERS, SPAWN, Target

NICE = 15
PAUSE = 0.01  # of a caller between two requests

Action = Callable[["Scene"], Awaitable[None]]


@dataclass
class Scene:
    """accepted: ids of jobs with the callers that own them."""

    target: Target
    answers: Counter[str] = field(default_factory=Counter)
    accepted: list[tuple[str, str]] = field(default_factory=list)

    def picture(self, name: str) -> bytes:
        return (self.target.folder / name).read_bytes()

    def request(self, method: str, path: str, caller: str = ABUSERS[0], **more: Any) -> bytes:
        return wire.request(method, path, key=self.target.keys[caller], **more)

    async def ask(self, what: str, sent: bytes, leave: float | None = None) -> wire.Answer:
        answer = await wire.ask(self.target.address, sent, leave)
        self.answers[f"{what} {answer.status}"] += 1
        return answer

    async def submit(self, what: str, caller: str = ABUSERS[0], **parameters: Any) -> list[str]:
        """The ids of the jobs that were accepted."""
        body = json.dumps(parameters).encode()
        answer = await self.ask(what, self.request("POST", "/visualize", caller, body=body, kind="application/json"))
        if answer.status != "202":
            return []
        told = json.loads(answer.body)
        ids = [job["id"] for job in told["data"]] if "data" in told else [told["id"]]
        self.accepted += [(caller, id_) for id_ in ids]
        return ids


async def forever(callers: int, act: Callable[[], Awaitable[object]]) -> None:
    """So many callers, each of which acts again and again."""

    async def call() -> None:
        while True:
            await act()
            await asyncio.sleep(PAUSE)

    await asyncio.gather(*(call() for _ in range(callers)))


class Abusers:
    """A process that acts for some time and then is gone, with its connections."""

    def __init__(self, target: Target, actions: tuple[Action, ...], seconds: float) -> None:
        self._result, sender = SPAWN.Pipe(duplex=False)
        self._process = SPAWN.Process(target=_abuse, args=(target, actions, seconds, sender))
        self._process.start()

    def await_start(self) -> None:
        self._result.recv()

    def end(self) -> tuple[Counter[str], list[tuple[str, str]]]:
        """Wait for the end; what was answered, and the jobs that were accepted."""
        answers, accepted = self._result.recv()
        self._process.join()
        return answers, accepted


def _abuse(target: Target, actions: tuple[Action, ...], seconds: float, result: Connection) -> None:
    os.nice(NICE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    scene = Scene(target)
    result.send("started")
    asyncio.run(_act(scene, actions, time.monotonic() + seconds))
    result.send((scene.answers, scene.accepted))


async def _act(scene: Scene, actions: tuple[Action, ...], until: float) -> None:
    tasks = [asyncio.create_task(_as_long_as(scene, action, until)) for action in actions]
    await asyncio.gather(*tasks)


async def _as_long_as(scene: Scene, action: Action, until: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + max(0.0, until - time.monotonic())):
            await action(scene)
