"""API keys and rate limits: a dependency of every route except the health checks."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from service.api.deps import Services, ServicesDep
from service.jobs.compute import caller_of

COOKIE = "convlens_key"

_bearer = HTTPBearer(auto_error=False, description="An API key, where the service asks for one.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The same for the page, set by `POST /session`.")


async def caller(
    request: Request,
    services: ServicesDep,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> str | None:
    """Who asks: the name of the key, None if keys are off. Raises `Unauthorized` or `TooManyRequests`."""
    owner = services.keys.owner(bearer.credentials if bearer else cookie)
    address = request.client.host if request.client else "unknown"
    request.state.caller = caller_of(owner) or f"address:{address}"
    await services.limiter.count(request.state.caller)
    return owner


async def count_jobs(request: Request, services: Services, jobs: int) -> None:
    """Count the jobs of a request beyond the first, which the request stands for. Raises `TooManyRequests`."""
    if jobs > 1:
        await services.limiter.count(request.state.caller, jobs - 1)


CallerDep = Annotated[str | None, Depends(caller)]
