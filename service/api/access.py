"""API keys and rate limits: a dependency of every route except the health checks."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from service.api.addresses import client_of
from service.api.deps import Services, ServicesDep
from service.errors import Forbidden, TooManyFailedKeys, TooManyRequests, Unauthorized
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
    key = bearer.credentials if bearer else cookie
    owner = await identify(request, services, key)
    request.state.caller = caller_of(owner) or f"address:{client_of(request.scope)}"
    request.state.is_admin = services.keys.is_admin(key)
    await services.limiter.count(request.state.caller)
    return owner


async def identify(request: Request, services: Services, key: str | None) -> str | None:
    """The name that a key stands for. Raises `Unauthorized`, or `TooManyFailedKeys` once its address has failed often.

    A key that is known is taken wherever it comes from: nobody can lock out others who have the same address.
    """
    try:
        return services.keys.owner(key)
    except Unauthorized:
        try:
            await services.failures.count(f"failed:{client_of(request.scope)}")
        except TooManyRequests as error:
            reason = f"too many requests without a known key came from this address: {error}"
            raise TooManyFailedKeys(reason, error.retry_after) from None
        raise


async def count_jobs(request: Request, services: Services, jobs: int) -> None:
    """Count the jobs of a request beyond the first, which the request stands for. Raises `TooManyRequests`."""
    if jobs > 1:
        await services.limiter.count(request.state.caller, jobs - 1)


CallerDep = Annotated[str | None, Depends(caller)]


async def admin(request: Request, _: CallerDep) -> None:
    """Let only those pass who may change the service itself: keys with that role, everybody if keys are off.

    Raises `Forbidden`.
    """
    if not request.state.is_admin:
        raise Forbidden("this is for keys with the role 'admin'; 'convlens key NAME --admin' makes one")
