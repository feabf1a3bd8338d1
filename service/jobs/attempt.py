"""One attempt at a job: drive its steps, save checkpoints, tell progress, and end it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from service.jobs.compute import ComputeLimit, caller_of
from service.jobs.ledger import Ledger
from service.jobs.outcomes import Stop
from service.jobs.record import Job, State
from service.jobs.run import Advance, Run, Runner
from service.jobs.store import ArtifactStore, artifact_name, checkpoint_name, frame_name, image_name, input_name

logger = logging.getLogger(__name__)

HOP_SECONDS = 0.2  # between two looks at the ledger: progress is written, a cancelled job stops
SAVING = 10  # times as long as saving a checkpoint takes is at least between two
STALL_SECONDS = 120  # a step that takes longer counts as hung; another worker takes over


@dataclass(frozen=True)
class JobLimits:
    """seconds: bound of a job, counted from its first step. checkpoint_seconds: time between two checkpoints."""

    seconds: float
    checkpoint_seconds: float


class Stopped(Exception):
    """The job is no longer this worker's, or is to stop. The outcome says why."""

    def __init__(self, outcome: State | Stop) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Attempt:
    """One attempt at one job, from its claim to its end.

    Args:
        ledger: Where its progress and its end are written.
        store: Where its pictures and checkpoints are kept.
        compute: Where its seconds count against the limit of its owner.
        limits: On its time.
        job: Its record, as claimed.
        lease: What proves that the job is still this worker's.
        heartbeat: Tells the queue that the worker is alive.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: ArtifactStore,
        compute: ComputeLimit,
        limits: JobLimits,
        job: Job,
        lease: str,
        heartbeat: Callable[[], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._compute = compute
        self._limits = limits
        self._job = job
        self._lease = lease
        self._heartbeat = heartbeat
        self._began = self._saved = self._reported = time.monotonic()
        self._pause = limits.checkpoint_seconds
        self._preview: int | None = job.preview
        self._last: Advance | None = None

    async def run(self, runner: Runner) -> None:
        """Run the job to its end, from its last checkpoint. Raises `Stopped`."""
        job = self._job
        checkpoint = await self._store.find(checkpoint_name(job.id))
        inputs = {name: await self._store.get(input_name(job.id, name)) for name in job.inputs}
        run = await self._threaded(lambda: runner(job, checkpoint, inputs))
        try:
            await self._steps(run)
            made = await self._threaded(run.conclude)
        finally:
            run.abandon()
        if made.image:
            await self._store.put(image_name(job.id), made.image)
        for name, data in made.artifacts.items():
            await self._alive(self._store.put(artifact_name(job.id, name), data))
        outcome = await self._finish(State.SUCCEEDED, result=made.result, artifacts=list(made.artifacts))
        if outcome != State.SUCCEEDED:
            raise Stopped(outcome)
        await self._store.delete(checkpoint_name(job.id))
        logger.info("job %s has succeeded", job.id)

    async def stop(self, outcome: State | Stop) -> None:
        """End the attempt in the way that the outcome asks for."""
        job = self._job
        if outcome == State.CANCELLING:
            if picture := await self._latest_picture():
                await self._store.put(image_name(job.id), picture)
            await self._finish(State.CANCELLED)
            await self._store.delete(checkpoint_name(job.id))
        elif outcome == Stop.DEADLINE:
            await self.fail(f"it was not done within {self._limits.seconds:g} seconds; ask for fewer iterations")
        elif outcome == Stop.LOST:
            await self._ledger.release(job.id, self._lease)
        elif outcome == Stop.GONE:
            await self._store.delete_all(job.id)
        logger.info("job %s stopped: %s", job.id, outcome)

    async def pause(self, seconds: float) -> None:
        """Keep the job without going on with it."""
        await self._alive(asyncio.sleep(seconds))

    async def release(self) -> None:
        """Save a checkpoint and give the job back, so that another worker goes on with it."""
        await self._save_last()
        await self._ledger.release(self._job.id, self._lease)
        logger.info("job %s is released", self._job.id)

    async def release_patiently(self) -> None:
        """Give the job back once the queue can be reached again: an unreachable queue is no failure of the job."""
        while True:
            try:
                await self._ledger.release(self._job.id, self._lease)
            except RedisError:
                await asyncio.sleep(1)
            else:
                return

    async def fail(self, detail: str) -> None:
        """End the job with a problem document."""
        problem = {"type": "about:blank", "title": "Job failed", "status": 500, "detail": detail}
        await self._finish(State.FAILED, problem=problem)

    async def _finish(self, state: State, **fields: Any) -> State | Stop:
        """End the job; its state, or why it is no longer this worker's."""
        await self._report()
        return await self._ledger.finish(self._job.id, self._lease, state, **fields)

    async def _report(self) -> None:
        """Tell that the worker lives, and for how long it has computed since it last did."""
        now = time.monotonic()
        seconds, self._reported = now - self._reported, now
        await self._ledger.heartbeat(self._job.id, self._lease, seconds)
        await self._compute.count(caller_of(self._job.owner), seconds)

    async def _steps(self, run: Run) -> None:
        """Drive the steps to the last one. Raises `Stopped`."""
        written = 0
        while last := await self._threaded(lambda: _hop(run.steps, HOP_SECONDS)):
            self._last = last
            if last.preview:
                await self._store.put(frame_name(self._job.id, last.index), await self._threaded(last.image))
                self._preview = last.index
            is_due = last.preview or last.precious or time.monotonic() - self._saved > self._pause
            is_due |= not written and self._job.attempts > 1  # so that whoever dies soon has got further
            if is_due:
                await self._save(last)
            outcome = await self._ledger.progress(
                self._job.id,
                self._lease,
                written,
                run.scores[written:],
                last.fields,
                preview=last.index if last.preview else None,
                saved=last.index if is_due else None,
            )
            written = len(run.scores)
            if outcome != State.RUNNING:
                raise Stopped(outcome)
            if time.monotonic() - self._began > self._limits.seconds:  # a clock that nobody sets
                raise Stopped(Stop.DEADLINE)

    async def _save_last(self) -> None:
        """Write a checkpoint of the last finished step."""
        if self._last is not None:
            await self._save(self._last)

    async def _latest_picture(self) -> bytes | None:
        """The picture after the last finished step, or the newest preview."""
        if self._last is not None:
            picture: bytes = await self._threaded(self._last.image)
            return picture
        return None if self._preview is None else await self._store.find(frame_name(self._job.id, self._preview))

    async def _save(self, advance: Advance) -> None:
        began = time.monotonic()
        await self._alive(self._store.put(checkpoint_name(self._job.id), await self._threaded(advance.checkpoint)))
        self._saved = time.monotonic()
        self._pause = max(self._limits.checkpoint_seconds, SAVING * (self._saved - began))

    async def _threaded(self, function: Callable[[], Any]) -> Any:
        """Run on a thread."""
        return await self._alive(asyncio.to_thread(function))

    async def _alive(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What work gives, telling the queue every second that the worker lives. No thread is left behind."""
        task = asyncio.ensure_future(work)
        started = time.monotonic()
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=1)
                if time.monotonic() - started < STALL_SECONDS:
                    await self._heartbeat()
                    await self._report()
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=2)
            raise
        return task.result()


def _hop(steps: Iterator[Advance], seconds: float) -> Advance | None:
    """Make steps until the time is over or a preview is due; the last one, None if there are no more."""
    last: Advance | None = None
    end = time.monotonic() + seconds
    for last in steps:
        if last.preview or last.precious or time.monotonic() > end:
            break
    return last
