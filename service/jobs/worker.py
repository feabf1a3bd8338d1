"""The worker: takes jobs from the queue, runs them step by step, and outlives every failing one."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue
from redis.exceptions import RedisError
from saq import Worker as QueueWorker

from service.errors import ConvlensError
from service.jobs.ledger import Ledger
from service.jobs.queue import FUNCTION, HEARTBEAT_SECONDS, SWEEP_SECONDS, JobQueue
from service.jobs.record import Job, State
from service.jobs.store import ArtifactStore, artifact_name, checkpoint_name, frame_name, image_name, input_name
from service.telemetry import tracing

logger = logging.getLogger(__name__)

HOP_SECONDS = 0.2  # between two looks at the ledger: progress is told, a cancelled job stops
STALL_SECONDS = 120  # a step that takes longer counts as hung; another worker takes over
SUPERVISE_SECONDS = 5


@dataclass(frozen=True)
class Advance:
    """One step of a job, as its runner yields it.

    index: from 0. fields: what the record keeps of it. preview: whether a picture of it is wanted. image: the PNG. checkpoint: the state
    after the step.
    """

    index: int
    fields: dict[str, float]
    preview: bool
    image: Callable[[], bytes]
    checkpoint: Callable[[], bytes]


@dataclass(frozen=True)
class Conclusion:
    """What a job made. image: the PNG. result: for its record. artifacts: further files by name."""

    image: bytes
    result: dict[str, JsonValue]
    artifacts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A job under way. scores: of all steps so far, growing. conclude: what it made, at the end."""

    steps: Iterator[Advance]
    scores: list[float]
    conclude: Callable[[], Conclusion]


Runner = Callable[[Job, bytes | None, Mapping[str, bytes]], Run]  # the job, its last checkpoint and its inputs by name


@dataclass(frozen=True)
class Limits:
    """seconds: in which a job must be done, counted from its first step. checkpoint_seconds: between two checkpoints."""

    seconds: float
    checkpoint_seconds: float


class Stopped(Exception):
    """The job is no longer this worker's, or is to stop. The outcome says why."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class _Attempt:
    """One attempt at one job, from its claim to its end."""

    def __init__(self, ledger: Ledger, store: ArtifactStore, limits: Limits, job: Job, beat: Callable[[], Any]) -> None:
        self._ledger = ledger
        self._store = store
        self._limits = limits
        self._job = job
        self._beat = beat
        self._saved = time.monotonic()
        self._preview: int | None = job.preview
        self._last: Advance | None = None

    async def steps(self, run: Run, lease: str) -> None:
        """Drive the steps to the last one. Raises `Stopped`."""
        told = 0
        while last := await self._threaded(lambda: _hop(run.steps, HOP_SECONDS)):
            self._last = last
            if last.preview:
                await self._store.put(frame_name(self._job.id, last.index), await self._threaded(last.image))
                self._preview = last.index
            if last.preview or time.monotonic() - self._saved > self._limits.checkpoint_seconds:
                await self._save(last)
            preview = last.index if last.preview else None
            outcome = await self._ledger.progress(self._job.id, lease, told, run.scores[told:], last.fields, preview)
            told = len(run.scores)
            if outcome != State.RUNNING:
                raise Stopped(outcome)
            if time.time() - self._job.times[State.RUNNING] > self._limits.seconds:
                raise Stopped("deadline")

    async def save(self) -> None:
        """Write a checkpoint of the last finished step."""
        if self._last is not None:
            await self._save(self._last)

    async def latest_picture(self) -> bytes | None:
        """The picture after the last finished step, or the newest preview."""
        if self._last is not None:
            picture: bytes = await self._threaded(self._last.image)
            return picture
        return None if self._preview is None else await self._store.find(frame_name(self._job.id, self._preview))

    async def _save(self, advance: Advance) -> None:
        await self._store.put(checkpoint_name(self._job.id), await self._threaded(advance.checkpoint))
        self._saved = time.monotonic()

    async def _threaded(self, function: Callable[[], Any]) -> Any:
        """Run on a thread, telling the queue every second that the worker lives; a thread is never left behind on its own."""
        task = asyncio.ensure_future(asyncio.to_thread(function))
        started = time.monotonic()
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=1)
                if time.monotonic() - started < STALL_SECONDS:
                    await self._beat()
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=2)
            raise
        return task.result()


def _hop(steps: Iterator[Advance], seconds: float) -> Advance | None:
    """Make steps until the time is over or a preview is due; the last one, None if there are no more."""
    last: Advance | None = None
    end = time.monotonic() + seconds
    for last in steps:
        if last.preview or time.monotonic() > end:
            break
    return last


class Worker:
    """Runs jobs of the queue, ``concurrency`` at a time, and looks after those that other workers left behind."""

    def __init__(
        self, ledger: Ledger, queue: JobQueue, store: ArtifactStore, runner: Runner, limits: Limits, concurrency: int
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._store = store
        self._runner = runner
        self._limits = limits
        self._worker: QueueWorker[Any] = QueueWorker(
            queue,
            [(FUNCTION, self._run)],
            concurrency=concurrency,
            timers={"sweep": SWEEP_SECONDS, "schedule": 1, "worker_info": 10, "abort": 1},
            cancellation_hard_deadline_s=10.0,
            dequeue_timeout=1.0,
        )
        self._worker.SIGNALS = []  # whoever started the worker stops it

    async def run(self) -> None:
        """Work until cancelled; then checkpoint the running jobs and hand them back."""
        supervisor = asyncio.create_task(self._supervise())
        try:
            await self._worker.start()
        finally:
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)

    async def _run(self, context: dict[str, Any], *, job_id: str) -> None:
        lease = secrets.token_hex(8)
        outcome = await self._ledger.claim(job_id, lease)
        if outcome != "run":
            logger.info("job %s is not run: %s", job_id, outcome)
            return
        job = await self._ledger.get(job_id)

        async def beat() -> None:
            await context["job"].update()
            await self._ledger.beat(job_id, lease)

        attempt = _Attempt(self._ledger, self._store, self._limits, job, beat)
        logger.info("job %s begins, attempt %d", job_id, job.attempts)
        try:
            with tracing.span("job", job.traceparent, **{"job.id": job.id, "job.kind": job.kind}):
                await self._attempt(attempt, job, lease)
        except Stopped as stopped:
            await self._stop(attempt, job, lease, stopped.outcome)
        except asyncio.CancelledError:
            await asyncio.shield(self._release(attempt, job, lease))
            raise
        except RedisError:
            logger.warning("job %s: the queue cannot be reached; the job goes on when it is back", job_id)
            await self._release_patiently(job, lease)
            raise
        except Exception as error:
            logger.exception("job %s failed", job_id)
            await self._fail(
                job, lease, str(error) if isinstance(error, ConvlensError) else f"{type(error).__name__}: {error}"
            )

    async def _attempt(self, attempt: _Attempt, job: Job, lease: str) -> None:
        checkpoint = await self._store.find(checkpoint_name(job.id))
        inputs = {name: await self._store.get(input_name(job.id, name)) for name in job.inputs}
        run = await asyncio.to_thread(self._runner, job, checkpoint, inputs)
        await attempt.steps(run, lease)
        made = await asyncio.to_thread(run.conclude)
        await self._store.put(image_name(job.id), made.image)
        for name, data in made.artifacts.items():
            await self._store.put(artifact_name(job.id, name), data)
        outcome = await self._ledger.finish(
            job.id, lease, State.SUCCEEDED, result=made.result, artifacts=list(made.artifacts)
        )
        if outcome != State.SUCCEEDED:
            raise Stopped(outcome)
        await self._store.delete(checkpoint_name(job.id))
        logger.info("job %s has succeeded", job.id)

    async def _stop(self, attempt: _Attempt, job: Job, lease: str, outcome: str) -> None:
        if outcome == State.CANCELLING:
            if picture := await attempt.latest_picture():
                await self._store.put(image_name(job.id), picture)
            await self._ledger.finish(job.id, lease, State.CANCELLED)
            await self._store.delete(checkpoint_name(job.id))
        elif outcome == "deadline":
            await self._fail(
                job, lease, f"it was not done within {self._limits.seconds:g} seconds; ask for fewer iterations"
            )
        elif outcome == "lost":
            await self._ledger.release(job.id, lease)
        elif outcome == "gone":
            await self._store.delete_all(job.id)
        logger.info("job %s stopped: %s", job.id, outcome)

    async def _release(self, attempt: _Attempt, job: Job, lease: str) -> None:
        await attempt.save()
        await self._ledger.release(job.id, lease)
        logger.info("job %s is handed back", job.id)

    async def _release_patiently(self, job: Job, lease: str) -> None:
        """Hand back a job once the queue can be reached again: that it was away is no failure of the job."""
        while True:
            try:
                await self._ledger.release(job.id, lease)
            except RedisError:
                await asyncio.sleep(1)
            else:
                return

    async def _fail(self, job: Job, lease: str, detail: str) -> None:
        problem = {"type": "about:blank", "title": "Job failed", "status": 500, "detail": detail}
        await self._ledger.finish(job.id, lease, State.FAILED, problem=problem)

    async def _supervise(self) -> None:
        """Look after jobs that no queue holds, and after those whose time is over, for as long as the worker runs."""
        while True:
            try:
                await self._requeue_lost()
                await self._expire()
            except Exception:
                logger.exception("looking after the jobs failed; it is tried again")
            await asyncio.sleep(SUPERVISE_SECONDS)

    async def _requeue_lost(self) -> None:
        """A process that died between the record and the queue leaves a job in the ledger only."""
        for state in (State.RUNNING, State.CANCELLING, State.QUEUED):
            for job_id in await self._queue.missing(await self._ledger.oldest(state, 200)):
                if await self._is_forgotten(job_id):
                    logger.warning("job %s was lost by the queue and is queued again", job_id)
                    await self._queue.add(job_id)

    async def _is_forgotten(self, job_id: str) -> bool:
        """Whether nothing has been heard of the job for some time."""
        for job in await self._ledger.many([job_id]):
            quiet = time.time() - max(job.times.values()) > SUPERVISE_SECONDS
            return not job.is_finished and quiet and await self._ledger.silence(job_id) > HEARTBEAT_SECONDS
        return False

    async def _expire(self) -> None:
        for job_id in await self._ledger.due():
            await self._store.delete_all(job_id)
            await self._ledger.expire(job_id)
