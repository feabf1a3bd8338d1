"""The worker: takes jobs from the queue, runs them step by step, and outlives every failing one."""

import asyncio
import logging
import secrets
from typing import Any

from redis.exceptions import RedisError
from saq import Worker as QueueWorker

from service.errors import ConvlensError, TryLater
from service.jobs.attempt import Attempt, JobLimits, Stopped
from service.jobs.compute import ComputeLimit, caller_of
from service.jobs.ledger import Ledger
from service.jobs.queue import FUNCTION, SWEEP_SECONDS, JobQueue
from service.jobs.record import CHUNK
from service.jobs.run import Runner
from service.jobs.store import ArtifactStore
from service.runtime.demand import Demand, working_for
from service.telemetry import tracing

logger = logging.getLogger(__name__)

SUPERVISE_SECONDS = 5
PAUSE_SECONDS = 5  # at most before a job goes on for which there was no room, or whose model was not ready


class Worker:
    """Runs jobs of the queue, ``concurrency`` at a time, and looks after those that other workers left behind."""

    def __init__(
        self,
        ledger: Ledger,
        queue: JobQueue,
        store: ArtifactStore,
        compute: ComputeLimit,
        runner: Runner,
        limits: JobLimits,
        concurrency: int,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._store = store
        self._compute = compute
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

    async def _run(self, context: dict[str, Any], **_: object) -> None:
        """Run the job that the ledger gives for a ticket. Those of earlier versions name a job, which says nothing."""
        lease = secrets.token_hex(8)
        job_id = await self._ledger.claim(lease)
        if job_id is None:
            return
        job = await self._ledger.get(job_id)
        if job.kind == CHUNK:
            await self._queue.add(1)  # another one may wait

        async def heartbeat() -> None:
            await context["job"].update()

        attempt = Attempt(self._ledger, self._store, self._compute, self._limits, job, lease, heartbeat)
        logger.info("job %s begins, attempt %d", job_id, job.attempts)
        try:
            span = tracing.span("job", job.traceparent, **{"job.id": job.id, "job.kind": job.kind})
            with span, working_for(Demand(caller_of(job.owner))):
                await attempt.run(self._runner)
        except Stopped as stopped:
            await attempt.stop(stopped.outcome)
        except asyncio.CancelledError:
            await asyncio.shield(attempt.release())
            raise
        except TryLater as later:
            logger.info("job %s goes on a little later: %s", job_id, later)
            try:
                await attempt.pause(min(later.retry_after, PAUSE_SECONDS))
            finally:
                await asyncio.shield(attempt.release())
            await self._queue.add(1)  # the ticket of this attempt is used up
        except RedisError:
            logger.warning("job %s: the queue cannot be reached; the job goes on when it is back", job_id)
            await attempt.release_patiently()
            raise
        except Exception as error:
            logger.exception("job %s failed", job_id)
            await attempt.fail(str(error) if isinstance(error, ConvlensError) else f"{type(error).__name__}: {error}")

    async def _supervise(self) -> None:
        """Look after jobs without tickets, and after those whose time is over, for as long as the worker runs."""
        settled, missing = False, 0
        while True:
            try:
                if not settled:
                    await self._ledger.settle()
                    settled = True
                missing = await self._add_tickets(missing)
                await self._expire()
            except Exception:
                logger.exception("looking after the jobs failed; it is tried again")
            await asyncio.sleep(SUPERVISE_SECONDS)

    async def _add_tickets(self, missing_before: int) -> int:
        """Add what has been missing for two looks; how many more are missing now.

        A process that died between the record and the queue leaves a job in the ledger only.
        """
        missing = await self._ledger.for_workers() - await self._queue.tickets()
        lost = min(missing, missing_before)
        if lost > 0:
            logger.warning("%d tickets were lost by the queue and are added again", lost)
            await self._queue.add(lost)
        return missing - max(lost, 0)

    async def _expire(self) -> None:
        for job_id in await self._ledger.due():
            if await self._ledger.expire(job_id):
                await self._store.delete_all(job_id)
                await self._ledger.expired(job_id)
