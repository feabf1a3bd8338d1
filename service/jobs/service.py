"""Everything about jobs in one place: built from the settings, opened and closed with the process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from service.errors import QueueError
from service.jobs import counters
from service.jobs.attempt import JobLimits
from service.jobs.batches import Batches
from service.jobs.compute import ComputeLimit
from service.jobs.events import IDLE_SECONDS, Events
from service.jobs.ledger import Draft, Ledger, Submission
from service.jobs.queue import JobQueue, connect
from service.jobs.record import Job, State
from service.jobs.run import Runner
from service.jobs.store import ArtifactStore, input_name
from service.jobs.valkey import EmbeddedValkey
from service.jobs.worker import Worker
from service.settings import Settings

logger = logging.getLogger(__name__)

WATCH_SECONDS = 1.0
LEDGER_CONNECTIONS = 50  # of a process, however many requests look up jobs at the same time


@dataclass(frozen=True)
class JobService:
    """Where jobs are submitted, looked up, cancelled and deleted.

    counters: for what must not wait for long. compute: limits on it, for requests too.
    """

    ledger: Ledger
    batches: Batches
    events: Events
    queue: JobQueue
    store: ArtifactStore
    counters: counters.Counters
    compute: ComputeLimit

    async def submit(
        self, drafts: Sequence[Draft], batch: bool, key: str | None = None, request: str = "", owner: str | None = None
    ) -> Submission:
        """Accept all jobs or none; see `Ledger.submit`.

        What is accepted is in the ledger, and workers see there should the queue not get its tickets. Its inputs are
        stored before.
        """
        submission: Submission | None = None
        try:
            for draft in drafts:
                for name, data in draft.inputs.items():
                    await self.store.put(input_name(draft.id, name), data)
            submission = await self.ledger.submit(drafts, batch, key, request, owner)
        finally:
            if submission is None or submission.again:
                for draft in drafts:
                    if draft.inputs:
                        with suppress(QueueError):  # what is left of it is found by nobody
                            await self.store.delete_all(draft.id)
        if not submission.again:
            await self.queue.add(len(submission.ids))
        return submission

    async def cancel(self, id_: str) -> Job:
        """Ask for the end of a job; one that has not begun ends at once. Raises `NotFound` or `Gone`."""
        await self.ledger.get(id_)
        await self.ledger.cancel(id_)
        return await self.ledger.get(id_)

    async def withdraw(self, id_: str, key: str | None, owner: str | None) -> None:
        """Delete an open batch that came to nothing, as if it had never been submitted with that idempotency key."""
        if await self.ledger.delete(id_, State.OPEN):
            if key is not None:
                await self.ledger.forget_key(key, owner)
            await self.store.delete_all(id_)

    async def delete(self, id_: str) -> None:
        """Forget a job and its artifacts; one that runs stops at its next step. Raises `NotFound` or `Gone`."""
        await self.ledger.get(id_)
        await self.ledger.delete(id_)
        await self.store.delete_all(id_)


@asynccontextmanager
async def open_job_service(settings: Settings) -> AsyncIterator[JobService]:
    """The jobs of the settings' queue and store; without a queue, on an embedded Valkey that is closed with them."""
    store = ArtifactStore.open(settings.store_url, settings.data_dir)
    async with AsyncExitStack() as stack:
        url = settings.queue_url
        if url is None:
            url = await stack.enter_async_context(_embedded(settings.data_dir))
        queue = JobQueue(connect(url, decode=False), name="convlens")
        stack.push_async_callback(queue.disconnect)
        redis = await stack.enter_async_context(connect(url, decode=True, connections=LEDGER_CONNECTIONS))
        ledger = Ledger(
            redis,
            settings.max_jobs,
            settings.retention_seconds,
            settings.max_attempts,
            settings.max_jobs_per_key or max(1, settings.max_jobs // 10),
        )
        await queue.connect()
        batches = Batches(ledger, settings.retention_seconds, settings.max_stored_bytes)
        waiting = await stack.enter_async_context(connect(url, decode=True, answer_seconds=2 * IDLE_SECONDS))
        events = Events(redis, waiting)
        stack.push_async_callback(events.close)
        counting = connect(url, decode=True, patience=0, answer_seconds=counters.ANSWER_SECONDS)
        await stack.enter_async_context(counting)
        kept = counters.Counters(counting)
        compute = ComputeLimit(settings.compute_limit, kept)
        yield JobService(ledger, batches, events, queue, store, kept, compute)


@asynccontextmanager
async def _embedded(data_dir: Path) -> AsyncIterator[str]:
    """An embedded Valkey, started again should it die; its address."""
    valkey = EmbeddedValkey(data_dir)
    await asyncio.to_thread(valkey.start)

    async def watch() -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not await asyncio.to_thread(valkey.is_alive):
                logger.error("the embedded Valkey has died and is started again")
                try:
                    await asyncio.to_thread(valkey.start)
                except QueueError as error:
                    logger.error("%s; it is tried again in a moment", error)

    watcher = asyncio.create_task(watch())
    try:
        yield valkey.url
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await asyncio.to_thread(valkey.stop)


def worker(job_service: JobService, settings: Settings, runner: Runner) -> Worker:
    """A worker of the job_service."""
    limits = JobLimits(settings.job_seconds, settings.checkpoint_seconds)
    return Worker(
        job_service.ledger,
        job_service.queue,
        job_service.store,
        job_service.compute,
        runner,
        limits,
        settings.job_concurrency,
    )
