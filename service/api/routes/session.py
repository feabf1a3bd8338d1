"""`POST /session`: a key for the page, as a cookie that scripts cannot read."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from service.api.access import COOKIE, identify
from service.api.deps import ServicesDep
from service.api.problems import REFUSALS, RESPONSES

router = APIRouter(prefix="/session", tags=["operation"], responses=RESPONSES)


@router.post("", status_code=204, responses=REFUSALS)
async def enter(
    request: Request, services: ServicesDep, key: Annotated[str, Form(max_length=200, description="An API key.")]
) -> Response:
    """Remember a key for this browser."""
    await identify(request, services, key)
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE, key, httponly=True, samesite="strict", secure=request.url.scheme == "https", max_age=30 * 86400
    )
    return response


@router.delete("", status_code=204)
async def leave(request: Request) -> Response:
    """Forget it."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return response
