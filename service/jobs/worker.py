"""The worker: takes jobs from the queue, runs them step by step, and outlives every failing one."""

import asyncio
import logging
import secrets
import time
from typing import Any

from redis.exceptions import RedisError
from saq import Worker as QueueWorker

from service.errors import ConvlensError
from service.jobs.attempt import Attempt, JobLimits, Stopped
from service.jobs.ledger import Ledger
from service.jobs.outcomes import Claim
from service.jobs.queue import FUNCTION, HEARTBEAT_SECONDS, SWEEP_SECONDS, JobQueue
from service.jobs.record import State
from service.jobs.run import Runner
from service.jobs.store import ArtifactStore
from service.runtime.demand import Demand, working_for
from service.telemetry import tracing

logger = logging.getLogger(__name__)

SUPERVISE_SECONDS = 5


class Worker:
    """Runs jobs of the queue, ``concurrency`` at a time, and looks after those that other workers left behind."""

    def __init__(
        self, ledger: Ledger, queue: JobQueue, store: ArtifactStore, runner: Runner, limits: JobLimits, concurrency: int
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
        if outcome is not Claim.RUN:
            logger.info("job %s is not run: %s", job_id, outcome)
            return
        job = await self._ledger.get(job_id)

        async def heartbeat() -> None:
            await context["job"].update()

        attempt = Attempt(self._ledger, self._store, self._limits, job, lease, heartbeat)
        logger.info("job %s begins, attempt %d", job_id, job.attempts)
        try:
            span = tracing.span("job", job.traceparent, **{"job.id": job.id, "job.kind": job.kind})
            with span, working_for(Demand(job.owner or "")):
                await attempt.run(self._runner)
        except Stopped as stopped:
            await attempt.stop(stopped.outcome)
        except asyncio.CancelledError:
            await asyncio.shield(attempt.release())
            raise
        except RedisError:
            logger.warning("job %s: the queue cannot be reached; the job goes on when it is back", job_id)
            await attempt.release_patiently()
            raise
        except Exception as error:
            logger.exception("job %s failed", job_id)
            await attempt.fail(str(error) if isinstance(error, ConvlensError) else f"{type(error).__name__}: {error}")

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
        """Whether a job that is not finished has made no progress and sent no heartbeat for some time."""
        found = await self._ledger.many([job_id])
        if not found or found[0].is_finished:
            return False
        if time.time() - max(found[0].times.values()) <= SUPERVISE_SECONDS:
            return False
        return await self._ledger.seconds_since_heartbeat(job_id) > HEARTBEAT_SECONDS

    async def _expire(self) -> None:
        for job_id in await self._ledger.due():
            await self._store.delete_all(job_id)
            await self._ledger.expire(job_id)
