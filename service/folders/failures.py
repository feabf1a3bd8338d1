"""What the index says of a photograph that could not be explained."""

from collections.abc import Sequence
from http import HTTPStatus

from service.api.statuses import status_of
from service.errors import ConvlensError
from service.folders.index import Record


def failure(item: str, method: str, status: int, detail: str) -> Record:
    """The record of what has failed, with the status that the service would answer with."""
    title = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    return {"item": item, "method": method, "error": {"status": int(status), "title": title, "detail": detail}}


def failures(item: str, methods: Sequence[str], error: Exception) -> list[Record]:
    """The records of a photograph that fails whatever the method."""
    status, detail = _told(error)
    return [failure(item, method, status, detail) for method in methods]


def _told(error: Exception) -> tuple[HTTPStatus, str]:
    match error:
        case ConvlensError():
            return status_of(error), str(error)
        case PermissionError():
            return HTTPStatus.FORBIDDEN, "it cannot be read: permission denied"
        case FileNotFoundError():
            return HTTPStatus.NOT_FOUND, "there is no such file; a link may lead nowhere"
        case OSError():
            return HTTPStatus.UNPROCESSABLE_ENTITY, f"it cannot be read: {error.strerror or error}"
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}"
