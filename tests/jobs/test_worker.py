"""What a worker does with jobs whose runs fail."""

import asyncio
from collections.abc import Iterator, Mapping

import pytest

from service.errors import Overloaded, Unready
from service.jobs.ledger import Draft
from service.jobs.record import Job, State
from service.jobs.run import Advance, Conclusion, Run
from service.jobs.service import open_job_service, worker
from service.settings import Settings

pytestmark = pytest.mark.anyio


async def test_a_job_that_comes_too_early_goes_on_where_it_was(fresh: Settings) -> None:
    seen: list[bytes | None] = []

    def step(index: int) -> Advance:
        return Advance(index, {"step": index}, False, lambda: b"", lambda: b"after %d" % index, precious=True)

    def runner(_: Job, checkpoint: bytes | None, __: Mapping[str, bytes]) -> Run:
        seen.append(checkpoint)
        if len(seen) == 1:
            raise Unready("the model is being tried out", retry_after=0)

        def steps() -> Iterator[Advance]:
            yield step(len(seen))
            if len(seen) == 2:
                raise Overloaded("the run waited too long for its turn", retry_after=0)

        return Run(steps(), [], lambda: Conclusion(b"", {}))

    async with open_job_service(fresh) as jobs:
        (id_,) = (await jobs.submit([Draft("class", 1, {}, 20)], batch=False)).ids
        working = asyncio.create_task(worker(jobs, fresh, runner).run())
        followed = await jobs.events.follow(id_, "0")
        assert followed is not None
        async with asyncio.timeout(60):
            async for _ in followed:  # to the end of the job
                pass
        job = await jobs.ledger.get(id_)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert job.state == State.SUCCEEDED, job.problem
    assert seen == [None, None, b"after 2"]
    assert job.attempts == 1
