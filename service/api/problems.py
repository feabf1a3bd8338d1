"""Errors as problem documents (RFC 9457): one table, one body."""

import logging
import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from service import errors
from service.api.prefix import own_path
from service.api.statuses import status_of

logger = logging.getLogger(__name__)

MAX_ERRORS, MAX_TEXT = 10, 500  # of a document about parameters
_PLACE = re.compile(r"{\w+}")  # of a parameter in a path
PROTOCOL = re.compile(r"/v[12](/|$)")  # paths whose errors have the form of the Open Inference Protocol


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "class_id must be from 0 to 999 for squeezenet1_1; it is 1000",
                    "instance": "/saliency",
                }
            ]
        }
    )

    type: str = Field("about:blank", description="A URI that identifies the kind of problem.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong with this request and what to do about it.")
    instance: str = Field(description="The path of the request.")
    errors: list[dict[str, Any]] | None = Field(None, description="The parameters that are wrong, one by one.")


class ProtocolError(BaseModel):
    """An error as the Open Inference Protocol has it."""

    error: str = Field(description="What is wrong with this request and what to do about it.")


_PROBLEM = {"application/problem+json": {"schema": Problem.model_json_schema()}}
_ERROR = {"application/json": {"schema": ProtocolError.model_json_schema()}}
BINARY = {"schema": {"type": "string", "format": "binary"}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "What was sent cannot be used; the document says why.",
        "content": _PROBLEM,
    }
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "The service asks for a key.", "content": _PROBLEM},
    429: {
        "description": "The caller has asked more often or computed longer than it may, or there are too many jobs.",
        "content": _PROBLEM,
    },
}
PROTOCOL_RESPONSES, PROTOCOL_REFUSALS = (
    {status: {**described, "content": _ERROR} for status, described in responses.items()}
    for responses in (RESPONSES, REFUSALS)
)
FORBIDDEN: dict[int | str, dict[str, Any]] = {
    403: {"description": "The key is known, but does not have the role for it.", "content": _PROBLEM}
}


def problem(request: Request, status: int, detail: str, **more: Any) -> JSONResponse:
    """The response for a problem, in the form of the protocol that was spoken."""
    if PROTOCOL.match(own_path(request.scope)):
        status = HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
        return JSONResponse({"error": detail}, status)
    title = HTTPStatus(status).phrase
    body = Problem(title=title, status=status, detail=detail, instance=request.url.path, **more)
    return JSONResponse(jsonable_encoder(body, exclude_none=True), status, media_type="application/problem+json")


def brief(error: Exception) -> dict[str, Any]:
    """An error as the index of a batch tells it; what was not raised on purpose is logged."""
    if isinstance(error, errors.ConvlensError):
        status, detail = status_of(error), str(error)
    else:
        logger.error("a picture of a batch failed unexpectedly", exc_info=error)
        status, detail = HTTPStatus.INTERNAL_SERVER_ERROR, f"it failed unexpectedly: {type(error).__name__}"
    return {"status": int(status), "title": status.phrase, "detail": detail}


async def _on_convlens_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ConvlensError)
    status = status_of(error)
    if isinstance(error, errors.TryLater):
        logger.info("%s %s: %s", request.method, request.url.path, error)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    response = problem(request, status, str(error))
    if isinstance(error, errors.Unauthorized | errors.TooManyFailedKeys):
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.TryLater):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


async def _on_queue_error(request: Request, error: Exception) -> Response:
    logger.warning("the queue cannot be used: %s", error)
    response = problem(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the job queue cannot be reached or takes no more; try again in a few seconds",
    )
    response.headers["Retry-After"] = "5"
    return response


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    all_errors = error.errors()
    found = [
        {"parameter": ".".join(map(str, e["loc"]))[:MAX_TEXT], "message": e["msg"][:MAX_TEXT]}
        for e in all_errors[:MAX_ERRORS]
    ]
    detail = "; ".join(f"{e['parameter']}: {e['message']}" for e in found)
    if (more := len(all_errors) - MAX_ERRORS) > 0:
        detail += f"; and {more} more"
    return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=found)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = problem(request, error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(_methods_of(request)) or response.headers.get("Allow", "")
    return response


def _methods_of(request: Request) -> list[str]:
    """All methods of the path; the router tells those of one route only."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    fitting = [path for path in paths if compile_path(path)[0].match(request.url.path)]
    nearest = max(fitting, key=lambda path: len(_PLACE.sub("", path)), default="")
    return sorted(method.upper() for method in paths.get(nearest, {}))


async def _on_disconnect(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return Response(status_code=499)  # nobody is listening any more


async def _on_unexpected(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the server logs it
    detail = "The service failed unexpectedly; the reason is in its log. Other requests are not affected."
    response = problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)
    response.headers["Connection"] = "close"  # the server closes it after an exception; the client must know
    return response


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""
    app.add_exception_handler(errors.ConvlensError, _on_convlens_error)
    app.add_exception_handler(RedisError, _on_queue_error)  # it is away, or it takes no more since its disk is full
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(errors.Abandoned, _on_disconnect)
    app.add_exception_handler(Exception, _on_unexpected)
