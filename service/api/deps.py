"""What handlers depend on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from anyio import to_thread
from fastapi import Depends, Request

from service.api.keys import Keys, Limiter
from service.api.places import Places, Workers
from service.api.streams import Streams
from service.errors import Abandoned, Overloaded
from service.jobs.service import JobService
from service.networks.catalog import Networks
from service.networks.network import Network
from service.networks.uploads import Uploads
from service.runtime.demand import Demand, working_for
from service.settings import Settings

T = TypeVar("T")
ATTENTION_SECONDS = 0.25  # between two looks whether a client is still there


@dataclass
class Readiness:
    """Whether the service has warmed up; the reason while it has not."""

    reason: str | None = "warming up"


@dataclass(frozen=True)
class Services:
    """The objects that live as long as the application."""

    settings: Settings
    networks: Networks
    job_service: JobService
    keys: Keys
    limiter: Limiter
    failures: Limiter  # of keys
    workers: Workers
    uploads: Uploads  # of models
    archives: Places  # of batches, which are stored while they arrive
    streams: Streams = field(default_factory=Streams)
    readiness: Readiness = field(default_factory=Readiness)

    def network(self, name: str | None) -> Network:
        """The network of that name, or the default one. Raises `NotFound`."""
        return self.networks[name or self.settings.default_model]

    async def work(self, function: Callable[[], T], request: Request | None = None, effort: float = 1) -> T:
        """Run a function that computes, on a worker thread; see `Workers`.

        It ends with its next run of a network when the client of the request has gone, or when a request may take no
        longer, and its time counts against the limit of the caller. effort: about how many runs of the network it
        takes. Raises `Overloaded` if there is no free worker for too long, or for work that takes too long, and
        `TooManyRequests` if the limit is used up.
        """
        caller = "" if request is None else request.state.caller
        demand, compute = Demand(caller), self.job_service.compute
        await compute.check(caller)
        await _look(demand, request)  # the first look has the server read on, so that the next one sees the end
        async with self.workers.take(caller, effort), compute.counted(caller):
            await _look(demand, request)
            with working_for(demand):
                working = asyncio.create_task(to_thread.run_sync(function, limiter=self.workers.threads))
            return await (working if request is None else self._attended(working, demand, request))

    async def _attended(self, working: "asyncio.Task[T]", demand: Demand, request: Request) -> T:
        """The result of work that ends when it is of no use any more."""
        seconds = self.settings.request_seconds
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            while not (await asyncio.wait([working], timeout=ATTENTION_SECONDS))[0]:
                if asyncio.get_running_loop().time() > deadline or await request.is_disconnected():
                    demand.unattended.set()
                    break
            return await working
        except Abandoned:
            if await request.is_disconnected():
                raise
            raise Overloaded(
                f"this takes longer than {seconds:g} seconds; send it with mode=job, or ask for less", retry_after=60
            ) from None


async def _look(demand: Demand, request: Request | None) -> None:
    """Raise `Abandoned` if the client of the request has gone."""
    if request is not None and await request.is_disconnected():
        demand.unattended.set()
        demand.check()


async def _services(request: Request) -> Services:  # a plain function would go through a thread
    services: Services = request.app.state.services
    return services


async def _job_service(services: Annotated[Services, Depends(_services)]) -> JobService:
    return services.job_service


ServicesDep = Annotated[Services, Depends(_services)]
JobServiceDep = Annotated[JobService, Depends(_job_service)]
