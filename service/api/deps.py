"""What handlers depend on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from service.api.keys import Keys, Limiter
from service.jobs.office import Office
from service.network import Network
from service.networks import Networks
from service.settings import Settings

T = TypeVar("T")


@dataclass
class Readiness:
    """Whether the service has warmed up; the reason while it has not."""

    reason: str | None = "warming up"


@dataclass(frozen=True)
class Services:
    """What lives as long as the application."""

    settings: Settings
    networks: Networks
    office: Office
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


async def _office(services: Annotated[Services, Depends(_services)]) -> Office:
    return services.office


ServicesDep = Annotated[Services, Depends(_services)]
OfficeDep = Annotated[Office, Depends(_office)]
