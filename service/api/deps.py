"""What handlers depend on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from service.api.keys import Keys, Limiter
from service.jobs.service import JobService
from service.networks.catalog import Networks
from service.networks.network import Network
from service.settings import Settings

T = TypeVar("T")


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
    workers: CapacityLimiter
    keys: Keys
    limiter: Limiter
    readiness: Readiness = field(default_factory=Readiness)

    def network(self, name: str | None) -> Network:
        """The network of that name, or the default one. Raises `NotFound`."""
        return self.networks[name or self.settings.default_model]

    async def work(self, function: Callable[[], T]) -> T:
        """Run a function that computes, on a worker thread, at most ``settings.workers`` at a time."""
        return await to_thread.run_sync(function, limiter=self.workers)


async def _services(request: Request) -> Services:  # a plain function would go through a thread
    services: Services = request.app.state.services
    return services


async def _job_service(services: Annotated[Services, Depends(_services)]) -> JobService:
    return services.job_service


ServicesDep = Annotated[Services, Depends(_services)]
JobServiceDep = Annotated[JobService, Depends(_job_service)]
